//! The store of a user: damaged, in use, incomplete, carried to a machine without network.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::published::Published;
use imgforge_tests::{sha256, succeeds};

/// A user who has built once from what a vendor published.
struct User {
    published: Published,
    /// What was published, in the store.
    blob: PathBuf,
}

impl User {
    fn new() -> Self {
        let published = Published::new();
        succeeds(&mut published.build());
        let blob = published.bench.path("store/blobs").join(sha256(&published.file));
        Self { published, blob }
    }

    /// `imgforge store` with these words.
    fn store(&self, words: &[&str]) -> Command {
        let mut command = self.published.bench.imgforge();
        command.arg("store").args(words).current_dir(self.published.bench.path(""));
        command
    }

    fn refuses(&self, command: Command, code: i32, answer: &[&str]) {
        if let Err(verdict) = self.published.bench.verdict(command, code, answer) {
            panic!("{verdict}");
        }
    }
}

#[test]
fn a_file_that_was_damaged_in_the_store_is_not_built_from() {
    let user = User::new();
    let (right, name) = (sha256(&user.published.file), user.blob.display().to_string());
    fs::write(&user.blob, "damaged").expect("the store can be written");
    let wrong = sha256(&user.blob);
    let output = user.published.build().output().expect("imgforge can be run");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "error: the stored file {name} has SHA-256 {wrong}, but {right} was expected\nhint: delete the file and build again\n"
        )
    );
    fs::remove_file(&user.blob).expect("as the hint says");
    succeeds(&mut user.published.build());
}

#[test]
fn an_exported_store_builds_the_same_image_without_network() {
    let user = User::new();
    let bench = &user.published.bench;
    let image = fs::read(bench.output()).expect("the image");
    succeeds(&mut user.store(&["export", "store.tar", "--lock", "board-profiles/tiny.yaml"]));
    for name in ["store", "out"] {
        fs::remove_dir_all(bench.path(name)).expect("a folder");
    }
    fs::create_dir(bench.path("out")).expect("a folder");
    succeeds(&mut user.store(&["import", "store.tar"]));
    let asked = user.published.server.requests().len();
    succeeds(user.published.build().arg("--offline"));
    assert_eq!(user.published.server.requests().len(), asked);
    assert!(fs::read(bench.output()).expect("the image") == image);
}

#[test]
fn what_is_in_the_store_is_listed_with_what_locks_call_it() {
    let user = User::new();
    let listed = |words: &[&str]| succeeds(&mut user.store(words)).stdout;
    let json = listed(&["list", "--json", "--lock", "board-profiles/tiny.yaml"]);
    let list: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let row = |index: usize| [&list[index]["kind"], &list[index]["sha256"], &list[index]["names"][0]];
    let (blob, image) = (sha256(&user.published.file), sha256(&user.published.bench.base()));
    assert_eq!(row(0), ["base-image", &blob, "tiny.img.xz"]);
    assert_eq!(row(1)[..2], ["decoded-base", &image]);
    assert_eq!(list.as_array().map(Vec::len), Some(2));

    succeeds(&mut user.store(&["prune", "--keep", "board-profiles/tiny.yaml"]));
    let left = String::from_utf8(listed(&["list"])).expect("UTF-8");
    assert!(left.contains(&blob) && !left.contains(&image), "{left}");
    succeeds(user.published.build().arg("--offline"));
}

#[test]
fn a_store_in_use_is_not_pruned() {
    let user = User::new();
    let lock = fs::File::open(user.published.bench.path("store/lock")).expect("the lock");
    lock.lock_shared().expect("it can be locked");
    user.refuses(
        user.store(&["prune"]),
        4,
        &["error: ~/store is in use by another imgforge", "hint: wait until it has ended"],
    );
}

#[test]
fn what_is_no_lock_does_not_empty_the_store() {
    let user = User::new();
    user.published.bench.write("other.yaml", b"name: x\n");
    user.refuses(
        user.store(&["prune", "--keep", "other.yaml"]),
        1,
        &[
            "error: other.yaml names no file by its SHA-256",
            "hint: give a lock file, or a profile with the `sha256` of its base",
        ],
    );
}

#[test]
fn a_store_that_lacks_what_a_lock_names_is_not_exported() {
    let user = User::new();
    let absent = "0".repeat(64);
    let lock = format!("packages: [{{ name: runc, version: '1', sha256: {absent} }}]\n");
    user.published.bench.write("x.lock.yaml", lock.as_bytes());
    user.refuses(
        user.store(&["export", "store.tar", "--lock", "x.lock.yaml"]),
        1,
        &[
            "error: the store does not have",
            &format!("  runc 1 ({absent})"),
            "hint: `imgforge fetch` gets what a board's lock names",
        ],
    );
}

#[test]
fn what_is_no_exported_store_is_not_imported() {
    let user = User::new();
    user.published.bench.write("x.tar", b"something else");
    user.refuses(
        user.store(&["import", "x.tar"]),
        1,
        &["error: x.tar is no exported store: ", "hint: export the store again, and copy the whole file"],
    );
    user.refuses(
        user.store(&["import", "gone.tar"]),
        4,
        &["error: cannot read gone.tar", "  caused by: No such file or directory"],
    );
}
