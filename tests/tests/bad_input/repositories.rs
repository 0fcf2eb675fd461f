//! What a package repository says of itself, and mirrors that say something else: only what a pinned key vouches for counts.

use crate::supplied::{Supplied, tool};
use imgforge_tests::{Gnupg, succeeds};

/// 2023-11-14, when the keys were made that have expired since.
const LONG_AGO: u64 = 1_700_000_000;

/// What the user is told of a signature or date that does not hold.
const UNTRUSTED: &str = "hint: take another mirror; where only the date is the matter, `imgforge lock --allow-expired` takes it all the same";

/// What the user is told of a file that is another than the one vouched for.
const REPLACED: &str = "hint: the file was replaced, or a mirror lies: `imgforge lock --update` takes what the repository vouches for now";

/// What the user is told of a file that is none of a repository's.
const NO_REPOSITORY: &str = "hint: what came is no package repository's: is the mirror in config.yaml right?";

#[test]
fn what_every_other_test_here_rests_on() {
    let supplied = Supplied::new();
    let lock = supplied.locked(&[]);
    assert!(lock.contains("name: tool\n  version: '1.0'\n"), "{lock}");
    assert!(lock.contains(&format!("signer: {}\n", supplied.repository.fingerprint())), "{lock}");
}

#[test]
fn a_release_without_signature_is_refused() {
    let supplied = Supplied::new();
    supplied.repository.put("InRelease", &supplied.repository.get("Release"));
    let first = format!("error: {}", supplied.repository.url("InRelease"));
    supplied.lock_refuses(1, &[&first, "  caused by: malformed input: signed text: ", NO_REPOSITORY]);
}

#[test]
fn a_release_signed_by_a_key_that_is_not_pinned_is_refused() {
    let supplied = Supplied::new();
    let gnupg = supplied.repository.gnupg();
    gnupg.key("stranger", "never");
    // Whoever can change the release can offer a key, too.
    let keys = gnupg.public_key("repository") + &gnupg.public_key("stranger");
    supplied.repository.put("key.asc", keys.as_bytes());
    supplied.repository.sign("stranger");
    let first = format!("error: {}", supplied.repository.url("InRelease"));
    let reason = "  caused by: not trusted: no valid signature of a pinned key (signed by ";
    supplied.lock_refuses(1, &[&first, reason, UNTRUSTED]);
}

#[test]
fn a_release_that_was_changed_after_it_was_signed_is_refused() {
    let supplied = Supplied::new();
    let signed = String::from_utf8(supplied.repository.get("InRelease")).expect("UTF-8");
    supplied.repository.put("InRelease", signed.replace("2025", "2026").as_bytes());
    let first = format!("error: {}", supplied.repository.url("InRelease"));
    let signer = supplied.repository.fingerprint();
    let reason =
        format!("  caused by: not trusted: no valid signature of a pinned key ({signer}: signature invalid)");
    supplied.lock_refuses(1, &[&first, &reason, UNTRUSTED]);
}

#[test]
fn a_key_that_has_expired_signs_nothing() {
    let supplied = Supplied::signed_by(Gnupg::at(LONG_AGO), "10d");
    let first = format!("error: {}", supplied.repository.url("InRelease"));
    let signer = supplied.repository.fingerprint();
    let reason =
        format!("  caused by: not trusted: no valid signature of a pinned key ({signer}: key expired)");
    supplied.lock_refuses(1, &[&first, &reason, UNTRUSTED]);
}

#[test]
fn a_release_past_its_time_is_taken_only_on_request() {
    let mut supplied = Supplied::new();
    supplied.repository.release_fields = "Valid-Until: Thu, 02 Jan 2025 00:00:00 UTC\n".into();
    supplied.repository.publish();
    let first = format!("error: {}", supplied.repository.url("InRelease"));
    let reason = "  caused by: not trusted: Release is valid until 1735776000; the time is ";
    supplied.lock_refuses(1, &[&first, reason, UNTRUSTED]);
    supplied.locked(&["--allow-expired"]);
}

#[test]
fn release_and_its_signature_may_be_two_files() {
    let supplied = Supplied::new();
    supplied.repository.remove("InRelease");
    supplied.locked(&[]);
}

#[test]
fn a_signature_beside_a_changed_release_is_refused() {
    let supplied = Supplied::new();
    supplied.repository.remove("InRelease");
    let release = String::from_utf8(supplied.repository.get("Release")).expect("UTF-8");
    supplied.repository.put("Release", release.replace("2025", "2026").as_bytes());
    let first = format!("error: {}", supplied.repository.url("Release"));
    let reason = "  caused by: not trusted: no valid signature of a pinned key (";
    supplied.lock_refuses(1, &[&first, reason, UNTRUSTED]);
}

