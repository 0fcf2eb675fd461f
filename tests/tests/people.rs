//! Who may log in: keys where their owners publish them, and the hash of a password.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use imgforge_tests::{Workbench, approved, fails, file_in, succeeds};

const KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdyb3d0aCBvZiBhIGJ1aWxkLCBtZWFzdXJlZCBoZXJl",
];
const PUBLISHED: &str = "/github.com/octocat.keys";

/// A workbench that reaches a forge, and a node whose user is known there.
struct Desk {
    bench: Workbench,
    node: PathBuf,
    lock: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let bench = Workbench::new();
        let configuration = bench.home.path().join("config.yaml");
        let mirror =
            format!("  https://github.com/octocat: ['{}/octocat']\n", bench.server.url("/github.com"));
        let text = fs::read_to_string(&configuration).unwrap() + &mirror;
        fs::write(configuration, text).unwrap();
        let (node, lock) = (bench.home.path().join("node.yaml"), bench.home.path().join("a.lock.yaml"));
        fs::write(&node, "users: [{ name: ops, ssh-keys: ['gh:octocat'] }]\n").unwrap();
        Self { bench, node, lock }
    }

    /// The forge has these as octocat's keys.
    fn publishes(&self, text: &str) {
        let file = self.bench.home.path().join("published");
        fs::write(&file, text).unwrap();
        self.bench.server.add(PUBLISHED, &file);
    }

    fn command(&self, verb: &str, options: &[&str]) -> Command {
        let mut command = self.bench.imgforge();
        command.args([verb, "--board", "rk3328", "--role", "base", "--node"]).arg(&self.node);
        command.arg("--lock").arg(&self.lock).args(options);
        command
    }

    fn build(&self, options: &[&str]) -> Command {
        let mut command = self.command("build", options);
        command.arg("--force").arg("--output").arg(self.bench.home.path().join("node.img"));
        command
    }

    /// Who may log in to the node that was built.
    fn authorized(&self) -> String {
        let root = approved(&self.bench.home.path().join("node.img"), self.bench.home.path());
        file_in(&root, "/home/ops/.ssh/authorized_keys")
    }
}

#[test]
fn published_keys_are_pinned_and_renewed_only_when_that_is_asked_for() {
    let desk = Desk::new();
    desk.publishes(&format!("{}\n", KEYS[0]));
    succeeds(&mut desk.build(&[]));
    assert_eq!(desk.authorized(), format!("{}\n", KEYS[0]));
    let lock = fs::read_to_string(&desk.lock).unwrap();
    assert!(
        lock.contains("gh:octocat") && lock.contains(KEYS[0]),
        "who may log in is there to be read: {lock}"
    );

    desk.publishes(&format!("{}\n{} new\n", KEYS[0], KEYS[1]));
    succeeds(&mut desk.build(&["--frozen"]));
    assert_eq!(desk.authorized(), format!("{}\n", KEYS[0]));

    succeeds(&mut desk.command("lock", &["--update", "gh:octocat"]));
    succeeds(&mut desk.build(&["--frozen"]));
    assert_eq!(desk.authorized(), format!("{}\n{} new\n", KEYS[0], KEYS[1]));

    fs::write(&desk.node, "users: [{ name: ops, ssh-keys: ['gh:octocat', 'gh:octocats-friend'] }]\n")
        .unwrap();
    let said = fails(&mut desk.build(&["--locked"]), 1);
    assert!(said.contains("wants other people's keys than are locked"), "{said}");
}

#[test]
fn what_is_published_and_no_key_ends_the_build() {
    let desk = Desk::new();
    desk.publishes("<!DOCTYPE html>\n<p>Sign in\n");
    let said = fails(&mut desk.build(&[]), 1);
    assert!(
        said.contains("octocat.keys has no keys for authorized_keys: line 1: this is a page, not keys"),
        "{said}"
    );
    assert!(said.contains("hint: give the address of the keys themselves"), "{said}");

    desk.publishes("\n");
    let said = fails(&mut desk.build(&[]), 1);
    assert!(said.contains("there is no key"), "{said}");

    let said = fails(&mut desk.build(&["--offline"]), 4);
    assert!(said.contains("error: the keys of `gh:octocat` cannot be had"), "{said}");

    fs::write(&desk.node, "users: [{ name: ops, ssh-keys: ['http://home.example/ops.keys'] }]\n").unwrap();
    let said = fails(&mut desk.build(&[]), 1);
    assert!(
        said.contains("node.yaml:1:") && said.contains("give an address that begins with https://"),
        "{said}"
    );
    let lock = fs::read_to_string(&desk.lock).unwrap_or_default();
    assert!(!lock.contains("octocat"), "{lock}");
}

#[test]
fn a_key_in_the_lock_that_was_edited_is_told() {
    let desk = Desk::new();
    desk.publishes(&format!("{}\n", KEYS[0]));
    succeeds(&mut desk.command("lock", &[]));
    let lock = fs::read_to_string(&desk.lock).unwrap();
    fs::write(&desk.lock, lock.replace(KEYS[0], "ssh-ed25519 AAAA")).unwrap();
    let said = fails(&mut desk.build(&[]), 1);
    assert!(
        said.contains("a.lock.yaml: the keys from `gh:octocat`: the data behind `ssh-ed25519`"),
        "{said}"
    );
}

