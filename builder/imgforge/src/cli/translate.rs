//! From the words of the command line to what the program works with: here, once, and nowhere else.

use std::path::{Path, PathBuf};

use imgforge_spec::{Hostname, Invalid};

use super::{
    FixedArgs, FlashArgs, LockArgs, PersonalizeArgs, RebuildArgs, RunningClusterArgs, SecretsArgs, TargetArgs,
};
use crate::{
    build::Options,
    running::places::Tunnels,
    supply::Rules,
    target::{Alone, Asked, SecretsPaths, node},
};

impl From<&SecretsArgs> for SecretsPaths {
    fn from(args: &SecretsArgs) -> Self {
        Self { file: args.secrets.clone(), identity: args.identity.clone() }
    }
}

impl TargetArgs {
    /// What is asked for.
    pub fn asked(&self) -> Result<Asked, node::Error> {
        match (&self.cluster, &self.board, self.role) {
            (Some(file), ..) => Ok(Asked::Cluster {
                file: file.clone(),
                secrets: (&self.secrets).into(),
                nodes: self.node.clone(),
                restore: None,
            }),
            (None, Some(board), Some(role)) => Ok(Asked::Alone(Alone {
                board: board.clone(),
                role,
                hostname: hostname(self.hostname.as_deref())?,
                node: one(&self.node)?,
                lock: self.lock.clone(),
            })),
            // clap asks for both.
            (None, ..) => Err(invalid("--board", "name a board and a --role, or a --cluster")),
        }
    }

    /// How it is to be made.
    pub fn options(&self, epoch: Option<i64>) -> Options {
        let rules = self.fixed.rules();
        Options { base: self.base.clone(), overlays: self.places.overlays.clone(), epoch, rules }
    }
}

impl FixedArgs {
    fn rules(&self) -> Rules {
        let (locked, offline) = (self.locked || self.frozen, self.offline || self.frozen);
        Rules { locked, offline, allow_expired: false }
    }
}

impl LockArgs {
    /// How it is to be locked.
    pub fn options(&self, epoch: Option<i64>) -> Options {
        let options = self.target.options(epoch);
        let rules = Rules { allow_expired: self.allow_expired, ..options.rules };
        Options { rules, ..options }
    }
}

impl PersonalizeArgs {
    /// What is asked for; without a cluster, of the board and role that `alone` names.
    pub fn asked(&self, alone: Alone) -> Result<Asked, node::Error> {
        match &self.cluster {
            Some(file) => Ok(Asked::Cluster {
                file: file.clone(),
                secrets: (&self.secrets).into(),
                nodes: self.node.iter().cloned().collect(),
                restore: self.restore.clone(),
            }),
            None => Ok(Asked::Alone(Alone {
                hostname: hostname(self.hostname.as_deref())?,
                node: self.node.as_ref().map(PathBuf::from),
                ..alone
            })),
        }
    }

    /// How it is to be made.
    pub fn options(&self) -> Options {
        let rules = Rules { locked: true, offline: self.offline, allow_expired: false };
        Options { overlays: self.places.overlays.clone(), rules, ..Options::default() }
    }
}

impl FlashArgs {
    /// The node of `cluster` that goes onto a card; all of them where none is named.
    pub fn asked(&self, cluster: &Path) -> Asked {
        Asked::Cluster {
            file: cluster.to_owned(),
            secrets: (&self.secrets).into(),
            nodes: self.image.iter().cloned().collect(),
            restore: None,
        }
    }

    /// How it is to be made.
    pub fn options(&self, epoch: Option<i64>) -> Options {
        let (overlays, rules) = (self.places.overlays.clone(), self.fixed.rules());
        Options { overlays, epoch, rules, ..Options::default() }
    }
}

impl RebuildArgs {
    /// What an image was made from again; without a cluster, what `alone` names. Of a cluster, the node `hostname`.
    pub fn asked(&self, alone: Alone, hostname: &Hostname) -> Asked {
        match &self.cluster {
            Some(file) => Asked::Cluster {
                file: file.clone(),
                secrets: (&self.secrets).into(),
                nodes: vec![hostname.to_string()],
                restore: self.restore.clone(),
            },
            None => Asked::Alone(Alone {
                node: self.node.as_ref().map(PathBuf::from),
                lock: self.lock.clone(),
                ..alone
            }),
        }
    }

    /// How it is to be made again, with the time it had.
    pub fn options(&self, epoch: i64) -> Options {
        let rules = Rules { locked: true, offline: self.offline, allow_expired: false };
        Options { base: self.base.clone(), overlays: self.places.overlays.clone(), epoch: Some(epoch), rules }
    }
}

fn hostname(text: Option<&str>) -> Result<Option<Hostname>, node::Error> {
    text.map(|text| text.parse().map_err(|error| invalid("hostname", error))).transpose()
}

/// The one file with a node's settings.
fn one(files: &[String]) -> Result<Option<PathBuf>, node::Error> {
    match files {
        [] => Ok(None),
        [file] => Ok(Some(PathBuf::from(file))),
        [..] => {
            Err(invalid("--node", "one file has a node's settings; several names of nodes go with --cluster"))
        }
    }
}

fn invalid(setting: &str, message: impl std::fmt::Display) -> node::Error {
    Invalid::new(setting, message).into()
}

impl RunningClusterArgs {
    /// Where nodes are reached in place of their own addresses.
    pub(crate) fn tunnels(&self) -> Tunnels {
        self.tunnels.iter().cloned().collect()
    }
}
