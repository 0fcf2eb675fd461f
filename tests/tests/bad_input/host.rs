//! What the build machine cannot do.

use std::{
    fs,
    io::Write,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    process::Command,
    thread,
    time::Duration,
};

use crate::bench::{Bench, Case, refused};
use imgforge_tests::{fails, sha256, succeeds};

/// `command` where `folder` of the bench is a file system of `size` bytes of its own. It needs no root: the mount is seen in
/// the command's own namespace only. What the command leaves in the folder is listed on standard error.
fn with_little_room(bench: &Bench, folder: &str, size: u32, command: &Command) -> Command {
    const SCRIPT: &str = "mount -t tmpfs -o size=\"$1\" none \"$0\" && cd \"$0\" && shift && \"$@\"; code=$?\n\
                          find . -type f -printf 'left behind: %p\\n' | sort >&2; exit $code";
    let folder = bench.path(folder);
    fs::create_dir_all(&folder).expect("a folder");
    let mut wrapped = Command::new("unshare");
    wrapped
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT])
        .arg(folder)
        .arg(size.to_string());
    wrapped.arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    wrapped
}

#[test]
fn a_full_disk_of_the_build_machine_is_named() {
    refused(&[
        Case {
            name: "no room for the image",
            input: |bench| with_little_room(bench, "out", 64 << 10, &bench.build()),
            code: 4,
            answer: &[
                "error: cannot write ~/out/node.img",
                "  caused by: no space left for `~/out/.node.img.imgforge.partial",
                "hint: make room, or choose another --output",
            ],
        },
        Case {
            name: "no room for the compressed image",
            input: |bench| with_little_room(bench, "out", 8 << 10, &to(bench, "out/node.img.xz")),
            code: 4,
            answer: &[
                "error: cannot write ~/out/node.img.xz",
                "  caused by: no space left for `~/out/.node.img.xz.imgforge.partial",
                "hint: make room, or choose another --output",
            ],
        },
        Case {
            name: "no room for the decoded base",
            input: |bench| with_little_room(bench, "store", 64 << 10, &bench.build()),
            code: 4,
            answer: &[
                "error: cannot decode ~/base.img",
                "  caused by: no space left for `~/store/bases/.decoding.img.imgforge.partial",
                "hint: make room there, or keep the store elsewhere with --store DIR",
                "left behind: ./bases/decode.lock",
                "left behind: ./lock",
            ],
        },
        Case {
            name: "no folder for the store",
            input: |bench| {
                let mut command = bench.build();
                command.env("IMGFORGE_STORE", bench.write("file", b""));
                command
            },
            code: 4,
            answer: &["error: cannot make ~/file/blobs", "  caused by: Not a directory"],
        },
    ]);
}

#[test]
fn a_decoded_base_that_somebody_wrote_to_is_not_used() {
    let bench = Bench::new();
    succeeds(&mut bench.build());
    fs::remove_file(bench.output()).expect("the image");
    let digest = sha256(&bench.base());
    let decoded = bench.path(&format!("store/bases/{digest}.img"));
    let writable = fs::Permissions::from_mode(0o644);
    fs::set_permissions(&decoded, writable).expect("the owner may write again");
    fs::File::options()
        .append(true)
        .open(&decoded)
        .and_then(|mut base| base.write_all(b"x"))
        .expect("a byte more");
    let found = sha256(&decoded);
    let name = decoded.display().to_string();
    let said = fails(&mut bench.build(), 1);
    let answer = format!(
        "error: the decoded image {name} has SHA-256 {found}, but {digest} was expected\nhint: delete the file and build again\n"
    );
    assert_eq!(said, answer);
    assert!(!bench.output().exists());
    fs::remove_file(&decoded).expect("what the hint says");
    succeeds(&mut bench.build());
}

#[test]
fn who_interrupts_a_run_leaves_nothing_half_made() {
    for (signal, number) in [("-INT", 2), ("-TERM", 15)] {
        let bench = Bench::new();
        // A base that takes many seconds to decode: 16 GiB of zeros in a file of a megabyte.
        let script = "head -c 64M /dev/zero | zstd -q >\"$0.frame\"; for _ in $(seq 256); do cat \"$0.frame\"; done >\"$0\"";
        let base = bench.path("base.img.zst");
        assert!(
            Command::new("sh").args(["-c", script]).arg(&base).status().expect("sh can be run").success()
        );
        let partial = bench.path("store/bases/.decoding.img.imgforge.partial");
        let mut child = bench.build_on(&base).spawn().expect("imgforge can be run");
        while !partial.exists() {
            assert_eq!(child.try_wait().expect("a child"), None, "it has ended before it began");
            thread::sleep(Duration::from_millis(10));
        }
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(kill.expect("kill can be run").success());
        assert_eq!(child.wait().expect("it ends").signal(), Some(number));
        assert!(!partial.exists());
        assert!(bench.store_is_sound());
    }
}

#[test]
fn a_base_beyond_all_cards_is_refused_before_it_is_hashed() {
    let bench = Bench::new();
    let huge = bench.path("huge.img");
    fs::File::create(&huge).and_then(|file| file.set_len(8 << 40)).expect("a sparse file");
    let said = fails(&mut bench.build_on(&huge), 1);
    let answer = format!(
        "error: cannot decode {}\n  caused by: the image is larger than the 274877906944 bytes expected of it\n",
        huge.display()
    );
    assert_eq!(said, answer);
}

#[test]
fn an_output_that_cannot_be_written_is_refused() {
    refused(&[
        Case {
            name: "no folder for it",
            input: |bench| to(bench, "nowhere/node.img"),
            code: 1,
            answer: &[
                "error: cannot write ~/nowhere/node.img: there is no folder ~/nowhere",
                "hint: `mkdir -p ~/nowhere`, or choose another --output",
            ],
        },
        Case {
            name: "a folder has its name",
            input: |bench| to(bench, "out"),
            code: 1,
            answer: &[
                "error: ~/out is no regular file",
                "hint: imgforge writes image files; to write a card, flash the image",
            ],
        },
        Case {
            name: "the base has its name",
            input: |bench| to(bench, "base.img"),
            code: 1,
            answer: &["error: ~/base.img is the base itself", "hint: choose another --output"],
        },
        Case {
            name: "a folder has the name of a file beside it",
            input: |bench| {
                fs::create_dir(bench.path("out/node.img.bmap")).expect("a folder");
                bench.build()
            },
            code: 1,
            answer: &["error: ~/out/node.img.bmap is no regular file", "hint: imgforge writes image files; "],
        },
    ]);
}

fn to(bench: &Bench, output: &str) -> Command {
    let mut command = bench.imgforge();
    command.args(["build", "--board", "tiny", "--role", "base", "--base"]).arg(bench.base());
    command.arg("--output").arg(bench.path(output));
    command
}
