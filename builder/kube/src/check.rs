//! What is wrong with a cluster file, all of it at once.
//!
//! Each rule has a name and looks at one thing. A rule that errs in somebody's case is overruled in the file by its
//! name, `allow: [NAME]`, for all or at one node.

mod addresses;
mod allow;
mod boards;
mod control_plane;
mod engine;
mod files;
mod images;
mod labels;
mod load_balancer;
mod names;
mod neighbours;
mod passed;
mod rule;
mod runtime;
mod services;
mod storage;
mod subnets;
mod users;

use std::fmt;

use rule::{At, Context};
pub use rule::{Found, Rule};
pub use users::{is_disk_of_examples, is_key_of_examples};

use crate::{add_ons::Manifests, board::BoardFacts, cluster::Cluster};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but should be known.
    Notice,
    /// Cannot work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Notice => "notice",
            Severity::Error => "error",
        })
    }
}

/// Something about a cluster file that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that found it; `allow` takes this name.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The setting: `nodes[2].hostname`.
    pub path: String,
    /// What is the matter, in one sentence.
    pub message: String,
    /// What to do about it.
    pub suggestion: Option<String>,
}

impl Finding {
    /// The line that says it, with how bad it is and the name that `allow` takes.
    pub fn labelled(&self) -> String {
        format!("{}: {self} [{}]", self.severity, self.name)
    }

    /// What is left of it where it is overruled: of an error is said that it was; a notice is not wanted any more.
    pub fn overruled(self) -> Option<Self> {
        (self.severity == Severity::Error).then(|| Self {
            severity: Severity::Notice,
            message: format!("overruled by `allow`: {}", self.message),
            ..self
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// Names of rules about a node's finished plan, which need its base and so are not asked here; `allow` takes them, too.
pub const OF_PLANS: [&str; 34] = [
    "hidden-under-mount",
    "gone-at-start",
    "network-manager",
    "unknown-network-manager",
    "other-network-manager",
    "earlier-network-file",
    "name-servers-unread",
    "network-by-dhcp",
    "wireless-network-manager",
    "mdns-unasked",
    "provisioning",
    "idle-provisioning",
    "known-password",
    "ssh-refuses",
    "known-key",
    "example-left",
    "keys-without-ssh",
    "nobody-logs-in",
    "kernel-modules",
    "no-systemd",
    "foreign-base",
    "half-configured-packages",
    "script-interpreter",
    "file-replaces",
    "file-unread",
    "file-not-run",
    "unit-not-started",
    "used-base",
    "base-command-line",
    "moved-command-line",
    "default-target",
    "base-waits-for-disk",
    "kernel-version",
    "time-servers-unread",
];

/// All rules, family by family, in the order in which they are asked.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        names::RULES,
        boards::RULES,
        engine::RULES,
        subnets::RULES,
        addresses::RULES,
        control_plane::RULES,
        load_balancer::RULES,
        services::RULES,
        labels::RULES,
        storage::RULES,
        files::RULES,
        users::RULES,
        images::RULES,
        runtime::RULES,
        passed::RULES,
        passed::OF_OPTIONS,
        passed::OF_OPTIONS_TOGETHER,
        passed::OF_VOLUMES,
        passed::OF_CONTENTS,
        passed::OF_GATES,
        passed::OF_FIELDS,
        passed::OF_KUBELETS,
        allow::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Everything there is to say about `cluster`. `boards` gives the facts of a board by its name or an alias.
pub fn check(
    cluster: &Cluster,
    boards: &dyn Fn(&str) -> Option<BoardFacts>,
    manifests: &Manifests,
) -> Vec<Finding> {
    let context = Context { cluster, boards, manifests };
    let findings = rules().flat_map(|rule| rule.findings(&context)).collect();
    allow::overrule(cluster, findings)
}
