//! `imgforge boards`: what there are profiles for.

use serde::Serialize;

use crate::{
    cli::BoardsArgs,
    console::Console,
    error::Error,
    profile::{Architecture, Catalogue},
    settings::Settings,
};

/// A board as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Board<'a> {
    board: &'a str,
    name: &'a str,
    aliases: &'a [String],
    vendor: &'a str,
    architecture: Architecture,
    cores: u32,
    memory: u32,
}

/// Runs the command.
pub fn run(args: &BoardsArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = Catalogue::load(&settings.profile_folders(args.profiles.as_deref()))?;
    let boards: Vec<Board<'_>> = catalogue
        .boards()
        .map(|(_, profile)| Board {
            board: &profile.board,
            name: &profile.name,
            aliases: &profile.aliases,
            vendor: &profile.vendor,
            architecture: profile.architecture,
            cores: profile.cores,
            memory: profile.memory,
        })
        .collect();
    if args.json {
        return super::print_json(console, &boards);
    }
    let rows =
        boards.iter().map(|board| [board.board.to_owned(), board.name.to_owned(), board.aliases.join(", ")]);
    super::print(console, &table(rows.collect()))
}

/// Rows in columns, each as wide as its widest cell.
fn table<const N: usize>(rows: Vec<[String; N]>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
