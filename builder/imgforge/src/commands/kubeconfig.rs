//! `imgforge kubeconfig`: `kubectl` works with it, and without ever logging in to a node.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use imgforge_disk::{Access, AtomicFile};
use imgforge_kube::{
    kubeconfig::{Kubeconfig, merge},
    pki::Secret,
};

use super::cluster::with_file;
use crate::{
    build::{destination, error::Error},
    cli::KubeconfigArgs,
    host::{console::Console, settings::Settings},
    target::cluster::{self, ClusterFile},
};

/// Runs the command.
pub fn run(args: &KubeconfigArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    if args.merge {
        return run_merge(args, settings, console);
    }
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

fn run_merge(args: &KubeconfigArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let home = || etcetera::home_dir().ok().map(|home| home.join(".kube/config"));
    let output = args.output.clone().or_else(home).ok_or(Error::NoHome)?;
    with_file(&args.file, args.identity.clone(), settings, |file| {
        let kubeconfig = administrators(file, &args.file.cluster)?.named_by_cluster();
        merge_into(&output, &kubeconfig, args.force)?;
        console.note(&format!("`kubectl --context {}` talks with the cluster", kubeconfig.current_context));
        super::print(console, &format!("{}\n", output.display()))
    })
}

/// Puts `kubeconfig` among what is in `output`, which others may be changing: kubectl's lock keeps them apart.
fn merge_into(output: &Path, kubeconfig: &Kubeconfig, force: bool) -> Result<(), Error> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| Error::from(cluster::Error::Io { what, path, source })
    };
    if let Some(folder) = output.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make", folder))?;
    }
    // A link stays one: people keep such files elsewhere.
    let output = match fs::canonicalize(output) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => output.to_owned(),
        path => path.map_err(failed("read", output))?,
    };
    let _lock = Lock::new(&output)?;
    let there = match fs::read_to_string(&output) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.map_err(failed("read", &output))?,
    };
    let merged = merge(&there, kubeconfig, force)
        .map_err(|source| destination::Error::Merge { path: output.clone(), source })?;
    Ok(write_text(&merged, &output)?)
}

/// `config.lock` beside `config`, as kubectl makes it before it changes that.
struct Lock(PathBuf);

impl Lock {
    fn new(path: &Path) -> Result<Self, Error> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(_) => Ok(Self(lock)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(destination::Error::Locked { path: path.to_owned(), lock }.into())
            }
            Err(source) => Err(cluster::Error::Io { what: "make", path: lock, source }.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If it stays, the next who wants to change the file says so.
        let _ = fs::remove_file(&self.0);
    }
}

fn write(kubeconfig: &Kubeconfig, output: &Path) -> Result<(), cluster::Error> {
    let failed = |source| cluster::Error::Io { what: "write", path: output.to_owned(), source };
    write_text(&kubeconfig.to_yaml().map_err(|error| failed(io::Error::other(error)))?, output)
}

fn write_text(text: &Secret, output: &Path) -> Result<(), cluster::Error> {
    let failed = |source| cluster::Error::Io { what: "write", path: output.to_owned(), source };
    let unwritten = |error| failed(io::Error::other(error));
    let file = AtomicFile::create(output, Access::Private).map_err(unwritten)?;
    file.file().write_all(text.reveal().as_bytes()).map_err(failed)?;
    file.commit().map_err(unwritten)
}
