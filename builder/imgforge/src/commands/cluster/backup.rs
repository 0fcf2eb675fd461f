//! `imgforge cluster backup`: a snapshot of etcd.

use std::path::PathBuf;

use imgforge_disk::{Access, AtomicFile};

use crate::{
    build::{destination, error::Error},
    cli::ClusterBackupArgs,
    host::{clock, console::Console},
    running::{etcd::Etcd, look::Eyes, places::Tunnels, removal::Refusal, snapshot},
    target::cluster::{self, ClusterFile},
};

/// Runs the command.
pub(super) fn run(
    file: &ClusterFile<'_>,
    tunnels: &Tunnels,
    args: &ClusterBackupArgs,
    console: &Console,
) -> Result<(), Error> {
    let of_file = file.cluster();
    if !of_file.engine.has_etcd(of_file) {
        return Err(cluster::Error::NoSnapshots { cluster: of_file.name.clone() }.into());
    }
    let output = args.output.clone().unwrap_or_else(|| default(args));
    if !args.force && output.symlink_metadata().is_ok() {
        return Err(destination::Error::Exists { path: output }.into());
    }
    let eyes = Eyes::new(file.cluster(), &file.secrets()?, tunnels)?;
    let mut problems = Vec::new();
    // Who has no leader may have fallen behind.
    let server = file.cluster().masters().map(|master| Etcd::on(&master.hostname)).find(|server| {
        match eyes.etcd.status(server) {
            Ok(status) if status.leader != 0 => return true,
            Ok(_) => problems.push(format!("{server} has no leader")),
            Err(error) => problems.push(error.to_string()),
        }
        false
    });
    let server = server.ok_or(crate::running::Error::from(Refusal::NoEtcd { problems }))?;
    let failed = |error| cluster::Error::Io {
        what: "write",
        path: output.clone(),
        source: std::io::Error::other(error),
    };
    let unfinished = AtomicFile::create(&output, Access::Private).map_err(failed)?;
    let progress = console.progress(&format!("fetching a snapshot from {server}"), None);
    let snapshot =
        snapshot::fetch(&eyes.etcd, &server, &mut unfinished.file(), &|at, total| progress.set(at, total))?;
    drop(progress);
    unfinished.commit().map_err(failed)?;
    console.note(&format!("{} KiB, sha256 {}: as etcd has it", snapshot.size >> 10, snapshot.sha256));
    console.note("it holds all Secrets of the cluster in plain: keep it as you keep the secrets file");
    crate::commands::print(console, &format!("{}\n", output.display()))
}

/// `home.20260921T143000Z.snapshot` beside `home.yaml`.
fn default(args: &ClusterBackupArgs) -> PathBuf {
    let now = clock::now().and_then(|now| i64::try_from(now).ok()).unwrap_or_default();
    let time: String = clock::utc(now).chars().filter(|c| !matches!(c, '-' | ':')).collect();
    args.running.file.cluster.with_extension(format!("{time}.snapshot"))
}
