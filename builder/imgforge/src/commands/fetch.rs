//! `imgforge fetch`: everything a build needs, into the store.

use crate::{
    build::{Workbench, error::Error, release::Locks},
    cli::FetchArgs,
    host::{clock, console::Console, settings::Settings},
    target::targets,
};

/// Runs the command.
pub fn run(args: &FetchArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = super::catalogue(settings, args.target.profiles.as_deref())?;
    let targets = targets(&args.target.asked()?, &catalogue, console)?;
    let store = super::store(settings, args.target.store.as_deref())?;
    let options = args.target.options(clock::source_date_epoch()?);
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let mut locks = Locks::default();
    for target in targets {
        let inputs = locks.gather(&target, &bench)?;
        let (layers, lock) = locks.fit(&target, &inputs, &bench)?;
        for wants in layers.iter().filter(|wants| !wants.is_empty()) {
            lock.map_or(Ok(()), |lock| inputs.pin(wants, &bench).fetch(lock))?;
        }
    }
    console.note("all that the build needs is in the store");
    Ok(())
}
