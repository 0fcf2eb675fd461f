//! What the command line asks for: one image for a board and a role, or those of a cluster's nodes.

pub mod cluster;
pub mod node;

use std::path::PathBuf;

use crate::{
    build::error::Error,
    catalogue::profile::Catalogue,
    cli::TargetArgs,
    host::{console::Console, settings::Settings},
    target::{
        cluster::{ClusterFile, Membership},
        node::{Node, Role},
    },
};

/// One image that is asked for.
#[derive(Debug, Clone)]
pub struct Target {
    /// The board, by its name or an alias.
    pub board: String,
    /// What the node does.
    pub role: Role,
    /// The node's settings, checked.
    pub node: Node,
    /// The node's place in its cluster; `None` for an image that anybody may have.
    pub membership: Option<Membership>,
    /// The lock, where it is not the one beside the profile.
    pub lock: Option<PathBuf>,
    /// What the lock calls that which its release adds to the base.
    pub set: String,
}

impl Target {
    /// The release that the image is made from: what all nodes of its board and role share.
    pub fn release(&self) -> Self {
        let node = self.node.of_release(self.membership.is_some());
        Self { node, membership: None, ..self.clone() }
    }

    /// Whether both are made from the same release.
    pub fn shares_release(&self, other: &Self) -> bool {
        let parts = |target: &Self| {
            let Self { board, role, node, lock, set, .. } = target.release();
            (board, role, node, lock, set)
        };
        parts(self) == parts(other)
    }
}

/// Everything `args` ask for, in order. What should be known of a cluster file is said on `console`.
pub fn targets(args: &TargetArgs, settings: &Settings, console: &Console) -> Result<Vec<Target>, Error> {
    match (&args.cluster, &args.board, args.role) {
        (Some(path), ..) => {
            let folders = settings.profile_folders(args.profiles.as_deref());
            let catalogue = Catalogue::load(&folders)?;
            let (secrets, identity) = (args.secrets.secrets.as_deref(), args.secrets.identity.as_deref());
            let file = ClusterFile::read(path, secrets, identity, &catalogue, &folders)?;
            file.notices()?.iter().for_each(|notice| console.note(&notice.labelled()));
            file.targets(&args.node)
        }
        (None, Some(board), Some(role)) => Ok(vec![alone(args, board, role)?]),
        // clap asks for both.
        (None, ..) => Ok(Vec::new()),
    }
}

/// The node's file, with what the command line says on top.
fn alone(args: &TargetArgs, board: &str, role: Role) -> Result<Target, Error> {
    let mut node = match args.node.as_slice() {
        [] => Node::default(),
        [file] => Node::read(file.as_ref())?,
        [..] => {
            let message = "one file has a node's settings; several names of nodes go with --cluster".into();
            return Err(node::Error::Invalid { setting: "--node".into(), message }.into());
        }
    };
    // The name that a release image has anyway makes no node of it.
    let of_release = format!("{board}-{}", role.name());
    if let Some(hostname) = args.hostname.as_ref().filter(|hostname| **hostname != of_release) {
        node.hostname = Some(hostname.clone());
    }
    node.check()?;
    Ok(Target {
        board: board.to_owned(),
        role,
        node,
        membership: None,
        lock: args.lock.clone(),
        set: role.name().to_owned(),
    })
}
