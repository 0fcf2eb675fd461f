//! What the cluster file says, brought to a cluster that runs: labels and taints of its nodes, and its add-ons.

mod nodes;
mod objects;

use imgforge_kube::{add_ons::AddOn, cluster::Cluster};

use super::{Error, kubernetes::Api};

/// How it is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Nothing is changed, and it is said what would be.
    pub dry_run: bool,
    /// Fields that others have set are taken over.
    pub force: bool,
}

/// Applies what `cluster` says of its nodes, and its `add_ons`. `tell` is told of each thing that changes, in a line; returns how
/// many there are.
pub(crate) fn apply(
    api: &Api,
    cluster: &Cluster,
    add_ons: &[AddOn],
    manner: Manner,
    tell: &dyn Fn(&str),
) -> Result<usize, Error> {
    Ok(nodes::apply(api, cluster, manner, tell)? + objects::apply(api, add_ons, manner, tell)?)
}
