//! Names of labels and taints. <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>

use imgforge_spec::is_dns_name;

use super::{Context, Found, Rule};
use crate::cluster::Taint;

pub const RULES: &[Rule] = &[
    Rule::error("label", "a label has a name and a value as Kubernetes takes them", label),
    Rule::error("label-reserved", "a node gives itself no label in a domain of Kubernetes", label_reserved),
    Rule::error("taint", "a taint has a name and a value as Kubernetes takes them", taint),
    Rule::error("taint-twice", "no taint is there twice with one effect", taint_twice),
];

/// Names in reserved domains that a kubelet may still give its own node (IsKubeletLabel in
/// <https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go>).
const ALLOWED: [&str; 11] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Domains in which a kubelet may use any name.
const ALLOWED_DOMAINS: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

fn label(context: &Context<'_>) -> Vec<Found> {
    let labels = context.nodes().flat_map(|at| at.node.labels.iter().map(move |label| (at, label)));
    let bad = labels.filter(|(_, (key, value))| !is_key(key) || !is_value(value));
    bad.map(|(at, (key, value))| Found::new(at.path("labels"), format!("`{key}: {value}` is no label")))
        .collect()
}

fn label_reserved(context: &Context<'_>) -> Vec<Found> {
    let labels = context.nodes().flat_map(|at| at.node.labels.keys().map(move |key| (at, key)));
    let reserved = labels.filter_map(|(at, key)| Some((at, key, reserved(key).filter(|_| is_key(key))?)));
    reserved
        .map(|(at, key, message)| {
            let name = key.rsplit('/').next().unwrap_or(key);
            Found::new(at.path("labels"), message)
                .suggest(format!("use a domain of your own, such as home.example/{name}"))
        })
        .collect()
}

fn taint(context: &Context<'_>) -> Vec<Found> {
    let taints = context.nodes().flat_map(|at| {
        at.node.taints.iter().flatten().enumerate().map(move |(number, taint)| (at, number, taint))
    });
    let bad = taints.filter(|(_, _, taint)| !is_key(&taint.key) || !is_value(&taint.value));
    bad.map(|(at, number, taint)| {
        let message = format!("`{}={}` is no taint", taint.key, taint.value);
        Found::new(at.path(format!("taints[{number}]")), message)
    })
    .collect()
}

/// Kubernetes takes one value of a taint with one effect, and no node that brings two.
fn taint_twice(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes() {
        let taints = at.node.taints.as_deref().unwrap_or_default();
        for (number, taint) in taints.iter().enumerate() {
            let is_twin = |other: &Taint| other.key == taint.key && other.effect == taint.effect;
            if taints.iter().take(number).any(is_twin) {
                let message = format!("`{}` is there with this effect already", taint.key);
                found.push(
                    Found::new(at.path(format!("taints[{number}]")), message).suggest("remove one of them"),
                );
            }
        }
    }
    found
}

/// Why a kubelet may not give its node the label `key`, if so.
fn reserved(key: &str) -> Option<String> {
    let (domain, _) = key.split_once('/')?;
    let within =
        |parent: &str| domain == parent || domain.strip_suffix(parent).is_some_and(|d| d.ends_with('.'));
    let is_reserved = within("kubernetes.io") || within("k8s.io");
    let is_allowed = ALLOWED.contains(&key) || ALLOWED_DOMAINS.into_iter().any(within);
    (is_reserved && !is_allowed)
        .then(|| format!("`{key}`: {domain} belongs to Kubernetes, and a node may not label itself there"))
}

/// Whether `key` is a name with an optional domain before it.
fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, name)) => is_dns_name(domain) && is_name(name),
        None => is_name(key),
    }
}

/// Whether `value` may be the value of a label or taint.
fn is_value(value: &str) -> bool {
    value.is_empty() || is_name(value)
}

fn is_name(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    let ends = [name.bytes().next(), name.bytes().last()];
    name.len() <= 63
        && name.bytes().all(inner)
        && ends.iter().all(|end| end.is_some_and(|c| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domains_of_kubernetes_are_not_ours() {
        for key in [
            "node-role.kubernetes.io/nas",
            "node-restriction.kubernetes.io/x",
            "kubernetes.io/raid",
            "x.k8s.io/y",
        ] {
            assert!(reserved(key).is_some(), "{key}");
        }
        for key in [
            "home.example/raid",
            "raid",
            "topology.kubernetes.io/zone",
            "node.kubernetes.io/x",
            "notkubernetes.io/x",
        ] {
            assert_eq!(reserved(key), None, "{key}");
        }
    }

    #[test]
    fn names_have_a_form() {
        for good in ["raid", "home.example/raid", "a.B_c-1"] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", "/raid", "Home.example/raid", "-a", "a/b/c", "a b", &"a".repeat(64)] {
            assert!(!is_key(bad), "{bad}");
        }
        assert!(is_value("") && is_value("true") && !is_value("a b"));
    }
}
