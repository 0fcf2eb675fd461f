//! What a node does.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node does.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A plain node: hostname, mounts, users, overlays; nothing of Kubernetes.
    Base,
    /// Runs the control plane.
    Master,
    /// Joins a control plane.
    #[default]
    Worker,
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role: base, master or worker")]
pub struct UnknownRole(String);

impl Role {
    /// All of them.
    pub const ALL: [Role; 3] = [Role::Base, Role::Master, Role::Worker];

    /// The name used in files and folders, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::Base => "base",
            Role::Master => "master",
            Role::Worker => "worker",
        }
    }

    /// Whether Kubernetes runs on such a node.
    pub fn runs_kubernetes(self) -> bool {
        self != Role::Base
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_by_its_name() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        let message = "server".parse::<Role>().unwrap_err().to_string();
        assert_eq!(message, "`server` is no role: base, master or worker");
    }
}
