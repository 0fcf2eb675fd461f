//! A Kubernetes that can be had everywhere: release 1.20, built from Debian's sources.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

use crate::{ContainerImage, Registry, SignedRepository, repository};

/// Where kubeadm 1.20 has its images from.
pub const KUBERNETES_REGISTRY: &str = "k8s.gcr.io";

/// A repository with its packages for nodes.
pub fn kubernetes_packages() -> SignedRepository {
    let mut repository = SignedRepository::new();
    files("packages").iter().for_each(|package| repository.add_file(package));
    repository
}

/// Stands for [`KUBERNETES_REGISTRY`], with the container images that kubeadm asks for.
pub fn kubernetes_images() -> Registry {
    let registry = Registry::start();
    for archive in files("images") {
        let (image, reference) = ContainerImage::from_archive(&archive);
        let name = reference.strip_prefix(KUBERNETES_REGISTRY).expect("an image of Kubernetes");
        let (repository, tag) = name.trim_start_matches('/').split_once(':').expect("a tag");
        registry.push_image(repository, tag, &image);
    }
    registry
}

/// The files in `folder` of it.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = made().join(folder).read_dir().expect("scripts/make-kubernetes leaves it");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// One of its programs for this machine: `kubeadm` or `kubectl`.
pub fn kubernetes_program(name: &str) -> Command {
    Command::new(made().join("programs/host").join(name))
}

/// A program of the Kubernetes that `scripts/make-kubernetes native` leaves, which nobody but `make lifetime` asks it for; nothing
/// where that has not been run.
pub fn native_kubernetes(name: &str) -> Option<PathBuf> {
    let program = repository().join("out/kubernetes/native/bin").join(name);
    program.exists().then_some(program)
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
