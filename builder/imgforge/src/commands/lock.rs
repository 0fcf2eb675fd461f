//! `imgforge lock`: pins what builds take.

use std::path::PathBuf;

use crate::{
    build::{error::Error, prepare::Inputs, release::layers},
    cli::LockArgs,
    host::{console::Console, settings::Settings},
    supply::{
        lock::Lock,
        pin::{self, Pin, Rules},
        resolve::Update,
    },
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
    let update = match &args.update {
        None => None,
        Some(names) if names.is_empty() => Some(Update::Everything),
        Some(names) => Some(Update::Packages(names.clone())),
    };
    let mut is_needed = false;
    for wants in layers(target, &inputs)? {
        let pin = Pin { inputs: &inputs, wants: &wants, settings, console, rules: rules.clone() };
        let lock = match &update {
            Some(update) if !wants.is_empty() => {
                let lock = Lock::read(&inputs.lock_path).map_err(pin::Error::from)?;
                Some(pin.renew(lock.unwrap_or_default(), update)?)
            }
            _ => pin.lock()?,
        };
        is_needed |= lock.is_some();
    }
    Ok(is_needed.then_some(inputs.lock_path))
}