/// A key of a whole cluster is every user's, on every node.
#[test]
fn published_keys_of_a_cluster_are_pinned_for_each_node() {
    let desk = Desk::new();
    desk.publishes(&format!("{}\n", KEYS[0]));
    let home = desk.bench.home.path();
    let text = "ssh-keys: ['gh:octocat']\nusers: [{ name: ops }]\nadd-ons: { network: none }\ncarry-images: false\nnodes:\n\
                \x20 - { hostname: master, board: virt-arm64, role: master }\n\
                \x20 - { hostname: desk-1, board: rk3328, role: base }\n  - { hostname: desk-2, board: rk3328, role: base }\n";
    fs::write(home.join("home.yaml"), text).unwrap();
    let run = |words: &[&str]| {
        succeeds(desk.bench.imgforge().current_dir(home).args(words).args(["--cluster", "home.yaml"]))
    };
    run(&["cluster", "init"]);
    run(&["lock", "--node", "desk-1", "--node", "desk-2"]);
    let lock = fs::read_to_string(home.join("home.rk3328.lock.yaml")).unwrap();
    assert_eq!(lock.matches("from: gh:octocat").count(), 1, "once, however many nodes: {lock}");
    run(&["build", "--node", "desk-2", "--frozen", "--output", "cards"]);
    let root = approved(&home.join("cards/desk-2.img"), home);
    assert_eq!(file_in(&root, "/home/ops/.ssh/authorized_keys"), format!("{}\n", KEYS[0]));
}

/// What `imgforge password` makes of `typed`, from a pipe.
fn piped(bench: &Workbench, typed: &str) -> Command {
    let mut command = Command::new("sh");
    let imgforge = bench.imgforge();
    command.args(["-c", "printf %s \"$1\" | \"$0\" password"]).arg(imgforge.get_program()).arg(typed);
    command
}

/// Whether `openssl` makes the same hash of `password` with the salt that is in `hash`.
fn judged(hash: &str, password: &str) {
    let parts: Vec<&str> = hash.trim().split('$').collect();
    let ["", "6", rounds, salt, _] = parts[..] else { panic!("{hash}") };
    let mut openssl = Command::new("openssl");
    openssl.args(["passwd", "-6", "-salt", &format!("{rounds}${salt}"), "-stdin"]);
    let mut child = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let made = child.wait_with_output().unwrap().stdout;
    assert_eq!(String::from_utf8(made).unwrap().trim(), hash.trim());
}

#[test]
fn a_password_becomes_the_hash_that_openssl_makes_of_it() {
    let bench = Workbench::new();
    for password in ["correct horse", "käse", "$6$", &"x".repeat(100)] {
        let output = succeeds(&mut piped(&bench, &format!("{password}\n")));
        judged(&String::from_utf8(output.stdout).unwrap(), password);
    }
    let two = [(); 2].map(|()| succeeds(&mut piped(&bench, "once")).stdout);
    assert_ne!(two[0], two[1], "two with one password are not known by it");
    assert_eq!(fails(&mut piped(&bench, "\n"), 1), "error: no password: it is empty\n");
    let two = fails(&mut piped(&bench, "one\ntwo\n"), 1);
    assert_eq!(two, "error: no password: standard input has more than one line\n");
    assert!(fails(&mut piped(&bench, "a\tb\n"), 1).contains("a control character"));
    let said = fails(&mut piped(&bench, &"ä".repeat(300)), 1);
    assert_eq!(said, "error: no password: it has more than 511 bytes\n");
}

#[test]
fn at_a_terminal_it_is_typed_twice_and_not_shown() {
    let bench = Workbench::new();
    let at_terminal = |answers: &str| {
        let mut script = Command::new("sh");
        let line = format!("'{}' password", bench.imgforge().get_program().display());
        script.args([
            "-c",
            "(sleep 1; printf \"$1\"; sleep 1; printf \"$2\") | script -qec \"$0\" /dev/null",
            &line,
        ]);
        let (first, second) = answers.split_once(' ').unwrap();
        let output = script.args([first, second]).env("NO_COLOR", "1").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let said = at_terminal("horse\\n horse\\n");
    assert!(!said.contains("horse"), "{said}");
    judged(said.lines().find(|line| line.starts_with("$6$")).unwrap(), "horse");
    let said = at_terminal("horse\\n house\\n");
    assert!(said.contains("error: no password: the two are not the same"), "{said}");
}

#[test]
fn ctrl_c_leaves_a_terminal_that_shows_what_is_typed() {
    let bench = Workbench::new();
    let line = format!("'{}' password; echo ended=$?; stty -a", bench.imgforge().get_program().display());
    let mut script = Command::new("sh");
    script.args(["-c", "(sleep 1; printf 'ab\\003'; sleep 1) | script -qec \"$0\" /dev/null", &line]);
    let said = String::from_utf8(script.output().unwrap().stdout).unwrap();
    assert!(said.contains("ended=130") && said.contains(" echo ") && !said.contains("-echo "), "{said}");
}
