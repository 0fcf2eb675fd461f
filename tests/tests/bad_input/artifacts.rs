//! Artifacts: pinned files and tarballs go in as they are published, or not at all.

use crate::supplied::Supplied;
use imgforge_tests::{Tool, file_in, regular, sha256, succeeds};
use serde_json::Value;
use std::fs;

/// What the user is told of a file that is another than the pinned one.
const REPLACED: &str =
    "hint: the file was replaced, or a mirror lies: compare with the sum that the project publishes";

/// A bench whose board wants a file with these bytes; `rest` is the rest of its declaration.
fn supplied(bytes: &[u8], rest: &str) -> Supplied {
    let supplied = Supplied::new();
    supplied.repository.put("artifact", bytes);
    let sum = sha256(&supplied.bench.write("artifact", bytes));
    supplied.wants_artifact("artifact", &format!("sha256: {sum}, {rest}"));
    supplied
}

/// A tarball of one file of somebody's.
fn tarball(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = regular(name, bytes.len() as u64);
    header.set_mode(0o750);
    header.set_uid(1000);
    header.set_gid(1000);
    header.set_cksum();
    let mut tarball = [header.as_bytes(), bytes].concat();
    tarball.resize(tarball.len().next_multiple_of(512) + 1024, 0);
    tarball
}

/// What a build leaves: at `path` these bytes, with this mode, owned by root; manifest and bill of materials know the
/// artifact.
fn goes_in(supplied: &Supplied, path: &str, bytes: &str, mode: &str) {
    succeeds(&mut supplied.build(&[]));
    let root = supplied.bench.root_of(&supplied.bench.output());
    let stat = Tool::DEBUGFS.approves(["-R", &format!("stat {path}"), &root]);
    let words: Vec<&str> = stat.split_whitespace().collect();
    for (field, value) in [("Mode:", mode), ("User:", "0"), ("Group:", "0")] {
        assert!(words.windows(2).any(|pair| pair == [field, value]), "{field} {value}: {stat}");
    }
    assert_eq!(file_in(root.as_ref(), path), bytes);

    let beside = |ending: &str| -> Value {
        let text = fs::read(format!("{}{ending}", supplied.bench.output().display()))
            .expect("a file beside the image");
        serde_json::from_slice(&text).expect("JSON")
    };
    let (url, sum) = (supplied.repository.url("artifact"), sha256(&supplied.bench.path("artifact")));
    let manifest = beside(".manifest.json");
    assert_eq!(manifest["artifacts"][0]["url"], *url);
    assert_eq!(manifest["artifacts"][0]["sha256"], *sum);
    let changes = manifest["changes"].as_array().expect("changes");
    let change = changes.iter().find(|change| change["path"] == path).expect("the change");
    assert_eq!(change["origins"][0], format!("artifact {url}"));
    let bill = beside(".spdx.json");
    let entries = bill["packages"].as_array().expect("packages");
    let entry = entries.iter().find(|entry| entry["downloadLocation"] == *url).expect("the artifact");
    assert_eq!(entry["checksums"][0]["checksumValue"], *sum);
}

#[test]
fn a_file_goes_in_as_declared() {
    goes_in(&supplied(b"#!/bin/sh\n", "path: /usr/bin/crictl"), "/usr/bin/crictl", "#!/bin/sh\n", "0755");
    let supplied = supplied(b"setting\n", "path: /etc/setting, mode: '0600'");
    goes_in(&supplied, "/etc/setting", "setting\n", "0600");
}

#[test]
fn a_tarball_keeps_its_modes_but_not_its_owners() {
    let supplied = supplied(&tarball("./bin/bridge", b"bridge\n"), "path: /opt/cni, unpack: true");
    goes_in(&supplied, "/opt/cni/bin/bridge", "bridge\n", "0750");
}

#[test]
fn an_artifact_with_another_hash_is_refused() {
    let supplied = supplied(b"right", "path: /usr/bin/crictl");
    supplied.repository.put("artifact", b"wrong");
    let first = format!("error: {} has SHA-256 ", supplied.repository.url("artifact"));
    supplied.lock_refuses(4, &[&first, REPLACED]);
    supplied.refuses(supplied.build(&[]), 4, &[&first, REPLACED]);
    assert!(!supplied.store_has(b"wrong"));
}

#[test]
fn an_artifact_that_is_gone_is_named() {
    let supplied = supplied(b"right", "path: /usr/bin/crictl");
    supplied.repository.remove("artifact");
    supplied.lock_refuses(
        4,
        &[
            &format!("error: cannot fetch {}", supplied.repository.url("artifact")),
            "  caused by: the server answered 404 Not Found",
            "hint: name a mirror that has it in config.yaml, or import a store that has the file",
        ],
    );
}

/// A build with this tarball is refused for this reason.
fn refuses(tarball: &[u8], reason: &str) {
    let supplied = supplied(tarball, "path: /opt/cni, unpack: true");
    supplied.locked(&[]);
    supplied.refuses(
        supplied.build(&[]),
        1,
        &[
            &format!("error: cannot unpack {}", supplied.repository.url("artifact")),
            &format!("  caused by: malformed input: {reason}"),
            "hint: it was published like this: take another version, and tell who publishes it",
        ],
    );
}

#[test]
fn no_member_of_a_tarball_leads_out_of_its_folder() {
    refuses(&tarball("../etc/passwd", b"x"), "path \"../etc/passwd\": climbs with `..`");
    refuses(&tarball("/etc/passwd", b"x"), "path \"/etc/passwd\": ");
}

#[test]
fn what_is_no_tarball_is_not_unpacked() {
    refuses(b"something else", "");
    let whole = tarball("./bin/bridge", &[b'x'; 4096]);
    refuses(&whole[..2048], "");
}
