//! Control characters in what others have written: they are shown, and never sent to the terminal.

use crate::bench::{Bench, Case, refused};
use imgforge_tests::succeeds;

/// Clears the screen, and sets the window's title.
const SEQUENCES: &str = "\x1b[2J\x1b]0;owned\x07";

#[test]
fn control_characters_of_a_settings_file_are_shown() {
    refused(&[Case {
        name: "an escape sequence in a host name",
        input: |bench| {
            let node = bench.write("node.yaml", b"hostname: \"a\\e[2Jb\"\n");
            let mut command = bench.build();
            command.arg("--node").arg(node);
            command
        },
        code: 1,
        answer: &[r"error: ~/node.yaml:1:11: hostname: `a\u{1b}[2Jb` is no host name"],
    }]);
}

#[test]
fn control_characters_of_an_image_are_shown() {
    let bench = Bench::new();
    let release = bench.write("os-release", format!("PRETTY_NAME=\"Tiny {SEQUENCES}\"\n").as_bytes());
    bench.debugfs(&format!("write {} /etc/os-release", release.display()));
    let output = succeeds(bench.imgforge().arg("inspect").arg(bench.base()));
    let printed = String::from_utf8(output.stdout).expect("text");
    assert!(printed.contains(r"Tiny \x1b[2J\x1b]0;owned\x07"), "{printed:?}");
    assert!(!printed.contains(['\x1b', '\x07']), "{printed:?}");
}
