//! The commands, one file each; they wire the stages together and print.

mod boards;
mod build;
mod cluster;
mod diff;
mod fetch;
mod finding;
mod flash;
mod inspect;
mod kubeconfig;
mod kubernetes;
mod lock;
mod manual;
mod matrix;
mod os_list;
mod password;
mod personalize;
mod plan;
mod rebuild;
mod reference;
mod rules;
mod schema;
mod status;
mod store;
mod verify;

use std::{io, path::Path};

use crate::{
    build::error::Error,
    catalogue::Catalogue,
    cli::{Cli, Command, complete},
    host::{console::Console, interrupt, settings::Settings},
    supply::store::Store,
};

pub use manual::write_manual;
pub use reference::reference_pages;
pub use rules::rules_page;
pub use schema::schema_of;

/// Runs the command line `cli`.
pub fn run(cli: Cli) -> Result<(), Error> {
    let console = Console::new(cli.quiet);
    interrupt::watch(console).map_err(|source| Error::Io { what: "watch for signals".into(), source })?;
    let settings = || Settings::load(cli.config.as_deref());
    match &cli.command {
        Command::Build(args) => build::run(args, &settings()?, &console),
        Command::Personalize(args) => personalize::run(args, &settings()?, &console),
        Command::Flash(args) => flash::run(args, &settings()?, &console),
        Command::Lock(args) => lock::run(args, &settings()?, &console),
        Command::Fetch(args) => fetch::run(args, &settings()?, &console),
        Command::Plan(args) => plan::run(args, &settings()?, &console),
        Command::Inspect(args) => inspect::run(args, &console),
        Command::Diff(args) => diff::run(args, &console),
        Command::Verify(args) => verify::run(args, &settings()?, &console),
        Command::Cluster(args) => cluster::run(args, &settings()?, &console),
        Command::Status(args) => status::run(args, &settings()?, &console),
        Command::Kubeconfig(args) => kubeconfig::run(args, &settings()?, &console),
        Command::Boards(args) => boards::run(args, &settings()?, &console),
        Command::Kubernetes(args) => kubernetes::run(args, &settings()?, &console),
        Command::Matrix(args) => matrix::run(args, &settings()?, &console),
        Command::OsList(args) => os_list::run(args, &settings()?, &console),
        Command::Store(args) => store::run(args, &settings()?, &console),
        Command::Password => password::run(&console),
        Command::Rules(args) => rules::run(args, &console),
        Command::Schema(args) => print(&console, &schema_of(args.kind)),
        Command::Completions(args) => {
            let script = complete::script(args.shell).ok_or(Error::NoCompletions { shell: args.shell });
            print(&console, &script?)
        }
        Command::ManPages { folder } => write_manual(folder).map_err(|source| Error::Io {
            what: format!("write the manual pages into {}", folder.display()),
            source,
        }),
    }
}

/// What is known, from the folders of the search path and the program itself, or the folder that was `asked` for.
fn catalogue(settings: &Settings, asked: Option<&Path>) -> Result<Catalogue, Error> {
    Ok(Catalogue::of(settings, asked)?)
}

/// The store, in the folder that was `asked` for, the configured one, or the user's own.
fn store(settings: &Settings, asked: Option<&Path>) -> Result<Store, Error> {
    Ok(Store::open(&settings.store_folder(asked).ok_or(Error::NoStore)?)?)
}

/// Prints a result.
fn print(console: &Console, text: &str) -> Result<(), Error> {
    console.print(text).map_err(output_failed)
}

/// Prints a value as JSON.
fn print_json(console: &Console, value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| output_failed(error.into()))?;
    console.print_escaped(&(text + "\n")).map_err(output_failed)
}

fn output_failed(source: io::Error) -> Error {
    Error::Io { what: "write to standard output".into(), source }
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
