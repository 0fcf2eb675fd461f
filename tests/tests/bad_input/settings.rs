//! What the user writes: profiles, node files, options, the environment.

use std::process::Command;

use crate::bench::{Bench, Case, PROFILE, refused};

/// A build for a board with `from` replaced in its profile.
fn profile(bench: &Bench, from: &str, to: &str) -> Command {
    assert!(PROFILE.contains(from), "{from}");
    bench.profile(&PROFILE.replace(from, to));
    bench.build()
}

/// A build with a node file.
fn node(bench: &Bench, text: &str) -> Command {
    let mut command = bench.build();
    command.arg("--node").arg(bench.write("node.yaml", text.as_bytes()));
    command
}

#[test]
fn a_faulty_profile_is_refused_with_its_place() {
    refused(&[
        Case {
            name: "an unknown key",
            input: |bench| profile(bench, "memory:", "memroy:"),
            code: 1,
            answer: &[
                "error: ~/board-profiles/tiny.yaml:6:1: unknown field `memroy`, expected one of `board`, `name`, ",
                "hint: did you mean `memory`?",
            ],
        },
        Case {
            name: "an unknown key below",
            input: |bench| profile(bench, "root: 1", "rot: 1"),
            code: 1,
            answer: &[
                "error: ~/board-profiles/tiny.yaml:9:23: layout: unknown field `rot`, expected one of `table`, `root`, `boot`",
                "hint: did you mean `root`?",
            ],
        },
        Case {
            name: "a wrong type",
            input: |bench| profile(bench, "cores: 2", "cores: four"),
            code: 1,
            answer: &[
                "error: ~/board-profiles/tiny.yaml:5:8: cores: invalid type: string \"four\", expected u32",
            ],
        },
        Case {
            name: "an unknown value",
            input: |bench| profile(bench, "table: mbr", "table: mbrr"),
            code: 1,
            answer: &[
                "error: ~/board-profiles/tiny.yaml:9:18: layout.table: unknown variant `mbrr`, expected `mbr` or `gpt`",
                "hint: did you mean `mbr`?",
            ],
        },
        Case {
            name: "no YAML",
            input: |bench| profile(bench, "cores: 2", "cores: [1'"),
            code: 1,
            answer: &["error: ~/board-profiles/tiny.yaml:"],
        },
        Case {
            name: "a bad hash",
            input: |bench| profile(bench, "checksum-file: .sha", "sha256: CAFE"),
            code: 1,
            answer: &["error: ~/board-profiles/tiny.yaml:8:"],
        },
        Case {
            name: "no hash",
            input: |bench| profile(bench, ", checksum-file: .sha", ""),
            code: 1,
            answer: &[
                "error: ~/board-profiles/tiny.yaml: base: give `sha256`, or `checksum-file` where the vendor publishes one beside the image",
            ],
        },
        Case {
            name: "an unknown vendor",
            input: |bench| profile(bench, "armbian", "armbain"),
            code: 1,
            answer: &[
                "error: ~/board-profiles/tiny.yaml: names the vendor `armbain`, but there is no vendors/armbain.yaml",
            ],
        },
        Case {
            name: "an alias that another board has",
            input: |bench| {
                bench.write(
                    "board-profiles/other.yaml",
                    PROFILE.replace("board: tiny", "board: other\naliases: [tiny]").as_bytes(),
                );
                bench.build()
            },
            code: 1,
            answer: &["error: ~/board-profiles/tiny.yaml: `tiny` already stands for the board `other`"],
        },
    ]);
}

#[test]
fn a_faulty_node_file_is_refused_with_its_place() {
    refused(&[
        Case {
            name: "an unknown key",
            input: |bench| node(bench, "hostnam: x\n"),
            code: 1,
            answer: &[
                "error: ~/node.yaml:1:1: unknown field `hostnam`, expected one of `hostname`, `users`, ",
                "hint: did you mean `hostname`?",
            ],
        },
        Case {
            name: "a name that is none",
            input: |bench| node(bench, "hostname: a_b\n"),
            code: 1,
            answer: &[
                "error: ~/node.yaml:1:11: hostname: `a_b` is no host name: a-z, 0-9 and inner hyphens, at most 63 a label and 64 in all",
            ],
        },
        Case {
            name: "an unusable value below",
            input: |bench| node(bench, "users:\n  - { name: a }\nmounts: [{ source: x,\n  target: / }]\n"),
            code: 1,
            answer: &["error: ~/node.yaml:4:3: mounts[0].target: the root file system is the image's own"],
        },
        Case {
            name: "not there",
            input: |bench| {
                let mut command = bench.build();
                command.args(["--node", "/nowhere/node.yaml"]);
                command
            },
            code: 1,
            answer: &["error: cannot read /nowhere/node.yaml", "  caused by: No such file or directory"],
        },
    ]);
}

#[test]
fn faulty_options_and_variables_are_refused() {
    refused(&[
        Case {
            name: "a time that is none",
            input: |bench| {
                let mut command = bench.build();
                command.env("SOURCE_DATE_EPOCH", "abc");
                command
            },
            code: 1,
            answer: &[
                "error: SOURCE_DATE_EPOCH=`abc` is no number of seconds since 1970",
                "hint: unset SOURCE_DATE_EPOCH, or give it a number",
            ],
        },
        Case {
            name: "an unknown board",
            input: |bench| {
                let mut command = bench.imgforge();
                command.args(["build", "--board", "tinny", "--role", "base"]);
                command
            },
            code: 1,
            answer: &["error: no board is called `tinny`", "hint: did you mean `tiny`?"],
        },
        Case {
            name: "an unknown role",
            input: |bench| {
                let mut command = bench.imgforge();
                command.args(["build", "--board", "tiny", "--role", "boss"]);
                command
            },
            code: 2,
            answer: &[
                "error: invalid value 'boss' for '--role <ROLE>'",
                "  [possible values: base, master, worker]",
                "",
                "For more information, try '--help'.",
            ],
        },
        Case {
            name: "no profiles",
            input: |bench| {
                let mut command = bench.build();
                command.env("IMGFORGE_PROFILES", "/nowhere");
                command
            },
            code: 1,
            answer: &[
                "error: no board profiles found; looked in /nowhere",
                "hint: name the folder with --profiles",
            ],
        },
        Case {
            name: "an unknown key in config.yaml",
            input: |bench| {
                let command = bench.build();
                bench.write("config.yaml", b"miror: {}\n");
                command
            },
            code: 1,
            answer: &[
                "error: ~/config.yaml:1:1: unknown field `miror`, expected one of `mirrors`, `caches`, `store`, `profiles`",
                "hint: did you mean `mirrors`?",
            ],
        },
    ]);
}
