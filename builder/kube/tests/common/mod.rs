//! Boards and cluster files that the tests share.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]
#![allow(dead_code, reason = "each test file uses some of it")]

use imgforge_kube::{
    board::{Architecture, BoardFacts},
    cluster::Cluster,
};

/// The cluster file that users are shown.
pub const HOME: &str = include_str!("../../../../examples/home.yaml");

/// The boards of the examples, and one too old for anything.
pub fn boards(name: &str) -> Option<BoardFacts> {
    let (architecture, cores, memory) = match name {
        "rpi4" => (Architecture::Arm64, 4, 4096),
        "rk3328" => (Architecture::Arm64, 4, 1024),
        "virt-arm64" => (Architecture::Arm64, 2, 2048),
        "bananapi" => (Architecture::Armv7, 2, 1024),
        "cubieboard" => (Architecture::Armv7, 1, 1024),
        "rpi1" => (Architecture::Armv6, 1, 512),
        _ => return None,
    };
    Some(BoardFacts { architecture, cores, memory })
}

/// Reads a cluster file.
pub fn cluster(text: &str) -> Cluster {
    serde_yaml::from_str(text).unwrap()
}
