//! The API of Kubernetes, as far as it is asked here: <https://kubernetes.io/docs/reference/kubernetes-api/>.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use imgforge_kube::{
    cluster::{Cluster, Endpoint},
    pki::Secrets,
};
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Error,
    connection::{Answer, Connection, Request, Server},
    places::{Places, Tunnels},
};

/// A node's object has some 20 KiB, most of it names of images.
const MOST_NODES: u64 = 64 << 20;
const MOST_SMALL: u64 = 8 << 20;

/// Where each node's kubelet says that it lives.
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

/// The API servers of a cluster.
#[derive(Debug)]
pub(crate) struct Api {
    connection: Connection,
    /// The endpoint, then each master.
    servers: Vec<Server>,
    /// Who answered last.
    chosen: AtomicUsize,
}

/// A node as the cluster has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeObject {
    /// Its name.
    pub metadata: Metadata,
    /// What it is to be.
    pub spec: Spec,
    /// What it is.
    pub status: Status,
}

/// What all objects have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    /// The name.
    pub name: String,
    /// What it is grouped by.
    pub labels: BTreeMap<String, String>,
    /// What is noted at it.
    pub annotations: BTreeMap<String, String>,
    /// Another after each change.
    pub resource_version: String,
}

/// What a node is to be.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    /// Whether new pods are kept off.
    pub unschedulable: bool,
    /// What keeps pods off that do not tolerate it, with times where there are any.
    pub taints: Vec<Value>,
}

/// What a node is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    /// `Ready`, `DiskPressure`, ….
    pub conditions: Vec<Condition>,
    /// Releases of what runs there.
    pub node_info: NodeInfo,
}

/// One thing that is or is not so.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Condition {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// Since when, as RFC 3339 writes it.
    pub last_transition_time: Option<String>,
    /// Why, for people.
    pub message: String,
}

/// Releases of what runs on a node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeInfo {
    /// The kubelet's: `v1.36.4`.
    pub kubelet_version: String,
}

impl NodeObject {
    /// The condition of this name.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Whether the cluster takes it for well.
    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|condition| condition.status == "True")
    }

    /// Whether kubeadm made it a master: the label before 1.20, and since.
    pub fn is_master(&self) -> bool {
        let has = |role: &str| self.metadata.labels.contains_key(&format!("node-role.kubernetes.io/{role}"));
        has("control-plane") || has("master")
    }
}

/// A kind of objects, and how the API has it in its paths.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Kind {
    /// In paths: `configmaps`.
    pub name: String,
    /// In objects: `ConfigMap`.
    pub kind: String,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
}

#[derive(Deserialize)]
struct Kinds {
    resources: Vec<Kind>,
}

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

/// A kubelet's sign of life.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Lease {
    metadata: Metadata,
    spec: LeaseSpec,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseSpec {
    renew_time: Option<String>,
}

impl Lease {
    /// Whose it is.
    pub fn node(&self) -> &str {
        &self.metadata.name
    }

    /// When it was heard last, as RFC 3339 writes it.
    pub fn renewed(&self) -> Option<&str> {
        self.spec.renew_time.as_deref()
    }
}

/// The file system of a kubelet, as it says itself.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileSystem {
    /// Its size in bytes.
    pub capacity_bytes: u64,
    /// What is left.
    pub available_bytes: u64,
}

#[derive(Deserialize)]
struct Summary {
    node: SummaryNode,
}

#[derive(Deserialize)]
struct SummaryNode {
    fs: FileSystem,
}

impl Api {
    /// The API servers of `cluster`, as its administrator. Where tunnels lead to masters no other way is tried.
    pub fn new(
        cluster: &Cluster,
        secrets: &Secrets,
        places: &Places,
        tunnels: &Tunnels,
    ) -> Result<Self, Error> {
        let endpoint = cluster.control_plane_endpoint().ok_or(Error::NoMaster)?;
        let connection = Connection::new(&secrets.ca.certificate, &secrets.admin_of(cluster)?, places)?;
        let masters = || cluster.masters().map(|master| master.hostname.as_str());
        let mut servers: Vec<Server> =
            masters().filter(|name| tunnels.contains_key(*name)).map(Self::on).collect();
        if servers.is_empty() {
            servers.push(Server::new(endpoint.host, endpoint.port));
            // The endpoint of a single master with a static address is that master.
            if cluster.endpoint.is_some() || masters().nth(1).is_some() {
                servers.extend(masters().map(Self::on));
            }
            servers.dedup();
        }
        Ok(Self { connection, servers, chosen: AtomicUsize::new(0) })
    }

    /// The server on one master.
    pub fn on(hostname: &str) -> Server {
        Server::new(hostname, Endpoint::PORT)
    }

    /// Who answered last.
    pub fn server(&self) -> Option<&Server> {
        self.servers.get(self.chosen.load(Ordering::Relaxed))
    }

