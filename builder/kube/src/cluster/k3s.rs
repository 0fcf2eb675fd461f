//! What is k3s' own in the cluster file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of k3s.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct K3s {
    /// Parts that k3s brings and that are not wanted. `servicelb` goes by itself where there is an `add-ons.load-balancer`.
    pub disable: Vec<Packaged>,
    /// What keeps the cluster's objects; unset: `sqlite` with one master, `etcd` with several.
    pub datastore: Option<Datastore>,
}

/// A part that k3s brings: `DisableItems` in its `pkg/cli/cmds/const_linux.go` and the docs' `packaged-components`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Packaged {
    /// The cluster's name server.
    Coredns,
    /// Addresses of the nodes for Services of type LoadBalancer.
    Servicelb,
    /// An Ingress controller.
    Traefik,
    /// Volumes in a folder of the node.
    LocalStorage,
    /// What `kubectl top` asks.
    MetricsServer,
}

impl Packaged {
    /// k3s' name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coredns => "coredns",
            Self::Servicelb => "servicelb",
            Self::Traefik => "traefik",
            Self::LocalStorage => "local-storage",
            Self::MetricsServer => "metrics-server",
        }
    }
}

/// What keeps the cluster's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Datastore {
    /// A file on the only master: the least work for a small board and its card.
    Sqlite,
    /// etcd in k3s: what several masters need, and what takes snapshots.
    Etcd,
}
