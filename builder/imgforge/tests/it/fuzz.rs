//! Profiles, node settings and overlay declarations come from people and from the network: whatever is in them, the answer
//! is a value or an error with a place. `PROPTEST_CASES` sets how many are tried.

use std::{fs, path::Path};

use imgforge::{catalogue::profile::Profile, plan::Declarations, target::node::Node, yaml};
use proptest::prelude::*;

/// A real document of each kind: mutations of one get further than noise does.
fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// `text` with some bytes replaced by ones that mean something to YAML.
fn mutated(text: String) -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), prop::sample::select(b"{}[]:,-?!&*#|>'\"%@`\n \t~0x".to_vec()));
    prop::collection::vec(edit, 0..12).prop_map(move |edits| {
        let mut bytes = text.clone().into_bytes();
        edits.iter().for_each(|(at, byte)| {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        });
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #[test]
    fn fuzz_profiles(text in mutated(document("board-profiles/rk3328.yaml"))) {
        let _ = yaml::parse::<Profile>(Path::new("x.yaml"), &text);
    }

    #[test]
    fn fuzz_node_settings(text in mutated(document("examples/node.yaml"))) {
        if let Ok(node) = yaml::parse::<Node>(Path::new("x.yaml"), &text) {
            let _ = node.check();
        }
    }

    #[test]
    fn fuzz_overlay_declarations(text in mutated(document("overlays/common/overlay.yaml"))) {
        let _ = yaml::parse::<Declarations>(Path::new("x.yaml"), &text);
    }

    #[test]
    fn fuzz_noise(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = yaml::parse::<Profile>(Path::new("x.yaml"), &String::from_utf8_lossy(&bytes));
    }
}
