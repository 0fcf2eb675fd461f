//! k3s: server and agent. Every flag, path and file is named with its place in k3s' own source in `docs/k3s.md`.

mod config;
mod files;
mod limits;
mod registries;
mod token;

pub(crate) use config::schedule;
pub use config::{Config, config};
pub(super) use files::files;
pub(super) use limits::{limits, runs_on};
pub use token::{Tokens, ca_hash, node_password};

use crate::{
    cluster::{Cluster, Datastore},
    images::{Images, coredns, names},
    member::Member,
};

/// k3s' folder for all that changes: `--data-dir`.
pub const DATA: &str = "/var/lib/rancher/k3s";

/// The group above all rules; k3s makes no other for its administrator (`genClientCerts` in pkg/daemons/control/deps).
pub(super) const ADMIN_GROUP: &str = "system:masters";

/// Whether etcd keeps the objects of `cluster`.
pub(super) fn has_etcd(cluster: &Cluster) -> bool {
    let by_default = || if cluster.masters().count() > 1 { Datastore::Etcd } else { Datastore::Sqlite };
    cluster.k3s.datastore.unwrap_or_else(by_default) == Datastore::Etcd
}

/// The node that a member of etcd belongs to: k3s puts `-` and eight digits of its own behind the name (`setName`).
pub(super) fn node_of_member(name: &str) -> &str {
    let is_own = |digits: &str| digits.len() == 8 && digits.bytes().all(|c| c.is_ascii_hexdigit());
    name.rsplit_once('-').filter(|(_, digits)| is_own(digits)).map_or(name, |(node, _)| node)
}

/// The images of k3s itself come as one archive, with its release; CoreDNS is here for the home network's name server alone.
pub(super) fn images(member: &Member<'_>) -> Images {
    let cluster = member.cluster;
    let mut images = Images::default();
    if cluster.add_ons.lan_dns.is_some() {
        let reference = cluster.coredns_tag().map(|tag| coredns(cluster.kubernetes, tag));
        images.add("images.coredns", reference);
    }
    if member.is_master() && member.endpoint.is_virtual {
        images.references.push(names().kube_vip.clone());
    }
    images
}