    /// The answer of the first server that gives one.
    fn ask(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let chosen = self.chosen.load(Ordering::Relaxed);
        let others = (0..self.servers.len()).filter(|index| *index != chosen);
        let mut problems = Vec::new();
        for (index, server) in
            std::iter::once(chosen).chain(others).filter_map(|i| Some((i, self.servers.get(i)?)))
        {
            match self.connection.ask(server, request) {
                Err(error) if error.is_silence() => problems.push(error),
                outcome => {
                    self.chosen.store(index, Ordering::Relaxed);
                    return outcome;
                }
            }
        }
        match problems.pop() {
            Some(only) if problems.is_empty() => Err(only),
            last => {
                let problems = problems.into_iter().chain(last).map(|error| error.to_string());
                Err(Error::NobodyAnswers { problems: problems.collect() })
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, path: &str, most: u64) -> Result<T, Error> {
        let request = Request::get(path, most);
        self.ask(&request).and_then(|answer| self.parse(&request, &answer))
    }

    fn parse<T: DeserializeOwned>(&self, request: &Request<'_>, answer: &Answer) -> Result<T, Error> {
        serde_json::from_slice(&answer.bytes).map_err(|error| Error::Answer {
            server: self.server().map(ToString::to_string).unwrap_or_default(),
            request: request.to_string(),
            problem: error.to_string(),
        })
    }

    /// What is not well with the control plane, by the API server's own checks; nothing if all is.
    pub fn failing_checks(&self) -> Result<Vec<String>, Error> {
        Self::failing(self.ask(&Request::get("/readyz", MOST_SMALL)))
    }

    /// The same of the server on one master alone, and when its certificate ends.
    pub fn failing_checks_on(&self, hostname: &str) -> Result<(Vec<String>, Option<i64>), Error> {
        let answer = self.connection.ask(&Self::on(hostname), &Request::get("/readyz", MOST_SMALL));
        let end = answer.as_ref().ok().and_then(|answer| answer.certificate_end);
        Ok((Self::failing(answer)?, end))
    }

    /// `[-]etcd failed: reason withheld` in an answer that says no.
    fn failing(answer: Result<Answer, Error>) -> Result<Vec<String>, Error> {
        match answer {
            Ok(_) => Ok(Vec::new()),
            Err(Error::Refused { status: 500, message, .. }) => {
                let name = |line: &str| Some(line.strip_prefix("[-]")?.split(' ').next()?.to_owned());
                let names: Vec<String> = message.lines().filter_map(name).collect();
                Ok(if names.is_empty() { vec!["readyz".into()] } else { names })
            }
            Err(error) => Err(error),
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> Result<Vec<NodeObject>, Error> {
        self.read("/api/v1/nodes", MOST_NODES).map(|list: List<NodeObject>| list.items)
    }

    /// The node of this name, if there is one.
    pub fn node(&self, name: &str) -> Result<Option<NodeObject>, Error> {
        let path = node_path(name);
        match self.read::<NodeObject>(&path, MOST_SMALL) {
            Err(error) if error.is_absence() => Ok(None),
            Ok(node) if node.metadata.name != name => Err(Error::Answer {
                server: self.server().map(ToString::to_string).unwrap_or_default(),
                request: format!("GET {path}"),
                problem: format!("it is about `{}`", node.metadata.name),
            }),
            node => node.map(Some),
        }
    }

    /// When each kubelet was heard last.
    pub fn leases(&self) -> Result<Vec<Lease>, Error> {
        self.read(LEASES, MOST_SMALL).map(|list: List<Lease>| list.items)
    }

    /// The file system that the kubelet of a node has its things on; the API server asks the kubelet.
    pub fn file_system(&self, name: &str) -> Result<FileSystem, Error> {
        self.read(&format!("{}/proxy/stats/summary", node_path(name)), MOST_SMALL)
            .map(|summary: Summary| summary.node.fs)
    }

    /// Keeps new pods off a node.
    pub fn cordon(&self, name: &str) -> Result<(), Error> {
        let patch = r#"{"spec":{"unschedulable":true}}"#.to_owned();
        self.patch(&node_path(name), "application/strategic-merge-patch+json", patch).map(drop)
    }

    /// Changes a node by a merge patch (RFC 7386).
    pub fn merge_into_node(&self, name: &str, patch: &Value) -> Result<(), Error> {
        self.patch(&node_path(name), "application/merge-patch+json", patch.to_string()).map(drop)
    }

    /// The object at `path`, if there is one.
    pub fn object(&self, path: &str) -> Result<Option<Value>, Error> {
        match self.read(path, MOST_SMALL) {
            Err(error) if error.is_absence() => Ok(None),
            object => object.map(Some),
        }
    }

    /// Applies the object `text`, YAML, on the server's side; returns what it is then.
    pub fn apply(&self, path: &str, text: &str) -> Result<Value, Error> {
        self.patch(path, "application/apply-patch+yaml", text.to_owned())
    }

    /// The kinds of objects that the API `version` has: `v1`, `apps/v1`.
    pub fn kinds(&self, version: &str) -> Result<Vec<Kind>, Error> {
        let list = self.read(&version_path(version), MOST_SMALL);
        list.map(|list: Kinds| list.resources.into_iter().filter(|kind| !kind.name.contains('/')).collect())
    }

    fn patch(&self, path: &str, kind: &'static str, patch: String) -> Result<Value, Error> {
        let body = Some((kind, patch.into_bytes()));
        let request = Request { method: Method::PATCH, path, body, most: MOST_SMALL, headers: Vec::new() };
        self.ask(&request).and_then(|answer| self.parse(&request, &answer))
    }

    /// Takes a node out of the cluster; one that is gone already is well.
    pub fn delete_node(&self, name: &str) -> Result<(), Error> {
        let request = Request {
            method: Method::DELETE,
            path: &node_path(name),
            body: None,
            most: MOST_SMALL,
            headers: Vec::new(),
        };
        match self.ask(&request) {
            Err(error) if error.is_absence() => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

/// Where the API `version` lies. That of the first objects has no name.
pub(super) fn version_path(version: &str) -> String {
    if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") }
}

/// Names are host names, which need no escaping: other than in a URL's path they are refused before.
fn node_path(name: &str) -> String {
    format!("/api/v1/nodes/{name}")
}
