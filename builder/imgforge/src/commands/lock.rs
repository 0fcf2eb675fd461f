//! `imgforge lock`: pins what builds take.

use crate::{
    cli::LockArgs,
    console::Console,
    error::Error,
    lock::Lock,
    pin::{self, Pin, Rules},
    prepare::Inputs,
    resolve::Update,
    settings::Settings,
};

/// Runs the command.
pub fn run(args: &LockArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let inputs = Inputs::gather(&args.target, settings, console)?;
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
    let text = match &lock {
        Some(_) => format!("{}\n", inputs.lock_path.display()),
        None => "nothing is added to the base, so there is nothing to lock\n".into(),
    };
    super::print(console, &text)
}
