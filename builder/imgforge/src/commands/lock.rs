//! `imgforge lock`: pins what builds take.

use std::path::PathBuf;

use crate::{
    build::{
        Workbench,
        error::Error,
        release::{Locks, by_release},
    },
    cli::LockArgs,
    host::{clock, console::Console, settings::Settings},
    supply::{pin, resolve::Update},
    target::targets,
};

/// Runs the command.
pub fn run(args: &LockArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = super::catalogue(settings, args.target.places.profiles.as_deref())?;
    let targets = targets(&args.target.asked()?, &catalogue, console)?;
    let store = super::store(settings, args.target.places.store.as_deref())?;
    let options = args.options(clock::source_date_epoch()?);
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let update = match &args.update {
        None => None,
        Some(names) if names.is_empty() => Some(Update::Everything),
        Some(names) => Some(Update::Packages(names.clone())),
    };
    let mut locks = Locks::default();
    let mut written: Vec<PathBuf> = Vec::new();
    for of_release in by_release(&targets) {
        let Some((_, first)) = of_release.first() else { continue };
        let of_release = || of_release.iter().map(|(_, target)| *target);
        let inputs = locks.gather(first, &bench)?;
        let ground = inputs.ground(&bench);
        let layers = locks.change(of_release(), &inputs, &bench, |pins, lock| {
            let wanting: Vec<_> = pins.iter().filter(|pin| !pin.wants.is_empty()).copied().collect();
            match &update {
                Some(update) if !wanting.is_empty() => {
                    pin::renew(&wanting, lock.unwrap_or_default(), update, ground).map(Some)
                }
                _ => pin::fit(pins, lock, ground),
            }
        })?;
        if layers.iter().any(|layers| !layers.sets().is_empty()) {
            written.push(inputs.prepared.lock_path);
        }
    }
    written.dedup();
    let text = match written.as_slice() {
        [] => "nothing is added to the base, so there is nothing to lock\n".into(),
        written => written.iter().map(|path| format!("{}\n", path.display())).collect::<String>(),
    };
    super::print(console, &text)
}
