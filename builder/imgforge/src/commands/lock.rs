//! `imgforge lock`: pins what builds take.

use std::path::PathBuf;

use crate::{
    cli::LockArgs,
    console::Console,
    error::Error,
    lock::Lock,
    pin::{self, Pin, Rules},
    prepare::Inputs,
    resolve::Update,
    settings::Settings,
    target::{Target, targets},
};

/// Runs the command.
pub fn run(args: &LockArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let mut written: Vec<PathBuf> = Vec::new();
    for target in targets(&args.target, settings, console)? {
        written.extend(lock(&target, args, settings, console)?);
    }
    written.dedup();
    let text = match written.as_slice() {
        [] => "nothing is added to the base, so there is nothing to lock\n".into(),
        written => written.iter().map(|path| format!("{}\n", path.display())).collect::<String>(),
    };
    super::print(console, &text)
}

/// Pins what `target` takes; returns the lock, where one is needed.
fn lock(
    target: &Target,
    args: &LockArgs,
    settings: &Settings,
    console: &Console,
) -> Result<Option<PathBuf>, Error> {
    let inputs = Inputs::gather(target, &args.target, settings, console)?;
    let rules = Rules { allow_expired: args.allow_expired, ..args.target.rules() };
    let pin = Pin { inputs: &inputs, settings, console, rules };
    let update = match &args.update {
        None => None,
        Some(names) if names.is_empty() => Some(Update::Everything),
        Some(names) => Some(Update::Packages(names.clone())),
    };
    let lock = match update {
        None => pin.lock()?,
        Some(update) => Some(
            pin.renew(Lock::read(&inputs.lock_path).map_err(pin::Error::from)?.unwrap_or_default(), &update)?,
        ),
    };
    Ok(lock.map(|_| inputs.lock_path.clone()))
}
