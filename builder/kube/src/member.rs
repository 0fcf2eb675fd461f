//! A node together with its cluster and its board: everything the files on its card are made from.

use crate::{
    board::BoardFacts,
    cluster::{Cluster, Endpoint, Node, Role, Runtime},
    performance::{EtcdTiming, Patience, Performance},
    version::{Limits, Overruled, Version},
};

/// A node of a cluster, on its board.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The node.
    pub node: &'a Node,
    /// Its board, with the node's own amount of memory.
    pub board: BoardFacts,
    /// Where the control plane is reached.
    pub endpoint: Endpoint,
    /// The image of every pod's first container.
    pub pause_image: String,
    /// How fast the node is.
    pub performance: Performance,
    /// How fast the slowest master is.
    pub slowest_master: Performance,
    /// How fast the slowest node of the cluster is.
    pub slowest_node: Performance,
    /// The timing of all etcd members.
    pub etcd: EtcdTiming,
}

/// Why a node's files cannot be made. [`crate::check`] finds all of it earlier, with a way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The cluster file has no such node.
    #[error("the cluster {cluster} has no node `{hostname}`; add it to the cluster file")]
    UnknownNode {
        /// The cluster's name.
        cluster: String,
        /// The name asked for.
        hostname: String,
    },
    /// A node's board is not known.
    #[error("no board is called `{board}` (node {hostname})")]
    UnknownBoard {
        /// The board's name in the file.
        board: String,
        /// The node.
        hostname: String,
    },
    /// There is no control plane to join.
    #[error("the cluster {cluster} has no master; give a node `role: master`")]
    NoMaster {
        /// The cluster's name.
        cluster: String,
    },
    /// The release is not in the table.
    #[error("{hostname}: imgforge does not know Kubernetes {version}")]
    UnknownVersion {
        /// The node.
        hostname: String,
        /// The release.
        version: Version,
    },
}

impl<'a> Member<'a> {
    /// The node called `hostname`. `boards` gives the facts of a board by its name or an alias.
    pub fn new(
        cluster: &'a Cluster,
        hostname: &str,
        boards: &dyn Fn(&str) -> Option<BoardFacts>,
    ) -> Result<Self, Error> {
        let node = cluster.node(hostname).ok_or_else(|| Error::UnknownNode {
            cluster: cluster.name.clone(),
            hostname: hostname.to_owned(),
        })?;
        let no_master = || Error::NoMaster { cluster: cluster.name.clone() };
        let endpoint = cluster.control_plane_endpoint().ok_or_else(no_master)?;
        let version = cluster.version_of(node);
        let unknown_version = || Error::UnknownVersion { hostname: hostname.to_owned(), version };
        let pause_image = version.pause_image().ok_or_else(unknown_version)?;
        let board = board_of(node, boards)?;
        let speeds =
            cluster.nodes.iter().map(|node| Ok((node.role, Performance::of(node, &board_of(node, boards)?))));
        let speeds = speeds.collect::<Result<Vec<_>, Error>>()?;
        let slowest = |among: &dyn Fn(Role) -> bool| {
            speeds.iter().filter(|(role, _)| among(*role)).map(|(_, speed)| *speed).max()
        };
        Ok(Self {
            cluster,
            node,
            board,
            endpoint,
            pause_image,
            performance: Performance::of(node, &board),
            slowest_master: slowest(&|role| role == Role::Master).ok_or_else(no_master)?,
            slowest_node: slowest(&|role| role != Role::Base).ok_or_else(no_master)?,
            etcd: EtcdTiming::of(cluster, boards),
        })
    }

    /// Release of Kubernetes on the node.
    pub fn version(&self) -> Version {
        self.cluster.version_of(self.node)
    }

    /// What runs the node's containers.
    pub fn runtime(&self) -> Runtime {
        self.cluster.runtime_of(self.node)
    }

    /// What the board cannot do, or does although kubeadm would object.
    pub fn limits(&self) -> Limits {
        self.cluster.engine.limits(&self.board, self.node.role, self.version())
    }

    /// Objections of kubeadm that are overruled on this node, to be said aloud wherever it is shown.
    pub fn overruled(&self) -> Vec<Overruled> {
        let mut overruled = self.limits().overruled;
        let has_static_pod = self.is_master() && self.endpoint.is_virtual;
        if has_static_pod && self.has_other_masters() && self.version().joins_without_static_pods_only() {
            overruled.push(Overruled {
                check: "DirAvailable--etc-kubernetes-manifests",
                reason: "kubeadm before 1.23 wants no static pod where it joins, and kube-vip is one: the check is ignored"
                    .into(),
            });
        }
        overruled
    }

    /// Whether the node makes the cluster.
    pub fn is_first_master(&self) -> bool {
        self.cluster.first_master().is_some_and(|first| first.hostname == self.node.hostname)
    }

    /// Whether the node is a master of several. Even the first joins the others where its data is lost and theirs is not.
    pub fn has_other_masters(&self) -> bool {
        self.is_master() && self.cluster.masters().count() > 1
    }

    /// Whether the node runs the control plane.
    pub fn is_master(&self) -> bool {
        self.node.role == Role::Master
    }

    /// How long things may take in which both this node and a master have a part.
    pub fn patience(&self) -> &'static Patience {
        self.performance.max(self.slowest_master).patience()
    }
}

fn board_of(node: &Node, boards: &dyn Fn(&str) -> Option<BoardFacts>) -> Result<BoardFacts, Error> {
    let board = boards(&node.board)
        .ok_or_else(|| Error::UnknownBoard { board: node.board.clone(), hostname: node.hostname.clone() })?;
    Ok(BoardFacts { memory: node.memory.unwrap_or(board.memory), ..board })
}
