//! What a lock calls that which one layer adds to the base.

use std::{cmp::Ordering, fmt, str::FromStr};

use imgforge_spec::{Hostname, Role};
use serde::{Deserialize, Serialize};

/// The name of a set in a lock: `master`, `master 1.26`, `node k8s-worker-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SetName {
    /// What a role adds.
    Release {
        /// The role.
        role: Role,
        /// The release of Kubernetes, where nodes of the role have another than the rest of their cluster.
        kubernetes: Option<String>,
    },
    /// What a node of a cluster adds to that.
    Node(Hostname),
}

/// A text that names no set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no set: a role, a role and a release of Kubernetes, or `node` and a host name")]
pub struct InvalidSetName(String);

impl SetName {
    /// The set of `role`.
    pub(crate) fn of_role(role: Role) -> Self {
        Self::Release { role, kubernetes: None }
    }

    /// The set in messages: `the role master`, `the node k8s-worker-1`.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Release { .. } => format!("the role {self}"),
            Self::Node(_) => format!("the {self}"),
        }
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release { role, kubernetes: None } => write!(f, "{role}"),
            Self::Release { role, kubernetes: Some(release) } => write!(f, "{role} {release}"),
            Self::Node(hostname) => write!(f, "node {hostname}"),
        }
    }
}

impl FromStr for SetName {
    type Err = InvalidSetName;

    fn from_str(text: &str) -> Result<Self, InvalidSetName> {
        let invalid = || InvalidSetName(text.to_owned());
        let (first, second) = match text.split_once(' ') {
            Some((first, second)) if !second.is_empty() => (first, Some(second)),
            Some(_) => return Err(invalid()),
            None => (text, None),
        };
        match (first, second) {
            ("node", Some(hostname)) => hostname.parse().map(Self::Node).map_err(|_| invalid()),
            (role, release) => {
                let role = role.parse().map_err(|_| invalid())?;
                Ok(Self::Release { role, kubernetes: release.map(str::to_owned) })
            }
        }
    }
}

impl TryFrom<String> for SetName {
    type Error = InvalidSetName;

    fn try_from(text: String) -> Result<Self, InvalidSetName> {
        text.parse()
    }
}

impl From<SetName> for String {
    fn from(name: SetName) -> Self {
        name.to_string()
    }
}

/// In the order of their texts, which is the order in a lock's file.
impl Ord for SetName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

impl PartialOrd for SetName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for text in ["base", "master", "worker 1.26", "node k8s-worker-1"] {
            assert_eq!(text.parse::<SetName>().unwrap().to_string(), text);
        }
        for text in ["", "node", "node A", "server", "master ", "server 1.26"] {
            assert!(text.parse::<SetName>().is_err(), "{text}");
        }
    }

    #[test]
    fn they_are_ordered_as_their_texts_are() {
        let mut names =
            ["worker", "node a", "master 1.26", "master"].map(|text| text.parse::<SetName>().unwrap());
        names.sort();
        assert_eq!(names.map(|name| name.to_string()), ["master", "master 1.26", "node a", "worker"]);
    }
}
