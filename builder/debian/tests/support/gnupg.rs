//! Keys and signatures made by GnuPG.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;

use imgforge_debian::{Fingerprint, Keyring};

use super::run;

/// The first key is made at this time (seconds since 1970), everything after it some seconds later.
pub const MADE: u64 = 1_700_000_000;

/// A key ring of GnuPG's; its agent ends with it.
pub struct Gnupg {
    home: tempfile::TempDir,
    /// GnuPG's clock, which stands still during a call: keys from the future would not do.
    time: Cell<u64>,
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home.path()).args(["--kill", "all"]).status();
    }
}

impl Gnupg {
    pub fn new() -> Self {
        Gnupg { home: tempfile::tempdir().unwrap(), time: Cell::new(MADE) }
    }

    pub fn gpg(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.home.path()).args(["--batch", "--quiet", "--yes", "--no-tty"]);
        let time = self.time.replace(self.time.get() + 10);
        command.args([&format!("--faked-system-time={time}!"), "--pinentry-mode=loopback", "--passphrase="]);
        run(command.args(arguments))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Makes a key and gives its fingerprint.
    pub fn key(&self, user: &str, algorithm: &str, usage: &str, life: &str) -> Fingerprint {
        self.gpg(&["--quick-generate-key", user, algorithm, usage, life]);
        let listing = self.gpg(&["--with-colons", "--list-keys", user]);
        let line = listing.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().parse().unwrap()
    }

    pub fn keyring(&self) -> Keyring {
        self.gpg(&["--armor", "--output", self.path("keys").to_str().unwrap(), "--export"]);
        Keyring::parse(&std::fs::read(self.path("keys")).unwrap()).unwrap()
    }

    /// Signs a text; the last of `how` is the mode.
    pub fn sign_text(&self, text: &str, how: &[&str], user: &str) -> Vec<u8> {
        std::fs::write(self.path("text"), text).unwrap();
        let (input, output) = (self.path("text"), self.path("signed"));
        let rest = ["--local-user", user, "--output", output.to_str().unwrap(), input.to_str().unwrap()];
        let (mode, options) = how.split_last().unwrap();
        self.gpg(&[options, &rest[..4], &[mode], &rest[4..]].concat());
        std::fs::read(output).unwrap()
    }
}
