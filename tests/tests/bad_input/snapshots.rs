//! Snapshots of etcd from which no cluster of ours can start. They are etcd's own.

use std::{fs, path::PathBuf, process::Command, sync::OnceLock};

use crate::bench::{Bench, Case, refused};
use imgforge_tests::{etcd_snapshot, of_cluster, repository, succeeds};

const CLUSTER: &str = "\
name: home
kubernetes: 1.36.4
add-ons: { network: none }
nodes:
  - { hostname: m, board: virt-arm64, role: master, address: 192.168.76.10/24 }
  - { hostname: w, board: virt-arm64 }
";

const ANOTHER: &str = "hint: take another: `imgforge cluster backup` and the masters' own backups are compared as they are made";
const UNFIT: &str = "error: ~/home.snapshot is no snapshot that can be restored";

/// `imgforge build --cluster home.yaml --restore home.snapshot OPTIONS`, with secrets.
fn build(bench: &Bench, options: &[&str]) -> Command {
    bench.write("home.yaml", CLUSTER.as_bytes());
    if !bench.path("home.secrets.yaml").exists() {
        succeeds(imgforge(bench).args(["cluster", "init", "--cluster"]).arg(bench.path("home.yaml")));
    }
    let mut command = imgforge(bench);
    command.args(["build", "--cluster"]).arg(bench.path("home.yaml"));
    command.arg("--restore").arg(bench.path("home.snapshot")).args(options);
    command
}

fn imgforge(bench: &Bench) -> Command {
    let mut command = bench.imgforge();
    command.env("IMGFORGE_PROFILES", repository().join("board-profiles"));
    command
}

/// A snapshot of the cluster `lab`, which is another one.
fn of_lab() -> Vec<u8> {
    static SNAPSHOT: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let folder = Bench::new();
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIBgDCCASWgAwIBAgIM\n-----END CERTIFICATE-----\n";
        etcd_snapshot(&of_cluster("lab", "1.36.4", certificate), &folder.path("snapshot"));
        fs::read(folder.path("snapshot")).expect("a snapshot")
    };
    SNAPSHOT.get_or_init(make).clone()
}

/// A build with that snapshot, altered.
fn altered(bench: &Bench, alter: impl FnOnce(&mut Vec<u8>)) -> Command {
    let mut bytes = of_lab();
    alter(&mut bytes);
    bench.write("home.snapshot", &bytes);
    build(bench, &[])
}

/// A snapshot of the bench's own cluster, when its control plane was of `release`.
fn own(bench: &Bench, release: &str) -> PathBuf {
    drop(build(bench, &[]));
    let secrets = fs::read_to_string(bench.path("home.secrets.yaml")).expect("secrets");
    let (_, of_ca) = secrets.split_once("\nca:\n  certificate: |\n").expect("an authority");
    let lines =
        of_ca.lines().take_while(|line| !line.contains("key:")).map(|line| line.trim().to_owned() + "\n");
    let path = bench.path("home.snapshot");
    etcd_snapshot(&of_cluster("home", release, &lines.collect::<String>()), &path);
    path
}

