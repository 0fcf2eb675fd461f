//! `imgforge kubeconfig`: `kubectl` works with it, and without ever logging in to a node.

use std::{io::Write, path::Path};

use imgforge_disk::{Access, AtomicFile};
use imgforge_kube::kubeconfig::Kubeconfig;

use super::cluster::with_file;
use crate::{
    build::error::Error,
    cli::KubeconfigArgs,
    host::{console::Console, settings::Settings},
    target::cluster::{self, ClusterFile},
};

/// Runs the command.
pub fn run(args: &KubeconfigArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let output = args.output.clone().unwrap_or_else(|| args.file.cluster.with_extension("kubeconfig"));
    with_file(&args.file, args.identity.clone(), settings, |file| {
        write(file, &args.file.cluster, &output)?;
        super::print(console, &format!("{}\n", output.display()))
    })
}

fn write(file: &ClusterFile<'_>, cluster_path: &Path, output: &Path) -> Result<(), cluster::Error> {
    let no_master = || cluster::Error::NoMaster { path: cluster_path.to_owned() };
    let unusable = |source| cluster::Error::Secrets { path: cluster_path.to_owned(), source };
    let kubeconfig = Kubeconfig::admin(file.cluster(), &file.secrets()?).map_err(unusable)?;
    let kubeconfig = kubeconfig.ok_or_else(no_master)?;
    let failed = |source| cluster::Error::Io { what: "write", path: output.to_owned(), source };
    let text = kubeconfig.to_yaml().map_err(|error| failed(std::io::Error::other(error)))?;
    let unwritten = |error| failed(std::io::Error::other(error));
    let file = AtomicFile::create(output, Access::Private).map_err(unwritten)?;
    file.file().write_all(text.reveal().as_bytes()).map_err(failed)?;
    file.commit().map_err(unwritten)
}
