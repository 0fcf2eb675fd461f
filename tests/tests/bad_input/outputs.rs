//! Names for outputs that promise what is not written, or that something else has already.

use std::{fs, path::Path, process::Command};

use crate::bench::{Bench, Case, refused};
use imgforge_tests::{fails, repository, succeeds};

const OTHER: &str = "hint: choose another --output, or replace it with --force";

/// A build on the base into the file `output` of the bench.
fn to(bench: &Bench, output: &str) -> Command {
    let mut command = bench.imgforge();
    command.args(["build", "--board", "tiny", "--role", "base", "--base"]).arg(bench.base());
    command.arg("--output").arg(bench.path(output));
    command
}

#[test]
fn a_name_that_promises_what_is_not_written_is_refused() {
    const HINT: &str = "hint: choose such an --output, and convert it with the tool of your choice";
    refused(&[
        Case {
            name: "bzip2",
            input: |bench| to(bench, "out/node.img.bz2"),
            code: 1,
            answer: &[
                "error: ~/out/node.img.bz2 would be no `.bz2` file: images are written as .img, .img.xz, .img.zst, .img.gz",
                HINT,
            ],
        },
        Case {
            name: "a disk of a virtual machine",
            input: |bench| to(bench, "out/node.QCOW2"),
            code: 1,
            answer: &["error: ~/out/node.QCOW2 would be no `.qcow2` file: images are written as ", HINT],
        },
        Case {
            name: "another format than the one asked for",
            input: |bench| {
                let mut command = to(bench, "out/node.img.xz");
                command.args(["--format", "zst"]);
                command
            },
            code: 1,
            answer: &[
                "error: ~/out/node.img.xz is named as xz, but --format asks for zst",
                "hint: leave out --format, or choose another --output",
            ],
        },
        Case {
            name: "standard output",
            input: |bench| {
                let mut command = bench.imgforge();
                command.args(["build", "--board", "tiny", "--role", "base", "--output", "-", "--base"]);
                command.arg(bench.base());
                command
            },
            code: 1,
            answer: &[
                "error: an image is not written to standard output",
                "hint: it is read back before it gets its name, so it has to be a file: give one with --output",
            ],
        },
    ]);
}

#[test]
fn nothing_is_replaced_but_an_earlier_image() {
    refused(&[
        Case {
            name: "a file that imgforge did not write",
            input: |bench| {
                bench.write("out/node.img", b"somebody's");
                bench.build()
            },
            code: 1,
            answer: &[
                "error: ~/out/node.img is there already, and no manifest beside it says that imgforge wrote it",
                OTHER,
            ],
        },
        Case {
            name: "somebody's file where one would lie beside the image",
            input: |bench| {
                bench.write("out/node.img.sha256", b"somebody's");
                bench.build()
            },
            code: 1,
            answer: &["error: ~/out/node.img.sha256 is there already, and no manifest", OTHER],
        },
    ]);
    let bench = Bench::new();
    bench.write("out/node.img", b"somebody's");
    succeeds(bench.build().arg("--force"));
    let first = fs::read(bench.output()).expect("an image");
    succeeds(&mut bench.build());
    assert!(fs::read(bench.output()).expect("an image") == first);
    let arguments = ["build", "--board", "tiny", "--role", "base", "--hostname", "k1", "--offline", "--base"];
    let mut other = bench.home().imgforge();
    other.env("IMGFORGE_OVERLAYS", repository().join("overlays"));
    other.env("IMGFORGE_PROFILES", bench.path("board-profiles")).env("IMGFORGE_STORE", bench.path("store"));
    other.args(arguments).arg(bench.base()).arg("--output").arg(bench.output());
    let said = String::from_utf8(succeeds(&mut other).stderr).expect("text");
    assert!(said.contains("node.img was the image of tiny-base and will be that of k1\n"), "{said}");
}

/// `imgforge VERB --cluster home.yaml`, with the repository's boards.
fn of_cluster(bench: &Bench, verb: &[&str], name: &str) -> Command {
    let mut command = bench.imgforge();
    command.env("IMGFORGE_PROFILES", repository().join("board-profiles"));
    command.args(verb).arg("--cluster").arg(bench.path(name));
    command
}

#[test]
fn a_kubeconfig_replaces_only_one_of_the_same_cluster() {
    let bench = Bench::new();
    for name in ["home", "attic"] {
        let text = format!(
            "name: {name}\nadd-ons: {{ network: none }}\nnodes:\n  - {{ hostname: m, board: virt-arm64, role: master, address: \
             192.168.76.10/24 }}\n"
        );
        bench.write(&format!("{name}.yaml"), text.as_bytes());
        succeeds(&mut of_cluster(&bench, &["cluster", "init"], &format!("{name}.yaml")));
    }
    let output = bench.path("config");
    let kubeconfig = |name: &str| {
        let mut command = of_cluster(&bench, &["kubeconfig"], name);
        command.arg("--output").arg(&output);
        command
    };
    let refusal = |said: &str| said.contains("is there already, and is no kubeconfig of this cluster alone");
    fs::write(&output, "somebody's").expect("a file");
    assert!(refusal(&fails(&mut kubeconfig("home.yaml"), 1)));
    assert_eq!(fs::read(&output).expect("a file"), b"somebody's");
    succeeds(kubeconfig("home.yaml").arg("--force"));
    succeeds(&mut kubeconfig("home.yaml"));
    assert!(refusal(&fails(&mut kubeconfig("attic.yaml"), 1)));
}

#[test]
fn the_folder_for_a_cluster_is_made_and_is_no_image() {
    let bench = Bench::new();
    bench.write(
        "home.yaml",
        b"name: home\nadd-ons: { network: none }\nnodes:\n  - { hostname: m, board: virt-arm64, role: master, address: \
          192.168.76.10/24 }\n",
    );
    let build = |output: &Path| {
        let mut command = of_cluster(&bench, &["build", "--offline"], "home.yaml");
        fails(command.arg("--output").arg(output), 1)
    };
    let named = bench.path("new/m.img");
    let said = build(&named);
    assert!(said.contains("m.img would be the folder for all images\n"), "{said}");
    assert!(!named.exists());
    // The cluster has no secrets yet, but the folder is looked after before.
    let folder = bench.path("new/folder");
    let said = build(&folder);
    assert!(folder.is_dir() && said.contains("has no secrets yet"), "{said}");
}
