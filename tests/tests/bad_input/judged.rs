//! Nodes that would not work: the plan is good, the image would be, too, and the node would not.

use std::{fs, process::Command};

use serde_json::Value;

use imgforge_tests::{Tool, repository, succeeds};

use crate::bench::{Bench, Case, PROFILE, refused};

const HINT: &str = "hint: where you know better, `allow: [RULE]` in the node's settings or the cluster file overrules a rule";

/// Where links say what is started.
const WANTS: &str = "etc/systemd/system/multi-user.target.wants";

/// A build with a node file.
fn node(bench: &Bench, text: &str) -> Command {
    let mut command = bench.build();
    command.arg("--node").arg(bench.write("node.yaml", text.as_bytes()));
    command
}

/// The base sets up its network with a manager that imgforge has no files for.
fn start_dhcpcd(bench: &Bench) {
    for folder in ["etc/systemd", "etc/systemd/system", WANTS] {
        bench.debugfs(&format!("mkdir {folder}"));
    }
    let unit = "/usr/lib/systemd/system/dhcpcd.service";
    let service = bench.write("dhcpcd.service", b"[Service]\nExecStart=/usr/sbin/dhcpcd\n");
    bench.debugfs(&format!("write {} {unit}", service.display()));
    bench.debugfs(&format!("symlink {WANTS}/dhcpcd.service {unit}"));
}

#[test]
fn a_node_that_would_not_work_is_refused_before_anything_is_written() {
    refused(&[
        Case {
            name: "a disk over the package database",
            input: |bench| node(bench, "hostname: n1\nmounts: [{source: LABEL=x, target: /var}]\n"),
            code: 1,
            answer: &[
                "error: the node n1 would not work:",
                "  ~/node.yaml:2:28: mounts[0].target: LABEL=x would be mounted over /var/lib/dpkg of the image",
                HINT,
            ],
        },
        Case {
            name: "an address that nobody sets",
            input: |bench| {
                start_dhcpcd(bench);
                node(bench, "hostname: n1\naddress: {address: 192.168.1.10/24}\n")
            },
            code: 1,
            answer: &[
                "error: the node n1 would not work:",
                "  ~/node.yaml:2:1: address: the base sets up its network with dhcpcd, but the address is written for systemd-networkd",
                HINT,
            ],
        },
        Case {
            name: "a base that another init starts",
            input: |bench| {
                bench.debugfs("mkdir sbin");
                bench.debugfs("symlink sbin/init openrc-init");
                bench.build()
            },
            code: 1,
            answer: &[
                "error: the node tiny-base would not work:",
                "  /sbin/init: the base is started by openrc-init, not by systemd",
                HINT,
            ],
        },
    ]);
}

/// A master, and two nodes of which the second would not work on this base; the file alone does not show it.
const CLUSTER: &str = "\
name: home
add-ons: {network: none}
nodes:
  - {hostname: m1, board: tiny, role: master} # not made here: there is no Kubernetes for it
  - {hostname: n1, board: tiny, role: base}
  - {hostname: n2, board: tiny, role: base, address: 192.168.1.10/24}
";

/// `imgforge WORDS --cluster home.yaml` with [`CLUSTER`] and its secrets. The board's base is the bench's own.
fn cluster(bench: &Bench, words: &[&str]) -> Command {
    let published = "{ url: 'https://vendor.invalid/tiny.img.xz', checksum-file: .sha }";
    bench.profile(&PROFILE.replace(published, "{ file: base.img, made-by: hand, checksum-file: .sha256 }"));
    start_dhcpcd(bench);
    let release = fs::read(repository().join("board-profiles/kubernetes/1.36.yaml")).expect("a release");
    fs::create_dir_all(bench.path("board-profiles/kubernetes")).expect("a folder");
    bench.write("board-profiles/kubernetes/1.36.yaml", &release);
    let base = bench.base().display().to_string();
    let sum = Tool::SHA256SUM.approves([base.as_str()]).replace(&base, "base.img");
    bench.write("base.img.sha256", sum.as_bytes());
    let file = bench.write("home.yaml", CLUSTER.as_bytes());
    let command = |words: &[&str]| {
        let mut command = bench.imgforge();
        command.args(words).arg("--cluster").arg(&file);
        command
    };
    succeeds(&mut command(&["cluster", "init"]));
    let mut command = command(words);
    command.args(["--node", "n1", "--node", "n2"]);
    command
}

#[test]
fn no_node_of_a_cluster_is_written_where_one_would_not_work() {
    refused(&[Case {
        name: "the second node",
        input: |bench| {
            let mut command = cluster(bench, &["build"]);
            command.arg("--output").arg(bench.path("out"));
            command
        },
        code: 1,
        answer: &[
            "error: the node n2 would not work:",
            "  ~/home.yaml:6:45: address: the base sets up its network with dhcpcd",
            HINT,
        ],
    }]);
}

#[test]
fn the_plans_of_a_cluster_are_one_document_with_the_places_of_what_is_wrong() {
    let bench = Bench::new();
    let output = cluster(&bench, &["plan", "--json"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let plans: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!([&plans[0]["hostname"], &plans[1]["hostname"]], ["n1", "n2"]);
    assert_eq!(plans[0]["findings"], Value::Array(Vec::new()));
    let finding = &plans[1]["findings"][0];
    assert_eq!(finding["rule"], "network-manager");
    assert_eq!([&finding["line"], &finding["column"]], [6, 45]);
    assert!(finding["file"].as_str().is_some_and(|file| file.ends_with("home.yaml")));
}

#[test]
fn findings_of_a_cluster_file_can_be_read_by_programs() {
    let bench = Bench::new();
    let file =
        bench.write("home.yaml", b"name: home\nnodes:\n  - {hostname: n1, board: tinny, role: base}\n");
    let mut command = bench.imgforge();
    let output =
        command.args(["cluster", "check", "--json", "--cluster"]).arg(file).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let findings: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(findings[0]["path"], "nodes[0].board");
    assert_eq!([&findings[0]["line"], &findings[0]["column"]], [3, 20]);
    assert_eq!(findings[0]["suggestion"], "did you mean `tiny`?");
}
