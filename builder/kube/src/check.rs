//! What is wrong with a cluster file, all of it at once.

mod images;
mod labels;
mod network;
mod nodes;
mod runtime;

use std::fmt;

use crate::{
    add_ons::{self, Manifests},
    board::BoardFacts,
    cluster::Cluster,
};

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
    fn error(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { severity: Severity::Error, path: path.into(), message: message.to_string(), suggestion: None }
    }

    fn notice(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { severity: Severity::Notice, ..Self::error(path, message) }
    }

    fn suggest(self, suggestion: impl Into<String>) -> Self {
        Self { suggestion: Some(suggestion.into()), ..self }
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

/// Everything there is to say about `cluster`, in the file's order. `boards` gives the facts of a board by its name
/// or an alias.
pub fn check(
    cluster: &Cluster,
    boards: &dyn Fn(&str) -> Option<BoardFacts>,
    manifests: &Manifests,
) -> Vec<Finding> {
    let mut findings = network::check(cluster);
    findings.extend(nodes::check(cluster, boards, manifests));
    let unknown = add_ons::needed(cluster).into_iter().filter(|name| !manifests.contains_key(*name));
    findings.extend(unknown.map(|name| Finding::error("add-ons", add_ons::Error::Unknown { name })));
    findings.extend(images::check(cluster));
    findings.extend(runtime::check(cluster));
    findings
}

/// RFC 1123 subdomain, which Kubernetes wants of node names: labels of a-z, 0-9 and inner hyphens, at most 63 each.
fn is_dns_name(name: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(good)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}
