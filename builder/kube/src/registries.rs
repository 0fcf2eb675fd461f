//! Where containerd gets the images of a registry: a mirror, or a registry of the network's own.
//! <https://github.com/containerd/containerd/blob/main/docs/hosts.md>

use std::fmt::Write;

use crate::cluster::{Cluster, Registry};

/// The folder whose folders are called as registries; containerd's configuration names it.
pub const FOLDER: &str = "/etc/containerd/certs.d";

/// The files of all registries of `cluster`: paths and contents.
pub fn files(cluster: &Cluster) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (host, registry) in &cluster.registries {
        let folder = format!("{FOLDER}/{host}");
        let ca = registry.ca.as_ref().map(|_| format!("{folder}/ca.crt"));
        files.push((format!("{folder}/hosts.toml"), hosts(registry, ca.as_deref())));
        files.extend(ca.zip(registry.ca.clone()));
    }
    files
}

/// Without a mirror that answers, the registry itself is asked.
fn hosts(registry: &Registry, ca: Option<&str>) -> String {
    let mut text = "# Made by imgforge from the cluster file.\n".to_owned();
    let ca = ca.map(|path| format!("ca = \"{path}\"\n")).unwrap_or_default();
    text += &ca;
    for mirror in &registry.mirrors {
        // containerd puts the version of the protocol behind an address that does not have it.
        let whole = if has_version(mirror) { "override_path = true\n" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "\n[host.\"{mirror}\"]\ncapabilities = [\"pull\", \"resolve\"]\n{whole}{ca}");
    }
    text
}

/// Whether the path of the address names the protocol's version itself, as `https://harbor.example/v2/proxy` does.
pub(crate) fn has_version(mirror: &str) -> bool {
    mirror.splitn(4, '/').nth(3).is_some_and(|path| path.split('/').any(|part| part == "v2"))
}