#[test]
fn an_index_that_the_release_does_not_vouch_for_is_refused() {
    let supplied = Supplied::new();
    let index = String::from_utf8(supplied.repository.get("Packages")).expect("UTF-8");
    let other = index.replace("tool", "fool");
    supplied.repository.put("Packages", other.as_bytes());
    let first = format!("error: {} has SHA-256 ", supplied.repository.url("Packages"));
    supplied.lock_refuses(4, &[&first, REPLACED]);
    assert!(!supplied.store_has(other.as_bytes()));
}

#[test]
fn an_index_that_is_none_is_refused_though_it_is_vouched_for() {
    let supplied = Supplied::new();
    supplied.repository.put("Packages", b"Package: tool\nVersion 1.0\n");
    supplied.repository.release();
    let first = format!("error: {}", supplied.repository.url("Packages"));
    supplied.lock_refuses(1, &[&first, "  caused by: malformed input: ", NO_REPOSITORY]);
}

#[test]
fn an_index_cannot_name_files_outside_the_repository() {
    let supplied = Supplied::new();
    let index = String::from_utf8(supplied.repository.get("Packages")).expect("UTF-8");
    supplied.repository.put("Packages", index.replace("Filename: ./", "Filename: ../../").as_bytes());
    supplied.repository.release();
    let first = format!("error: {}", supplied.repository.url("Packages"));
    let reason = "  caused by: malformed input: Packages: tool: Filename \"../../tool_1.0_arm64.deb\"";
    supplied.lock_refuses(1, &[&first, reason, NO_REPOSITORY]);
}

#[test]
fn a_package_other_than_the_index_says_is_not_kept() {
    let supplied = Supplied::new();
    let file = tool("1.0").file_name();
    let url = supplied.repository.url(&file);
    let right = supplied.repository.get(&file);
    let mut wrong = right.clone();
    if let Some(last) = wrong.last_mut() {
        *last ^= 1;
    }
    supplied.repository.put(&file, &wrong);
    let hint = "hint: the file was replaced, or a mirror lies: `imgforge lock --update` takes what the repository vouches for now";
    supplied.lock_refuses(4, &[&format!("error: {url} has SHA-256 "), hint]);
    assert!(!supplied.store_has(&wrong));

    let size = right.len();
    supplied.repository.put(&file, &[right, b"more".to_vec()].concat());
    let reason = format!("  caused by: the server has {} bytes, but {size} are expected", size + 4);
    supplied.lock_refuses(4, &[&format!("error: cannot fetch {url}"), &reason, REPLACED]);
}

/// A supplied bench with a mirror of its repository, which is asked first and has the file `lie` in the place of `file`.
fn with_lying_mirror(file: &str, lie: &[u8]) -> Supplied {
    let supplied = Supplied::new();
    let mirrored = ["InRelease", "Packages", &tool("1.0").file_name()].map(str::to_owned);
    for name in mirrored {
        let bytes = if name == file { lie.to_vec() } else { supplied.repository.get(&name) };
        let path = supplied.bench.write(&format!("mirrored-{name}"), &bytes);
        supplied.repository.server().add(&format!("/mirror/{name}"), &path);
    }
    supplied
}

/// `imgforge lock`, with the mirror in the configuration.
fn lock_by_mirror(supplied: &Supplied) {
    let mut command = supplied.imgforge(&["lock"]);
    let mirror = supplied.repository.server().url("/mirror/");
    let config = format!("mirrors: {{ '{}': ['{mirror}'] }}\n", supplied.repository.url(""));
    supplied.bench.write("config.yaml", config.as_bytes());
    succeeds(&mut command);
}

#[test]
fn after_a_mirror_that_lies_the_repository_itself_is_asked() {
    let package = tool("1.0").file_name();
    for file in ["InRelease", "Packages", &package] {
        let supplied = with_lying_mirror(file, b"something else");
        lock_by_mirror(&supplied);
        let asked = supplied.repository.server().requests();
        let answers = [format!("GET /mirror/{file}"), format!("GET /repository/{file}")];
        assert!(answers.iter().all(|answer| asked.contains(answer)), "{asked:?}");
    }
}

#[test]
fn a_mirror_that_breaks_off_and_goes_on_with_something_else_is_left() {
    let package = tool("1.0").file_name();
    let supplied = with_lying_mirror(&package, &vec![b'x'; 1 << 10]);
    let path = format!("/mirror/{package}");
    supplied.repository.server().misbehave(&path, &[imgforge_tests::Fault::CutAfter(100)]);
    lock_by_mirror(&supplied);
    assert!(supplied.store_has(&supplied.repository.get(&package)));
}
