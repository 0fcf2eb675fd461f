//! What a rule is, and what it looks at.

use std::fmt;

use super::{Finding, Severity};
use crate::{
    add_ons::Manifests,
    board::BoardFacts,
    cluster::{Cluster, Node, Role},
};

/// One thing that may be wrong with a cluster file.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, of lower-case words with hyphens: what `allow` takes.
    pub name: &'static str,
    /// How bad it is where it finds something.
    pub severity: Severity,
    /// What it wants, in one sentence.
    pub about: &'static str,
    find: fn(&Context<'_>) -> Vec<Found>,
}

impl Rule {
    pub(super) const fn error(
        name: &'static str,
        about: &'static str,
        find: fn(&Context<'_>) -> Vec<Found>,
    ) -> Self {
        Self { name, severity: Severity::Error, about, find }
    }

    pub(super) const fn notice(
        name: &'static str,
        about: &'static str,
        find: fn(&Context<'_>) -> Vec<Found>,
    ) -> Self {
        Self { name, severity: Severity::Notice, about, find }
    }

    pub(super) fn findings(&self, context: &Context<'_>) -> Vec<Finding> {
        let findings = (self.find)(context).into_iter();
        findings.map(|found| found.by(self.name, self.severity)).collect()
    }
}

/// What a rule found, without what the rule says of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub(super) path: String,
    message: String,
    suggestion: Option<String>,
}

impl Found {
    /// Something about the setting or file `path`.
    pub fn new(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { path: path.into(), message: message.to_string(), suggestion: None }
    }

    /// The same, with what to do about it.
    pub fn suggest(self, suggestion: impl Into<String>) -> Self {
        Self { suggestion: Some(suggestion.into()), ..self }
    }

    /// What the rule `name` says of it.
    pub fn by(self, name: &'static str, severity: Severity) -> Finding {
        let Self { path, message, suggestion } = self;
        Finding { name, severity, path, message, suggestion }
    }
}

/// What rules look at.
pub(super) struct Context<'a> {
    /// The cluster file.
    pub cluster: &'a Cluster,
    /// The boards that are known.
    pub boards: &'a dyn Fn(&str) -> Option<BoardFacts>,
    /// The add-ons' manifests that are known.
    pub manifests: &'a Manifests,
}

impl<'a> Context<'a> {
    /// The nodes, in the file's order.
    pub fn nodes(&self) -> impl Iterator<Item = At<'a>> + use<'a> {
        let cluster = self.cluster;
        cluster.nodes.iter().enumerate().map(move |(index, node)| At { cluster, index, node })
    }

    /// The nodes on which pods run.
    pub fn members(&self) -> impl Iterator<Item = At<'a>> + use<'a> {
        self.nodes().filter(|at| at.node.role != Role::Base)
    }
}

/// A node where it stands in the file.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    cluster: &'a Cluster,
    index: usize,
    /// The node.
    pub node: &'a Node,
}

impl<'a> At<'a> {
    /// The path of a setting of this node.
    pub fn path(&self, setting: impl fmt::Display) -> String {
        format!("nodes[{}].{setting}", self.index)
    }

    /// The nodes before this one: a duplicate is told at its second place.
    pub fn earlier(&self) -> impl Iterator<Item = &'a Node> + use<'a> {
        self.cluster.nodes.iter().take(self.index)
    }
}
