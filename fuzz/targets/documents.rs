//! Everything that is done with the documents of users and of registries: no panic, no hang.
//!
//! Each function tells whether the bytes were acceptable: errors are the expected outcome.

use std::path::Path;

use imgforge::{supply::oci::document::Document, target::node::Node, yaml};
use imgforge_kube::{
    board::{Architecture, BoardFacts},
    check::check,
    cluster::Cluster,
    member::Member,
};

/// A cluster file: it is judged whole, and what is good has its nodes made.
pub fn cluster(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(cluster) = yaml::parse::<Cluster>(Path::new("cluster.yaml"), text) else { return false };
    let boards =
        |_: &str| Some(BoardFacts { architecture: Architecture::Arm64, cores: 4, memory: 4096, wired: true });
    let findings = check(&cluster, &boards, &Default::default());
    for finding in &findings {
        let _ = yaml::Place::of(&finding.path, Path::new("cluster.yaml"), text);
    }
    for node in &cluster.nodes {
        let _ = Member::new(&cluster, &node.hostname, &boards);
    }
    true
}

/// The settings of a node alone.
pub fn node(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(node) = yaml::parse::<Node>(Path::new("node.yaml"), text) else { return false };
    node.check().is_ok()
}

/// What a registry says of an image.
pub fn registry(bytes: &[u8]) -> bool {
    Document::decode(bytes).is_ok()
}
