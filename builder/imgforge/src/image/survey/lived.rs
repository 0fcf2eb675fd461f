//! What only a node that has run leaves behind.

use super::look::Look;
use crate::image::read::Error;

/// Stamps of stages that are done: they are not done again.
const STAMPS: &str = "/var/lib/imgforge/stages";

/// What a node becomes when it is made a member of a cluster.
const TRACES: [&str; 6] = [
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/admin.conf",
    "/var/lib/kubelet/pki",
    "/var/lib/etcd/member",
    "/var/lib/rancher/k3s/server/db",
    "/var/lib/rancher/k3s/agent/client-kubelet.crt",
];

/// The paths of such things, those that are there.
pub(super) fn traces(root: Look<'_>) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> =
        root.names(STAMPS)?.into_iter().map(|name| format!("{STAMPS}/{name}")).collect();
    for path in TRACES {
        if root.has(path)? {
            found.push(path.to_owned());
        }
    }
    Ok(found)
}
