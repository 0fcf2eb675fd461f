//! `imgforge fetch`: everything a build needs, into the store.

use crate::{
    build::{error::Error, prepare::Inputs, release::layers},
    cli::FetchArgs,
    host::{console::Console, settings::Settings},
    supply::pin::Pin,
    target::targets,
};

/// Runs the command.
pub fn run(args: &FetchArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    for target in targets(&args.target, settings, console)? {
        let inputs = Inputs::gather(&target, &args.target, settings, console)?;
        for wants in layers(&target, &inputs)? {
            let pin = Pin { inputs: &inputs, wants: &wants, settings, console, rules: args.target.rules() };
            if let Some(lock) = pin.lock()? {
                pin.fetch(&lock)?;
            }
        }
    }
    console.note("all that the build needs is in the store");
    Ok(())
}
