//! `imgforge fetch`: everything a build needs, into the store.

use crate::{
    build::{
        Workbench,
        error::Error,
        prepare::Layers,
        release::{Locks, by_release},
    },
    cli::FetchArgs,
    host::{clock, console::Console, settings::Settings},
    target::targets,
};

/// Runs the command.
pub fn run(args: &FetchArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = super::catalogue(settings, args.target.places.profiles.as_deref())?;
    let targets = targets(&args.target.asked()?, &catalogue, console)?;
    let store = super::store(settings, args.target.places.store.as_deref())?;
    let options = args.target.options(clock::source_date_epoch()?);
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let mut locks = Locks::default();
    for of_release in by_release(&targets) {
        let Some((_, first)) = of_release.first() else { continue };
        let inputs = locks.gather(first, &bench)?;
        let (layers, lock) = locks.fit(of_release.iter().map(|(_, target)| *target), &inputs, &bench)?;
        let Some(lock) = lock else { continue };
        for wants in layers.iter().flat_map(Layers::iter).filter(|wants| !wants.is_empty()) {
            inputs.pin(wants, &bench).fetch(lock)?;
        }
    }
    console.note("all that the build needs is in the store");
    Ok(())
}
