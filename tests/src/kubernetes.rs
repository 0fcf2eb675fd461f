//! A Kubernetes that can be had everywhere: release 1.20, built from Debian's sources.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

use crate::{SignedRepository, repository};

/// A repository with its packages for nodes, and with `node-images` and `control-plane-images`, which hold the container
/// images.
pub fn kubernetes_packages() -> SignedRepository {
    let folder = made().join("packages").read_dir().expect("the packages");
    let mut packages: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    packages.sort();
    let mut repository = SignedRepository::new();
    packages.iter().for_each(|package| repository.add_file(package));
    repository
}

/// One of its programs for this machine: `kubeadm` or `kubectl`.
pub fn kubernetes_program(name: &str) -> Command {
    Command::new(made().join("programs/host").join(name))
}

/// Where it lies; made first when it is missing or its recipe has changed.
fn made() -> PathBuf {
    static MADE: Once = Once::new();
    MADE.call_once(|| {
        let status = Command::new(repository().join("scripts/make-kubernetes"))
            .status()
            .expect("scripts/make-kubernetes can be run");
        assert!(status.success(), "scripts/make-kubernetes: {status}");
    });
    repository().join("out/kubernetes")
}
