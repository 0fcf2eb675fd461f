//! What a lock pins stays as it is, and is enough: for another build, another machine, and a time when the servers are gone.

use std::{fs, process::Stdio};

use crate::supplied::{Supplied, tool};
use imgforge_tests::{Deb, fails, succeeds};

/// A repository with newer versions of what was locked.
fn with_newer(supplied: &mut Supplied) {
    supplied.repository.add(&tool("2.0"));
    supplied.repository.add(&Deb::new("node", "2.0").field("Depends", "tool"));
}

/// A bench with a lock of `node` and `tool`, both in version 1.0.
fn locked() -> (Supplied, String) {
    let mut supplied = Supplied::new();
    supplied.wants_new(&Deb::new("node", "1.0").field("Depends", "tool"));
    let lock = supplied.locked(&[]);
    (supplied, lock)
}

/// The version of a package in a lock.
fn version<'a>(lock: &'a str, package: &str) -> &'a str {
    let entry = lock.split(&format!("name: {package}\n  version: '")).nth(1).expect("the package");
    entry.split('\'').next().unwrap_or_default()
}

#[test]
fn to_lock_again_changes_nothing() {
    let (mut supplied, first) = locked();
    assert_eq!(supplied.locked(&[]), first);
    with_newer(&mut supplied);
    assert_eq!(supplied.locked(&[]), first);
    fs::remove_file(supplied.lock_path()).expect("the lock");
    assert_ne!(supplied.locked(&[]), first);
}

#[test]
fn the_same_repositories_give_the_same_lock_anywhere() {
    let (supplied, first) = locked();
    fs::remove_file(supplied.lock_path()).expect("the lock");
    fs::remove_dir_all(supplied.bench.path("store")).expect("the store");
    assert_eq!(supplied.locked(&[]), first);
}

#[test]
fn an_update_takes_newer_packages() {
    let (mut supplied, first) = locked();
    with_newer(&mut supplied);
    assert_eq!((version(&first, "node"), version(&first, "tool")), ("1.0", "1.0"));
    let one = supplied.locked(&["--update", "tool"]);
    assert_eq!((version(&one, "node"), version(&one, "tool")), ("1.0", "2.0"));
    let all = supplied.locked(&["--update"]);
    assert_eq!((version(&all, "node"), version(&all, "tool")), ("2.0", "2.0"));
}

#[test]
fn an_update_of_what_is_not_locked_is_refused() {
    let (supplied, _) = locked();
    supplied.refuses(
        supplied.imgforge(&["lock", "--update", "toll"]),
        1,
        &[
            "error: the package `toll` is not in ~/board-profiles/tiny.lock.yaml",
            "hint: did you mean `tool`?",
        ],
    );
}

#[test]
fn another_role_leaves_the_pins_of_the_first() {
    let (mut supplied, first) = locked();
    with_newer(&mut supplied);
    succeeds(&mut supplied.imgforge_for("worker", &["lock"]));
    let both = supplied.lock();
    assert!(both.contains("  master:\n") && both.contains("  worker:\n"), "{both}");
    for package in ["node", "tool"] {
        assert_eq!(version(&both, package), version(&first, package));
    }
}

#[test]
fn a_lock_that_does_not_fit_is_not_changed_where_that_is_forbidden() {
    let supplied = Supplied::new();
    let hint = "hint: run `imgforge lock` with the same options, and look at what changes";
    let refuses = |reason: &str| {
        let first = format!(
            "error: ~/board-profiles/tiny.lock.yaml must be changed ({reason}), and --locked forbids it"
        );
        supplied.refuses(supplied.build(&["--locked"]), 1, &[&first, hint]);
    };
    refuses("there is no lock yet");
    supplied.locked(&[]);
    supplied.wants("tool (>= 1.0)");
    refuses("the role master wants other packages than are locked");
    supplied.wants("tool");
    succeeds(&mut supplied.build(&["--locked"]));
    supplied.bench.debugfs("rm /etc/hosts");
    refuses("the base is another than the lock was made for");
}

#[test]
fn a_lock_that_was_broken_by_hand_is_refused() {
    let (supplied, lock) = locked();
    fs::write(supplied.lock_path(), lock.replace("name: tool\n", "name: fool\n")).expect("the lock");
    supplied.refuses(
        supplied.build(&[]),
        1,
        &[
            "error: ~/board-profiles/tiny.lock.yaml: the set `master` names `tool`, which is not in the lock",
            "hint: the lock was edited: `imgforge lock --update` makes it anew",
        ],
    );
}

