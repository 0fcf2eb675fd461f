//! `imgforge kubeconfig`: `kubectl` works with it, and without ever logging in to a node.

use std::{fs, io::Write, path::Path};

use imgforge_disk::{Access, AtomicFile};
use imgforge_kube::kubeconfig::Kubeconfig;

use super::cluster::with_file;
use crate::{
    build::{destination, error::Error},
    cli::KubeconfigArgs,
    host::{console::Console, settings::Settings},
    target::cluster::{self, ClusterFile},
};

/// Runs the command.
pub fn run(args: &KubeconfigArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let output = args.output.clone().unwrap_or_else(|| args.file.cluster.with_extension("kubeconfig"));
    with_file(&args.file, args.identity.clone(), settings, |file| {
        let kubeconfig = administrators(file, &args.file.cluster)?;
        if !args.force && !may_replace(&output, &kubeconfig) {
            return Err(destination::Error::OtherKubeconfig { path: output.clone() }.into());
        }
        write(&kubeconfig, &output)?;
        super::print(console, &format!("{}\n", output.display()))
    })
}

fn administrators(file: &ClusterFile<'_>, path: &Path) -> Result<Kubeconfig, cluster::Error> {
    let no_master = || cluster::Error::NoMaster { path: path.to_owned() };
    let unusable = |source| cluster::Error::Secrets { path: path.to_owned(), source };
    Kubeconfig::admin(file.cluster(), &file.secrets()?).map_err(unusable)?.ok_or_else(no_master)
}

/// Whether there is nothing at `output`, or an earlier kubeconfig of the same cluster and no other.
fn may_replace(output: &Path, kubeconfig: &Kubeconfig) -> bool {
    let clusters = |kubeconfig: &Kubeconfig| -> Vec<String> {
        kubeconfig.clusters.iter().map(|cluster| cluster.name.clone()).collect()
    };
    if output.symlink_metadata().is_err() {
        return true;
    }
    let earlier = fs::read_to_string(output).ok();
    let earlier = earlier.and_then(|text| serde_yaml::from_str::<Kubeconfig>(&text).ok());
    earlier.is_some_and(|earlier| clusters(&earlier) == clusters(kubeconfig))
}

fn write(kubeconfig: &Kubeconfig, output: &Path) -> Result<(), cluster::Error> {
    let failed = |source| cluster::Error::Io { what: "write", path: output.to_owned(), source };
    let text = kubeconfig.to_yaml().map_err(|error| failed(std::io::Error::other(error)))?;
    let unwritten = |error| failed(std::io::Error::other(error));
    let file = AtomicFile::create(output, Access::Private).map_err(unwritten)?;
    file.file().write_all(text.reveal().as_bytes()).map_err(failed)?;
    file.commit().map_err(unwritten)
}
