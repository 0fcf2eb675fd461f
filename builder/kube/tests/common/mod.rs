//! Boards and cluster files that the tests share.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]
#![allow(dead_code, reason = "each test file uses some of it")]

pub mod lab;

use std::{env, fs, path::Path, sync::LazyLock};

use imgforge_kube::{
    add_ons::{Manifest, Manifests},
    board::{Architecture, BoardFacts},
    cluster::Cluster,
};
use sha2::{Digest, Sha256};

/// The cluster file that users are shown.
pub const EXAMPLE: &str = include_str!("../../../../examples/home.yaml");

/// The same after somebody gave a key and disks of their own.
pub static HOME: LazyLock<String> = LazyLock::new(|| {
    let own = [
        ("IHlvdXIga2V5IGhlcmUsIG5vdCB0aGlzIG9uZSEhISEh", "IEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D"),
        ("655a39e8-9a5d-45f3-ae14-73b4c5ed50c3", "5c0a1f0e-1111-4b4b-8a8a-0123456789ab"),
        ("0633df91-017c-4b98-9b2e-4a0d27989a5c", "5c0a1f0e-2222-4b4b-8a8a-0123456789ab"),
    ];
    own.iter().fold(EXAMPLE.to_owned(), |text, (theirs, own)| text.replace(theirs, own))
});

/// The boards of the examples, and one too old for anything.
pub fn boards(name: &str) -> Option<BoardFacts> {
    let (architecture, cores, memory) = match name {
        "rpi4" => (Architecture::Arm64, 4, 4096),
        "rk3328" => (Architecture::Arm64, 4, 1024),
        "virt-arm64" => (Architecture::Arm64, 2, 2048),
        "bananapi" => (Architecture::Armv7, 2, 1024),
        "cubieboard" => (Architecture::Armv7, 1, 1024),
        "rpi1" => (Architecture::Armv6, 1, 512),
        "rpi-zero2w" => (Architecture::Arm64, 4, 512),
        _ => return None,
    };
    Some(BoardFacts { architecture, cores, memory, wired: name != "rpi-zero2w" })
}

/// The add-ons' manifests that imgforge ships the pins of.
pub fn manifests() -> Manifests {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../board-profiles/add-ons");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let manifests = files.map(|text| serde_yaml::from_str::<Manifest>(&text).unwrap());
    manifests.map(|manifest| (manifest.name.clone(), manifest)).collect()
}

/// Reads a cluster file.
pub fn cluster(text: &str) -> Cluster {
    serde_yaml::from_str(text).unwrap()
}

/// Bytes that look random and are the same for the same seed.
pub fn random(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut counter = 0u64;
    move |buffer| {
        for chunk in buffer.chunks_mut(32) {
            counter += 1;
            let block = Sha256::digest([seed.to_le_bytes(), counter.to_le_bytes()].concat());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// Compares `text` with the file `name` in `tests/golden`; `IMGFORGE_WRITE_GOLDEN=1` writes it anew.
pub fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("IMGFORGE_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, golden,
        "{name} differs; if it should, run with IMGFORGE_WRITE_GOLDEN=1 and read the difference"
    );
}