#[test]
fn a_snapshot_that_is_not_whole_or_not_ours_is_refused() {
    refused(&[
        Case {
            name: "none",
            input: |bench| build(bench, &[]),
            code: 1,
            answer: &["error: there is no snapshot ~/home.snapshot"],
        },
        Case {
            name: "a folder",
            input: |bench| {
                fs::create_dir(bench.path("home.snapshot")).expect("a folder");
                build(bench, &[])
            },
            code: 4,
            answer: &["error: cannot read ~/home.snapshot", "  caused by: it is no regular file"],
        },
        Case {
            name: "something else",
            input: |bench| {
                bench.write("home.snapshot", b"name: home\n");
                build(bench, &[])
            },
            code: 1,
            answer: &[
                UNFIT,
                "  caused by: its length, 11 bytes, is not that of a database with its hash: it is cut off, or something else",
                ANOTHER,
            ],
        },
        Case {
            name: "cut off",
            input: |bench| altered(bench, |bytes| bytes.truncate(bytes.len() - 4096)),
            code: 1,
            answer: &[UNFIT, "  caused by: its SHA-256 is ", ANOTHER],
        },
        Case {
            name: "a byte less",
            input: |bench| altered(bench, |bytes| bytes.truncate(bytes.len() - 1)),
            code: 1,
            answer: &[UNFIT, "  caused by: its length, ", ANOTHER],
        },
        Case {
            name: "a bit altered",
            input: |bench| altered(bench, |bytes| bytes[5000] ^= 4),
            code: 1,
            answer: &[UNFIT, "  caused by: its SHA-256 is ", ANOTHER],
        },
        Case {
            name: "a copy of etcd's file",
            input: |bench| altered(bench, |bytes| bytes.truncate(bytes.len() - 32)),
            code: 1,
            answer: &[
                UNFIT,
                "  caused by: there is no hash at its end: it is a copy of etcd's file, and no snapshot",
                ANOTHER,
            ],
        },
        Case {
            name: "of something else than Kubernetes",
            input: |bench| {
                etcd_snapshot(&[("/a".into(), "b".into())], &bench.path("home.snapshot"));
                build(bench, &[])
            },
            code: 1,
            answer: &[
                UNFIT,
                "  caused by: no cluster is in it: neither cluster-info nor kube-root-ca.crt",
                ANOTHER,
            ],
        },
        Case {
            name: "of another cluster",
            input: |bench| altered(bench, |_| {}),
            code: 1,
            answer: &[
                "error: ~/home.snapshot is of another cluster, which calls itself lab: its authority is not that of the secrets of home",
                "hint: take the cluster file and the secrets that the cluster was made with (--secrets)",
            ],
        },
        Case {
            name: "with secrets that were made again",
            input: |bench| {
                own(bench, "1.36.4");
                fs::remove_file(bench.path("home.secrets.yaml")).expect("they were there");
                build(bench, &[])
            },
            code: 1,
            answer: &[
                "error: ~/home.snapshot is of another cluster, which calls itself home: its authority is not that of the secrets of home",
                "hint: take the cluster file and the secrets that the cluster was made with (--secrets)",
            ],
        },
        Case {
            name: "of a newer Kubernetes",
            input: |bench| {
                own(bench, "1.37.0");
                build(bench, &[])
            },
            code: 1,
            answer: &[
                "error: ~/home.snapshot is of Kubernetes 1.37.0, and m is to have 1.36.4",
                "hint: write `kubernetes: 1.37.0`, or a release of the minor number after it, and upgrade when the cluster runs",
            ],
        },
        Case {
            name: "of one too old",
            input: |bench| {
                own(bench, "1.34.3");
                build(bench, &[])
            },
            code: 1,
            answer: &[
                "error: ~/home.snapshot is of Kubernetes 1.34.3, and m is to have 1.36.4",
                "hint: write `kubernetes: 1.34.3`, or a release of the minor number after it, and upgrade when the cluster runs",
            ],
        },
        Case {
            name: "for a worker",
            input: |bench| {
                own(bench, "1.36.4");
                build(bench, &["--node", "w"])
            },
            code: 1,
            answer: &[
                "error: a snapshot is restored on the first master, m, which is not among the nodes to be built",
                "hint: build m with it; the other masters' cards are made without, and join",
            ],
        },
        Case {
            name: "without a cluster",
            input: |bench| {
                let mut command = bench.build();
                command.arg("--restore").arg(bench.path("home.snapshot"));
                command
            },
            code: 2,
            answer: &[
                "error: the argument '--board <BOARD>' cannot be used with '--restore <SNAPSHOT>'",
                "",
                "Usage: imgforge build ",
                "",
                "For more information, try '--help'.",
            ],
        },
    ]);
}
