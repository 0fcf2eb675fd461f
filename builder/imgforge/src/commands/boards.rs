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
    super::print(console, &super::table(rows.collect()))
}
