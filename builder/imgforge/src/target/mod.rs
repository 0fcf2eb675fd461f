//! What is wanted: one image for a board and a role, or those of a cluster's nodes, each with everything it names resolved.

mod beside;
pub mod cluster;
mod located;
pub mod node;

use std::{path::PathBuf, sync::Arc};

use imgforge_spec::{Diagnose, Hostname, Role};

pub(crate) use self::located::Shared;
pub use self::located::{Located, Source};
use self::{
    cluster::{ClusterFile, Membership},
    node::Node,
};
use crate::{
    catalogue::{self, Board, Catalogue},
    host::console::Console,
    supply::lock::SetName,
};

/// What is asked for, in the words of whoever asks.
#[derive(Debug, Clone)]
pub enum Asked {
    /// One image.
    Alone(Alone),
    /// The nodes of a cluster.
    Cluster {
        /// The cluster file.
        file: PathBuf,
        /// Where its secrets are, and what opens them.
        secrets: SecretsPaths,
        /// Only the nodes of these names; all where there are none.
        nodes: Vec<String>,
        /// The snapshot of etcd from which the first master starts.
        restore: Option<PathBuf>,
    },
}

impl Asked {
    /// The same, of a cluster, with a first master that starts from `snapshot`.
    pub(crate) fn restoring(mut self, snapshot: Option<&PathBuf>) -> Self {
        if let Asked::Cluster { restore, .. } = &mut self {
            *restore = snapshot.cloned();
        }
        self
    }
}

/// One image, as it is asked for.
#[derive(Debug, Clone)]
pub struct Alone {
    /// The board, by its name or an alias.
    pub board: String,
    /// What the node does.
    pub role: Role,
    /// The node's name, in place of that of its settings.
    pub hostname: Option<Hostname>,
    /// The file with the node's settings.
    pub node: Option<PathBuf>,
    /// The lock, in place of the one beside the profile.
    pub lock: Option<PathBuf>,
}

/// Where a cluster's secrets are said to be.
#[derive(Debug, Clone, Default)]
pub struct SecretsPaths {
    /// The file, in place of the one beside the cluster file.
    pub file: Option<PathBuf>,
    /// The key that opens it.
    pub identity: Option<PathBuf>,
}

/// One image that is wanted.
#[derive(Debug, Clone)]
pub struct Target {
    /// The board.
    pub board: Arc<Board>,
    /// What the node does.
    pub role: Role,
    /// The node's settings, checked.
    pub node: Node,
    /// Where they were read, if they were.
    pub source: Option<Source>,
    /// The node's place in its cluster; `None` for an image that anybody may have.
    pub membership: Option<Membership>,
    /// The lock, which may not be there yet.
    pub lock: PathBuf,
    /// What the lock calls that which its release adds to the base.
    pub set: SetName,
}

/// Why it cannot be said what is wanted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A board or a release of Kubernetes.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    /// A node's settings.
    #[error(transparent)]
    Node(#[from] node::Error),
    /// The cluster's files.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        Some(match self {
            Error::Catalogue(error) => error,
            Error::Node(error) => error,
            Error::Cluster(error) => error,
        })
    }
}

impl Target {
    /// The node's host name: its own, or the board's and the role's.
    pub fn hostname(&self) -> Hostname {
        let of_board = || Hostname::of_board(&self.board.profile.board, self.role);
        self.node.hostname.clone().unwrap_or_else(of_board)
    }

    /// The release that the image is made from: what all nodes of its board and role share.
    pub fn release(&self) -> Self {
        let node = self.node.of_release(self.membership.is_some());
        Self { node, source: None, membership: None, ..self.clone() }
    }

    /// Whether both are made from the same release.
    pub(crate) fn shares_release(&self, other: &Self) -> bool {
        let of_release = |target: &Self| target.node.of_release(target.membership.is_some());
        self.board.profile.board == other.board.profile.board
            && self.role == other.role
            && self.lock == other.lock
            && self.set == other.set
            && of_release(self) == of_release(other)
    }
}

/// Everything that is `asked` for, in order. What should be known of it is said on `console`.
pub fn targets(asked: &Asked, catalogue: &Catalogue, console: &Console) -> Result<Vec<Target>, Error> {
    let targets = match asked {
        Asked::Alone(asked) => vec![alone(asked, catalogue, console)?],
        Asked::Cluster { file, secrets, nodes, restore } => {
            let file = ClusterFile::read(file, secrets, catalogue)?;
            file.notices()?.iter().for_each(|notice| console.note(&notice.labelled()));
            let mut targets = file.targets(nodes)?;
            if let Some(snapshot) = restore {
                console.note(&file.restore(snapshot, &mut targets)?);
            }
            targets
        }
    };
    targets.iter().for_each(|target| say_packages(&target.node, console));
    Ok(targets)
}

/// Says which packages nobody has asked for come along, and why.
fn say_packages(node: &Node, console: &Console) {
    let of_node = node.hostname.as_ref().map(|hostname| format!("{hostname}: ")).unwrap_or_default();
    for (index, mount) in node.mounts.iter().enumerate() {
        if let Some(package) = mount.package().filter(|package| !node.packages.iter().any(|p| p == package)) {
            let does = match mount.layer() {
                Some(_) => format!("puts {} together", mount.source),
                None => format!("mounts {}", mount.kind),
            };
            console
                .note(&format!("{of_node}mounts[{index}]: the package {package} comes along, which {does}"));
        }
    }
}

/// The node's file, with what was asked for by itself on top.
fn alone(asked: &Alone, catalogue: &Catalogue, console: &Console) -> Result<Target, Error> {
    let board = catalogue.board(&asked.board)?;
    let read = asked.node.as_deref().map(Node::read).transpose()?;
    let (mut node, source) = read.map_or_else(Default::default, |(node, source)| (node, Some(source)));
    // The name that a release image has anyway makes no node of it.
    let of_release = Hostname::of_board(&board.profile.board, asked.role);
    if let Some(hostname) = asked.hostname.as_ref().filter(|hostname| **hostname != of_release) {
        node.hostname = Some(hostname.clone());
    }
    node.check()?;
    let lock = asked.lock.clone().unwrap_or_else(|| board.lock());
    if asked.lock.is_none() && board.keeps_lock_elsewhere() && !lock.exists() {
        console.note(&format!("the lock of {} is kept in {}", board.profile.board, lock.display()));
    }
    Ok(Target {
        role: asked.role,
        node,
        source,
        membership: None,
        lock,
        set: SetName::of_role(asked.role),
        board,
    })
}