#[test]
fn without_network_an_empty_store_is_not_enough() {
    let supplied = Supplied::new();
    let hint = "hint: `imgforge fetch` with the same options gets it where there is a network";
    let missing = |file: &str| {
        format!(
            "error: {} is not in the store, and --offline forbids to fetch it",
            supplied.repository.url(file)
        )
    };
    supplied.refuses(supplied.build(&["--offline"]), 4, &[&missing("key.asc"), hint]);
    supplied.locked(&[]);
    fs::remove_dir_all(supplied.bench.path("store")).expect("the store");
    supplied.refuses(supplied.build(&["--frozen"]), 4, &[&missing(&tool("1.0").file_name()), hint]);
    assert!(supplied.repository.server().requests().len() < 10);
}

#[test]
fn what_was_seen_once_can_be_locked_without_network() {
    for file in ["Release", "InRelease"] {
        let supplied = Supplied::new();
        if file == "Release" {
            supplied.repository.remove("InRelease");
        }
        let first = supplied.locked(&[]);
        fs::remove_file(supplied.lock_path()).expect("the lock");
        let asked = supplied.repository.server().requests();
        assert_eq!(supplied.locked(&["--offline"]), first);
        assert_eq!(supplied.repository.server().requests(), asked);
    }
}

/// Takes the servers away.
fn without_servers(supplied: Supplied) -> Supplied {
    for file in ["key.asc", "InRelease", "Release", "Release.gpg", "Packages", &tool("1.0").file_name()] {
        supplied.repository.remove(file);
    }
    supplied
}

#[test]
fn what_was_fetched_builds_when_the_servers_are_gone() {
    let supplied = Supplied::new();
    let image = supplied.built(&[]);
    fs::remove_dir_all(supplied.bench.path("store")).expect("the store");
    succeeds(&mut supplied.imgforge(&["fetch"]));
    let supplied = without_servers(supplied);
    let asked = supplied.repository.server().requests();
    assert!(supplied.built(&["--frozen"]) == image);
    assert_eq!(supplied.repository.server().requests(), asked);
}

#[test]
fn an_exported_store_builds_the_same_elsewhere() {
    let supplied = Supplied::new();
    let image = supplied.built(&[]);
    let archive = supplied.bench.path("store.tar");
    let lock = supplied.lock_path();
    succeeds(supplied.bench.imgforge().args(["store", "export", "--lock"]).arg(&lock).arg(&archive));
    fs::remove_dir_all(supplied.bench.path("store")).expect("the store");
    let supplied = without_servers(supplied);
    succeeds(supplied.bench.imgforge().args(["store", "import"]).arg(&archive));
    assert!(supplied.built(&["--frozen"]) == image);
}

#[test]
fn a_package_damaged_in_the_store_is_not_unpacked() {
    let supplied = Supplied::new();
    supplied.locked(&[]);
    fs::remove_dir_all(supplied.bench.path("store/unpacked")).expect("what was unpacked");
    let right = supplied.repository.get(&tool("1.0").file_name());
    fs::write(supplied.stored(&right), [&right[1..], b"x"].concat()).expect("the store can be written");
    let name = supplied.stored(&right).display().to_string();
    let said = fails(&mut supplied.build(&["--frozen"]), 1);
    assert!(said.starts_with(&format!("error: the stored file {name} has SHA-256 ")), "{said}");
    assert!(said.ends_with("hint: delete the file and build again\n"), "{said}");
    assert!(!supplied.bench.output().exists());
    fs::remove_file(supplied.stored(&right)).expect("as the hint says");
    succeeds(&mut supplied.build(&["--locked"]));
}

#[test]
fn what_was_unpacked_and_damaged_since_does_not_become_an_image() {
    let supplied = Supplied::new();
    supplied.locked(&[]);
    let folder = fs::read_dir(supplied.bench.path("store/unpacked")).expect("what was unpacked");
    let contents = folder
        .flatten()
        .map(|entry| entry.path())
        .find(|path| fs::read(path).expect("a file") == b"tool 1.0\n");
    fs::write(contents.expect("the contents of the package"), "tool 9.9\n")
        .expect("the store can be written");
    let said = fails(&mut supplied.build(&["--frozen"]), 3);
    assert!(said.contains("root:/usr/bin/tool has SHA-256 "), "{said}");
    assert!(!supplied.bench.output().exists());
}

#[test]
fn two_builds_at_once_share_an_empty_store() {
    let supplied = Supplied::new();
    let both = ["a.img", "b.img"].map(|name| {
        let mut command = supplied.build_to(&supplied.bench.path("out").join(name));
        command.stdout(Stdio::null()).spawn().expect("imgforge can be run")
    });
    for mut build in both {
        assert!(build.wait().expect("it ends").success());
    }
    let image = |name: &str| fs::read(supplied.bench.path("out").join(name)).expect("the image");
    assert!(image("a.img") == image("b.img"));
    assert!(supplied.bench.store_is_sound());
}
