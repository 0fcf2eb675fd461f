//! `imgforge cluster`: what is wrong with a cluster file, the cluster's secrets, and a cluster that runs.

mod apply;
mod backup;
mod new;
mod upgrade;

use std::path::PathBuf;

use imgforge_kube::pki::age::Recipient;

use crate::{
    build::error::Error,
    cli::{ClusterArgs, ClusterCheckArgs, ClusterCommand, ClusterFileArgs, RunningClusterArgs},
    commands::finding::FindingEntry,
    host::{console::Console, settings::Settings},
    running::{places::Tunnels, removal},
    target::{
        SecretsPaths,
        cluster::{self, ClusterFile},
    },
};

/// Runs the command.
pub fn run(args: &ClusterArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    match &args.command {
        ClusterCommand::New(args) => new::run(args, settings, console),
        ClusterCommand::Check(args) => {
            with_file(&args.file, None, settings, |file| check(file, args, console))
        }
        ClusterCommand::Init(args) => {
            let recipients = cluster::recipients(&args.recipient, args.recipients_file.as_deref())?;
            with_file(&args.file, None, settings, |file| init(file, &recipients, console))
        }
        ClusterCommand::Remove(args) => with_running(&args.running, settings, |file, tunnels| {
            let tell = |text: &str| console.note(text);
            removal::remove(file.cluster(), &file.secrets()?, tunnels, &args.node, args.force, &tell)?;
            if file.cluster().node(&args.node).is_some() {
                console.note("a card with this name joins again; to have it gone for good, take it out of the cluster file");
            }
            Ok(())
        }),
        ClusterCommand::Apply(args) => with_running(&args.running, settings, |file, tunnels| {
            apply::run(file, tunnels, args, settings, console)
        }),
        ClusterCommand::Upgrade(args) => with_running(&args.running, settings, |file, tunnels| {
            upgrade::run(file, tunnels, &args.running.file.cluster, console)
        }),
        ClusterCommand::Backup(args) => {
            with_running(&args.running, settings, |file, tunnels| backup::run(file, tunnels, args, console))
        }
    }
}

/// Reads the cluster file and does something with it.
pub(in crate::commands) fn with_file(
    args: &ClusterFileArgs,
    identity: Option<PathBuf>,
    settings: &Settings,
    work: impl FnOnce(&ClusterFile<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let catalogue = crate::commands::catalogue(settings, args.profiles.as_deref())?;
    let secrets = SecretsPaths { file: args.secrets.clone(), identity };
    work(&ClusterFile::read(&args.cluster, &secrets, &catalogue)?)
}

/// The same for a cluster that runs, and the tunnels that lead there.
pub(in crate::commands) fn with_running(
    args: &RunningClusterArgs,
    settings: &Settings,
    work: impl FnOnce(&ClusterFile<'_>, &Tunnels) -> Result<(), Error>,
) -> Result<(), Error> {
    with_file(&args.file, args.identity.clone(), settings, |file| {
        let tunnels = args.tunnels();
        tunnels.keys().try_for_each(|name| file.require(name))?;
        work(file, &tunnels)
    })
}

fn check(file: &ClusterFile<'_>, args: &ClusterCheckArgs, console: &Console) -> Result<(), Error> {
    let findings = file.findings();
    if args.json {
        crate::commands::print_json(console, &findings.iter().map(FindingEntry::from).collect::<Vec<_>>())?;
    } else {
        let text: String = findings.iter().map(|finding| finding.labelled() + "\n").collect();
        crate::commands::print(console, &text)?;
    }
    match findings.iter().filter(|finding| finding.is_error()).count() {
        0 => Ok(()),
        count => Err(cluster::Error::Found { path: args.file.cluster.clone(), count }.into()),
    }
}

fn init(file: &ClusterFile<'_>, recipients: &[Recipient], console: &Console) -> Result<(), Error> {
    file.notices()?.iter().for_each(|notice| console.note(&notice.labelled()));
    let path = file.make_secrets(recipients)?;
    console.note(if recipients.is_empty() {
        "keep a copy: without this file no node can be added, and who has it owns the cluster"
    } else {
        "keep a copy, and keep the recipients' keys: without this file and one of them no node can be added"
    });
    crate::commands::print(console, &format!("{}\n", path.display()))
}
