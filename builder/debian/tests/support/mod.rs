//! What the tests of this room share: packages made by the real tools.
#![allow(dead_code, reason = "each test program uses its own part")]

pub mod apt;
pub mod gnupg;
pub mod root;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a tool and gives its standard output; a failure ends the test with the tool's own words.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a shell script in `directory`.
pub fn shell(directory: &Path, script: &str) -> String {
    run(Command::new("sh").arg("-euc").arg(script).current_dir(directory))
}

/// A package to build: a script that fills the tree in its working directory, and the control fields beyond the usual.
pub struct Recipe<'a> {
    pub name: &'a str,
    pub architecture: &'a str,
    /// Further fields, each with its newline.
    pub fields: &'a str,
    /// Runs where the package's root is; `DEBIAN/` is there.
    pub script: &'a str,
}

impl Recipe<'_> {
    /// Builds it with `dpkg-deb` and gives the file.
    pub fn build(&self, directory: &Path, compression: &str) -> PathBuf {
        let tree = directory.join(format!("{}.tree", self.name));
        let control = format!(
            "Package: {}\nVersion: 1.0-1\nArchitecture: {}\nMaintainer: A Tester <tester@example.org>\n{}Description: a test\n more\n",
            self.name, self.architecture, self.fields
        );
        std::fs::create_dir_all(tree.join("DEBIAN")).unwrap();
        std::fs::write(tree.join("DEBIAN/control"), control).unwrap();
        shell(&tree, &format!("umask 022; {}", self.script));
        let deb = directory.join(format!("{}.deb", self.name));
        run(Command::new("dpkg-deb")
            .args(["--root-owner-group", &format!("-Z{compression}"), "--build"])
            .args([&tree, &deb])
            .env("SOURCE_DATE_EPOCH", "1700000000"));
        deb
    }
}
