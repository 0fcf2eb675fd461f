//! `allow`: rules that the author of the file overrules, knowing better.

use super::{Context, Finding, Found, OF_PLANS, Rule, rules};
use crate::cluster::{Cluster, Node};

pub const RULES: &[Rule] = &[Rule::error("unknown-rule", "`allow` names rules that there are", unknown_rule)];

fn unknown_rule(context: &Context<'_>) -> Vec<Found> {
    let of_cluster = context.cluster.allow.iter().enumerate().map(|(i, name)| (format!("allow[{i}]"), name));
    let of_nodes = context.nodes().flat_map(|at| {
        at.node.allow.iter().enumerate().map(move |(i, name)| (at.path(format!("allow[{i}]")), name))
    });
    let is_known = |name: &str| rules().any(|rule| rule.name == name) || OF_PLANS.contains(&name);
    let unknown = of_cluster.chain(of_nodes).filter(|(_, name)| !is_known(name));
    unknown
        .map(|(path, name)| {
            Found::new(path, format!("there is no rule `{name}`"))
                .suggest("a finding says its rule's name in brackets")
        })
        .collect()
}

/// The findings without those notices that the file does not want to hear any more; of an overruled error is still said
/// that it was.
pub fn overrule(cluster: &Cluster, findings: Vec<Finding>) -> Vec<Finding> {
    findings
        .into_iter()
        .filter_map(|finding| if is_allowed(cluster, &finding) { finding.overruled() } else { Some(finding) })
        .collect()
}

fn is_allowed(cluster: &Cluster, finding: &Finding) -> bool {
    let names = |allowed: &[String]| allowed.iter().any(|name| name == finding.name);
    names(&cluster.allow) || node_of(cluster, &finding.path).is_some_and(|node| names(&node.allow))
}

/// The node that the setting `path` is about.
fn node_of<'a>(cluster: &'a Cluster, path: &str) -> Option<&'a Node> {
    let (index, _) = path.strip_prefix("nodes[")?.split_once(']')?;
    cluster.nodes.get(index.parse::<usize>().ok()?)
}
