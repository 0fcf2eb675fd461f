//! `imgforge lock`: pins what builds take.

use std::path::PathBuf;

use crate::{
    build::{Workbench, error::Error, release::Locks},
    cli::LockArgs,
    host::{clock, console::Console, settings::Settings},
    supply::resolve::Update,
    target::{Target, targets},
};

/// Runs the command.
pub fn run(args: &LockArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = super::catalogue(settings, args.target.profiles.as_deref())?;
    let targets = targets(&args.target.asked()?, &catalogue, console)?;
    let store = super::store(settings, args.target.store.as_deref())?;
    let options = args.options(clock::source_date_epoch()?);
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let update = match &args.update {
        None => None,
        Some(names) if names.is_empty() => Some(Update::Everything),
        Some(names) => Some(Update::Packages(names.clone())),
    };
    let mut locks = Locks::default();
    let mut written: Vec<PathBuf> = Vec::new();
    for target in targets {
        if lock(&target, update.as_ref(), &mut locks, &bench)? {
            written.push(target.lock);
        }
    }
    written.dedup();
    let text = match written.as_slice() {
        [] => "nothing is added to the base, so there is nothing to lock\n".into(),
        written => written.iter().map(|path| format!("{}\n", path.display())).collect::<String>(),
    };
    super::print(console, &text)
}

/// Pins what `target` takes; returns whether that is anything.
fn lock(
    target: &Target,
    update: Option<&Update>,
    locks: &mut Locks,
    bench: &Workbench<'_>,
) -> Result<bool, Error> {
    let inputs = locks.gather(target, bench)?;
    let ground = inputs.ground(bench);
    let layers = locks.change(target, &inputs, bench, |pin, lock| match update {
        Some(update) if !pin.wants.is_empty() => {
            pin.renew(lock.unwrap_or_default(), update, ground).map(Some)
        }
        _ => pin.fit(lock, ground),
    })?;
    Ok(layers.iter().any(|wants| !wants.is_empty()))
}
