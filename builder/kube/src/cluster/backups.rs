//! Snapshots of etcd that masters take by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cluster, Node, Role};
use crate::kubeadm::GoDuration;

/// etcd's data on a master.
pub const ETCD: &str = "/var/lib/etcd";

/// Snapshots of etcd, on each master beside etcd's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Backups {
    /// How many are kept: the oldest goes when one more is whole. 0: none are taken.
    pub keep: u16,
    /// How old the last one is when the next is taken. A duration as Go writes it: `24h`.
    #[schemars(with = "String")]
    pub every: GoDuration,
}

impl Default for Backups {
    fn default() -> Self {
        Self { keep: 7, every: GoDuration(24 * 3600) }
    }
}

impl Cluster {
    /// The snapshots that `node` takes: where the file does not say, those of masters whose etcd has a disk. A card dies with its
    /// snapshots, and of writing to it.
    pub fn backups_of(&self, node: &Node) -> Option<Backups> {
        let by_default = || node.has_disk_for(self.engine.data()).then(Backups::default);
        let backups = self.backups.or_else(by_default).filter(|backups| backups.keep > 0);
        backups.filter(|_| node.role == Role::Master && self.engine.has_etcd(self))
    }
}
