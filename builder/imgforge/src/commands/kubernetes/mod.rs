//! `imgforge kubernetes`: which releases nodes can have, and another patch of one.

mod add;
mod list;

use crate::{
    build::error::Error,
    cli::{KubernetesArgs, KubernetesCommand},
    host::{console::Console, settings::Settings},
    supply::publisher::Publisher,
};

/// Runs the command.
pub(super) fn run(args: &KubernetesArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let folder = args.profiles.as_deref();
    let catalogue = super::catalogue(settings, folder)?;
    match args.command {
        KubernetesCommand::List { online, json } => {
            let publisher = if online { Some(Publisher::new(settings)?) } else { None };
            list::run(&catalogue, publisher.as_ref(), json, console)
        }
        KubernetesCommand::Add { patch, force } => {
            let destination = add::Destination { folder, force };
            add::run(patch, &destination, (&catalogue, &Publisher::new(settings)?), console)
        }
    }
}
