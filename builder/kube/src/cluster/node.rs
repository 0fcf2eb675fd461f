//! A node in the cluster file. Users, mounts and storage have the shape they have in a `--node` file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use imgforge_spec::{Bind, ExtraFile, Mount, Role, User};

use imgforge_spec::{Firmware, ImagePath, RunOnce, System, Wifi};

use super::{Cidr, Fields, Firewall, Interface, NodeNetwork, Runtime};
use crate::{performance::Performance, version::Version};

/// One board with its card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Node {
    /// Host name, and the node's name in the cluster.
    pub hostname: String,
    /// Board: the name or an alias of a profile.
    pub board: String,
    /// What it does.
    #[serde(default)]
    pub role: Role,
    /// Release of Kubernetes, where a worker has to stay behind the cluster's.
    #[serde(default)]
    pub kubernetes: Option<Version>,
    /// What runs its containers, where that is not what the cluster's other nodes have.
    #[serde(default)]
    pub runtime: Option<Runtime>,
    /// Memory in MiB, where the board has more than the smallest variant that its profile describes.
    #[serde(default)]
    pub memory: Option<u32>,
    /// How fast it is, where the rule from cores, memory and architecture is wrong.
    #[serde(default)]
    pub performance: Option<Performance>,
    /// Labels of the node, for scheduling. Use a domain of your own: `home.example/raid: "true"`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of the node. Unset: Kubernetes' default, which keeps pods off masters; `[]`: none, pods run there too.
    #[serde(default)]
    pub taints: Option<Vec<Taint>>,
    /// People (and machines) who may log in, besides the cluster's.
    #[serde(default)]
    pub users: Vec<User>,
    /// Disks to mount.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Directories that live on another disk: pairs of a path and where it really is. Each becomes a bind mount.
    #[serde(default)]
    pub storage: Vec<Bind>,
    /// Static address with its network's prefix: `192.168.1.10/24`; unset: DHCP.
    #[serde(default)]
    pub address: Option<Cidr>,
    /// A second static address, of the other family, in a cluster with both: `fd00:1::10/64`.
    #[serde(default)]
    pub second_address: Option<Cidr>,
    /// The network card that has the address, by its name or hardware address; unset: the wired one, of which the board
    /// then must have no other.
    #[serde(default)]
    pub interface: Option<Interface>,
    /// The VLAN behind that card in which the address is: 1 to 4094; unset: none, packets have no tag.
    #[serde(default)]
    pub vlan: Option<u16>,
    /// Networks that it stands in besides, with static addresses behind other cards or in VLANs: a network of disks, of sensors.
    #[serde(default)]
    pub networks: Vec<NodeNetwork>,
    /// The wireless network that it joins, where that is not what all nodes do.
    #[serde(default)]
    pub wifi: Option<Wifi>,
    /// Who may speak to it, where that is not as for all nodes.
    #[serde(default)]
    pub firewall: Option<Firewall>,
    /// Its time zone, language, keyboard, authorities, watchdog, upgrades; what it leaves open is as for all nodes.
    #[serde(default)]
    pub system: System,
    /// Scripts that run once, in its first boot, after those of all nodes.
    #[serde(default)]
    pub run_once: Vec<RunOnce>,
    /// Whether swap stays as the vendor made it. Pods do not use it; where there are any, needs Kubernetes 1.30.
    #[serde(default)]
    pub swap: bool,
    /// Whether it tells everybody on its network how far its first boot is, where that is not what the cluster's other nodes do.
    #[serde(default)]
    pub status: Option<bool>,
    /// Words added to the kernel's command line.
    #[serde(default)]
    pub kernel_arguments: Vec<String>,
    /// What the board's firmware or boot loader is told.
    #[serde(default)]
    pub firmware: Firmware,
    /// Debian packages to put in besides those of the role and of all nodes.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Files to put in, besides those of all nodes.
    #[serde(default)]
    pub files: Vec<ExtraFile>,
    /// Fields of its kubelet's configuration, besides the cluster's; Kubernetes 1.25 and newer.
    #[serde(default)]
    pub kubelet: Fields,
    /// Rules of `imgforge cluster check` that are overruled for this node, by their names. It is still said.
    #[serde(default)]
    pub allow: Vec<String>,
}

impl Node {
    /// Its static addresses, that of the cluster's first family before the other.
    pub fn addresses(&self) -> impl Iterator<Item = Cidr> {
        self.address.into_iter().chain(self.second_address)
    }

    /// The same, with those in its other networks.
    pub fn all_addresses(&self) -> impl Iterator<Item = Cidr> {
        self.addresses().chain(self.networks.iter().flat_map(|network| network.addresses.iter().copied()))
    }

    /// Whether any pod may run there: a master does not let it unless its taints are given.
    pub fn is_schedulable(&self) -> bool {
        let lets = |taint: &Taint| taint.effect == TaintEffect::PreferNoSchedule;
        match (&self.taints, self.role) {
            (Some(taints), Role::Master | Role::Worker) => taints.iter().all(lets),
            (None, Role::Worker) => true,
            (None, Role::Master) | (_, Role::Base) => false,
        }
    }

    /// Whether what is written below `path` lands on a disk of its own rather than on the card.
    pub fn has_disk_for(&self, path: &str) -> bool {
        let Ok(path) = ImagePath::new(path) else { return false };
        self.storage.iter().any(|bind| path.is_below(&bind.path))
            || self.mounts.iter().any(|mount| path.is_below(&mount.target))
    }
}

/// Keeps pods off a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Taint {
    /// Name, with a domain: `home.example/slow`.
    pub key: String,
    /// Value; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What it does to pods that do not tolerate it.
    pub effect: TaintEffect,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TaintEffect {
    /// No new pods.
    NoSchedule,
    /// New pods only when there is no better place.
    PreferNoSchedule,
    /// No new pods, and running ones go.
    NoExecute,
}
