//! The `imgforge` command: parses the command line, runs it, renders errors.

use std::process::ExitCode;

use clap::Parser;
use imgforge::{
    cli::{self, Cli},
    commands,
    host::console,
};
use imgforge_spec::Diagnose;

fn main() -> ExitCode {
    cli::answer();
    match commands::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::say(&error, error.hint().as_deref());
            ExitCode::from(error.class().exit_code())
        }
    }
}
