//! `imgforge cluster apply`: what the file says of nodes and add-ons, brought to the cluster that runs.

use std::cell::RefCell;

use crate::{
    build::error::Error,
    cli::ClusterApplyArgs,
    host::{console::Console, settings::Settings},
    running::{
        apply::{Manner, apply},
        look::Eyes,
        places::Tunnels,
    },
    supply::{Rules, Supply},
    target::cluster::ClusterFile,
};

/// Runs the command.
pub(super) fn run(
    file: &ClusterFile<'_>,
    tunnels: &Tunnels,
    args: &ClusterApplyArgs,
    settings: &Settings,
    console: &Console,
) -> Result<(), Error> {
    file.notices()?;
    let store = crate::commands::store(settings, args.store.as_deref())?;
    let supply = Supply { store: &store, settings, console, rules: Rules::default() };
    let add_ons = file.add_ons::<Error>(&|artifact| Ok(supply.small_artifact(artifact)?))?;
    let eyes = Eyes::new(file.cluster(), &file.secrets()?, tunnels)?;
    let manner = Manner { dry_run: args.dry_run, force: args.force };
    // What is done is said at once, as more may fail.
    let failure = RefCell::new(None);
    let tell = |line: &str| {
        if let Err(error) = crate::commands::print(console, &format!("{line}\n")) {
            *failure.borrow_mut() = Some(error);
        }
    };
    match apply(&eyes.api, file.cluster(), &add_ons, manner, &tell)? {
        0 => console.note("the cluster is as its file says"),
        _ if args.dry_run => console.note("nothing was changed"),
        _ => {}
    }
    failure.into_inner().map_or(Ok(()), Err)
}
