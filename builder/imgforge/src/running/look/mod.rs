//! A look at a cluster from outside: what its nodes, its API servers and its etcd say, as one document, and what to do next.

mod advice;
mod etcd;
mod node;

use std::{collections::BTreeMap, thread};

use imgforge_kube::{cluster::Cluster, pki::Secrets, version::Version};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::etcd::majority;
pub use self::{
    etcd::{EtcdLook, MemberLook},
    node::{Certificate, Disk, EtcdMember, Membership, NodeLook, StageLook, State},
};
use super::{
    Error,
    etcd::Etcd,
    kubernetes::{Api, Lease, NodeObject},
    places::{Places, Tunnels, places},
};
use crate::host::clock;

/// A cluster as it is. Times are seconds since 1970.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Look {
    /// Name of the cluster.
    pub cluster: String,
    /// The release of Kubernetes that the cluster file wants.
    #[schemars(with = "String")]
    pub kubernetes: Version,
    /// When it was looked.
    pub at: i64,
    /// Whether the API answers and all nodes are as they should be: those of Kubernetes Ready, those of role base up.
    pub ready: bool,
    /// The API servers.
    pub api: ApiLook,
    /// The members of etcd; unset where none answers.
    pub etcd: Option<EtcdLook>,
    /// The nodes, in the cluster file's order.
    pub nodes: Vec<NodeLook>,
    /// Nodes that the cluster has and the file has not.
    pub others: Vec<String>,
    /// What to do next about the cluster as a whole.
    pub next: Vec<String>,
}

/// The API servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ApiLook {
    /// Who answers; unset: nobody.
    pub server: Option<String>,
    /// Why not.
    pub problem: Option<String>,
    /// The API server's own checks that fail.
    pub failing: Vec<String>,
}

/// What is asked, and by whom.
pub(crate) struct Eyes {
    pub places: Places,
    pub api: Api,
    pub etcd: Etcd,
    /// Whether the cluster has an etcd to ask.
    pub has_etcd: bool,
}

impl Eyes {
    /// Finds the nodes, and makes certificates for those who are asked.
    pub fn new(cluster: &Cluster, secrets: &Secrets, tunnels: &Tunnels) -> Result<Self, Error> {
        let places = places(cluster, tunnels);
        let api = Api::new(cluster, secrets, &places, tunnels)?;
        let etcd = Etcd::new(cluster, secrets, &places)?;
        Ok(Self { places, api, etcd, has_etcd: cluster.engine.has_etcd(cluster) })
    }
}

/// What the API says of the nodes.
#[derive(Default)]
struct Known {
    nodes: BTreeMap<String, NodeObject>,
    leases: BTreeMap<String, Lease>,
}

/// Looks at `cluster`. That something does not answer is no error: it is what is seen.
pub(crate) fn look(cluster: &Cluster, secrets: &Secrets, tunnels: &Tunnels) -> Result<Look, Error> {
    let eyes = Eyes::new(cluster, secrets, tunnels)?;
    let (api, known) = ask_api(&eyes.api);
    let answers = api.server.is_some();
    let nodes: Vec<NodeLook> = thread::scope(|scope| {
        let see = |node| {
            let (eyes, known) = (&eyes, &known);
            scope.spawn(move || node::see(node, cluster.version_of(node), eyes, known, answers))
        };
        let looks: Vec<_> = cluster.nodes.iter().map(see).collect();
        looks.into_iter().filter_map(|look| look.join().ok()).collect()
    });
    let etcd = etcd::see(cluster, &eyes.etcd, &nodes);
    let others = known.nodes.keys().filter(|name| cluster.node(name).is_none()).cloned().collect();
    let ready = answers && nodes.len() == cluster.nodes.len() && nodes.iter().all(NodeLook::is_well);
    let at = clock::now().and_then(|now| i64::try_from(now).ok()).unwrap_or_default();
    let mut look = Look {
        cluster: cluster.name.clone(),
        kubernetes: cluster.kubernetes,
        at,
        ready,
        api,
        etcd,
        nodes,
        others,
        next: Vec::new(),
    };
    advice::give(&mut look, cluster.engine);
    Ok(look)
}

fn ask_api(api: &Api) -> (ApiLook, Known) {
    let failing = match api.failing_checks() {
        Ok(failing) => failing,
        Err(error) if error.is_silence() => {
            return (ApiLook { problem: Some(error.to_string()), ..ApiLook::default() }, Known::default());
        }
        // Where /readyz is not for everybody, the rest may be.
        Err(_) => Vec::new(),
    };
    let server = api.server().map(ToString::to_string);
    match api.nodes() {
        Ok(nodes) => {
            let leases = api.leases().unwrap_or_default();
            let known = Known {
                nodes: nodes.into_iter().map(|node| (node.metadata.name.clone(), node)).collect(),
                leases: leases.into_iter().map(|lease| (lease.node().to_owned(), lease)).collect(),
            };
            (ApiLook { server, problem: None, failing }, known)
        }
        Err(error) => (ApiLook { server: None, problem: Some(error.to_string()), failing }, Known::default()),
    }
}
