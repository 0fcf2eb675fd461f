//! Keys and signatures by GnuPG, made for a test and gone with it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::succeeds;

/// GnuPG in a home of its own; its agent ends with it.
#[derive(Debug)]
pub struct Gnupg {
    home: TempDir,
    /// What its clock shows, in seconds since 1970; the machine's time if nothing.
    clock: Option<u64>,
}

impl Gnupg {
    /// Without keys.
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary directory"), clock: None }
    }

    /// The same, living at a time of the past (seconds since 1970).
    pub fn at(clock: u64) -> Self {
        let mut gnupg = Self::new();
        gnupg.clock = Some(clock);
        gnupg
    }

    /// Makes a key that signs, valid for a time in GnuPG's form (`10d`, `never`); returns its fingerprint.
    pub fn key(&self, user: &str, life: &str) -> String {
        self.run(&["--quick-generate-key", user, "ed25519", "sign,cert", life]);
        let listing = self.run(&["--with-colons", "--list-keys", user]);
        let line = listing.lines().find(|line| line.starts_with("fpr:")).expect("a fingerprint");
        line.split(':').nth(9).expect("the tenth field").to_owned()
    }

    /// Its home, for programs that call GnuPG themselves.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Whether `signature` is a good one of `file` by a key of this home; anything else ends the test.
    pub fn approves(&self, signature: &Path, file: &Path) {
        self.run(&["--verify", &signature.to_string_lossy(), &file.to_string_lossy()]);
    }

    /// The public key of `user`, armoured.
    pub fn public_key(&self, user: &str) -> String {
        self.run(&["--armor", "--export", user])
    }

    /// The detached signature of `user` on `file`, armoured.
    pub fn sign(&self, user: &str, file: &Path) -> Vec<u8> {
        self.signed(user, "--detach-sign", file)
    }

    /// The text `file` with the signature of `user` around it.
    pub fn clear_sign(&self, user: &str, file: &Path) -> Vec<u8> {
        self.signed(user, "--clear-sign", file)
    }

    fn signed(&self, user: &str, how: &str, file: &Path) -> Vec<u8> {
        let signature = self.home.path().join("signature");
        let (file, output) = (file.to_string_lossy(), signature.to_string_lossy());
        self.run(&["--local-user", user, "--armor", "--output", &output, how, &file]);
        fs::read(signature).expect("the signature")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.home.path()).args(["--batch", "--quiet", "--yes", "--no-tty"]);
        command.args(["--pinentry-mode=loopback", "--passphrase="]);
        // A key must not be from the signature's future, so the clock stands still.
        command.args(self.clock.map(|clock| format!("--faked-system-time={clock}!")));
        String::from_utf8(succeeds(command.args(arguments)).stdout).expect("UTF-8")
    }
}

impl Default for Gnupg {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        // What stays behind is an idle process, which notices by itself that its home has gone.
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home.path()).args(["--kill", "all"]).status();
    }
}
