//! A cluster in which nothing is wrong, and what the rules say when something is.

use imgforge_kube::check::{Finding, check};

use super::{boards, cluster, manifests};

/// A cluster in which nothing is wrong, with `top` besides at its top, and `master` and `worker` at these nodes.
pub fn lab(top: &str, master: &str, worker: &str) -> String {
    format!(
        "ssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me]
users: [{{ name: ops, sudo: true }}]
{top}
nodes:
  - {{ hostname: m1, board: rpi4, role: master, {master} }}
  - {{ hostname: w1, board: rpi4, {worker} }}"
    )
}

pub const LAN: &str = "lan: { gateway: 192.168.1.1, dns: [192.168.1.2] }\n";
pub const M1: &str = "address: 192.168.1.10/24";
pub const W1: &str = "address: 192.168.1.11/24";

/// The lab with settings at its top.
pub fn top(text: &str) -> String {
    lab(&format!("{LAN}{text}"), M1, W1)
}

/// The lab with settings at its master.
pub fn master(text: &str) -> String {
    lab(LAN, &format!("{M1}, {text}"), W1)
}

/// The lab with settings at its worker.
pub fn worker(text: &str) -> String {
    lab(LAN, M1, text)
}

pub fn findings(text: &str) -> Vec<Finding> {
    check(&cluster(text), &boards, &manifests())
}

/// Asserts that the rule `name` says something of `text`, at `path`.
#[track_caller]
pub fn says(name: &str, path: &str, text: &str) {
    let findings = findings(text);
    let found = findings.iter().find(|finding| finding.name == name && finding.path == path);
    assert!(found.is_some(), "{name} does not find {path} in {text}\n{findings:#?}");
}

/// Asserts that nothing at all is wrong with `text`.
#[track_caller]
pub fn quiet(text: &str) {
    assert_eq!(findings(text), [], "{text}");
}
