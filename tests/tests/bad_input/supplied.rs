//! A board that takes its Kubernetes from a signed repository, or from artifacts, of the tests' own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::bench::{Bench, PROFILE};
use imgforge_tests::{Deb, Gnupg, SignedRepository, sha256, succeeds};

/// The lock of the board.
const LOCK: &str = "board-profiles/tiny.lock.yaml";

/// The bench whose board takes the release `test`, and the repository that has its packages.
pub struct Supplied {
    /// The bench.
    pub bench: Bench,
    /// The repository.
    pub repository: SignedRepository,
}

impl Supplied {
    /// All is as it should be: the board wants the package `tool`, and the repository has it.
    pub fn new() -> Self {
        Self::by(SignedRepository::new())
    }

    /// The same from a repository signed by a key of such a life.
    pub fn signed_by(gnupg: Gnupg, life: &str) -> Self {
        Self::by(SignedRepository::signed_by(gnupg, life))
    }

    fn by(mut repository: SignedRepository) -> Self {
        repository.add(&tool("1.0"));
        let bench = Bench::new();
        for folder in ["board-profiles/kubernetes", "overlays/common"] {
            fs::create_dir_all(bench.path(folder)).expect("a folder");
        }
        bench.profile(&format!("{PROFILE}kubernetes: {{ release: test, from: packages }}\n"));
        let supplied = Self { bench, repository };
        supplied.wants("tool");
        supplied
    }

    /// The release is these packages: relations, with a comma between them.
    pub fn wants(&self, packages: &str) {
        self.release(&format!("packages: [{packages}]\nrepositories: [{}]\n", self.repository.declaration()));
    }

    /// The board takes the artifact at `url` of the repository's server; `rest` is the rest of its declaration.
    pub fn wants_artifact(&self, file: &str, rest: &str) {
        self.bench.profile(&format!("{PROFILE}kubernetes: {{ release: test, from: artifacts }}\n"));
        let url = self.repository.url(file);
        self.release(&format!("artifacts: {{ arm64: {{ files: [{{ url: '{url}', {rest} }}] }} }}\n"));
    }

    fn release(&self, content: &str) {
        let text = format!("release: test\ndescription: of the tests\n{content}");
        self.bench.write("board-profiles/kubernetes/test.yaml", text.as_bytes());
    }

    /// Adds a package that the board wants in place of `tool`.
    pub fn wants_new(&mut self, deb: &Deb) {
        self.repository.add(deb);
        self.wants(deb.name());
    }

    /// `imgforge` with these words, for the board as a master.
    pub fn imgforge(&self, words: &[&str]) -> Command {
        self.imgforge_for("master", words)
    }

    /// The same in another role.
    pub fn imgforge_for(&self, role: &str, words: &[&str]) -> Command {
        let mut command = self.bench.imgforge();
        command.args(words).args(["--board", "tiny", "--role", role, "--base"]).arg(self.bench.base());
        // Nothing but the packages goes in.
        command.env("IMGFORGE_OVERLAYS", self.bench.path("overlays"));
        command
    }

    /// `imgforge build` with these options.
    pub fn build(&self, options: &[&str]) -> Command {
        let mut command = self.build_to(&self.bench.output());
        command.args(options);
        command
    }

    /// `imgforge build` of an image at `path`.
    pub fn build_to(&self, path: &Path) -> Command {
        let mut command = self.imgforge(&["build"]);
        command.arg("--output").arg(path);
        command
    }

    /// The image of a build that has to succeed.
    pub fn built(&self, options: &[&str]) -> Vec<u8> {
        succeeds(&mut self.build(options));
        fs::read(self.bench.output()).expect("the image")
    }

    /// The lock after `imgforge lock` with these options, which has to succeed.
    pub fn locked(&self, options: &[&str]) -> String {
        succeeds(&mut self.imgforge(&[&["lock"], options].concat()));
        self.lock()
    }

    /// The lock.
    pub fn lock(&self) -> String {
        fs::read_to_string(self.bench.path(LOCK)).expect("the lock")
    }

    /// Where the lock is.
    pub fn lock_path(&self) -> PathBuf {
        self.bench.path(LOCK)
    }

    /// `imgforge lock` refuses, as [`Bench::verdict`] has it.
    pub fn lock_refuses(&self, code: i32, answer: &[&str]) {
        self.refuses(self.imgforge(&["lock"]), code, answer);
    }

    /// The command refuses, as [`Bench::verdict`] has it.
    pub fn refuses(&self, command: Command, code: i32, answer: &[&str]) {
        if let Err(verdict) = self.bench.verdict(command, code, answer) {
            panic!("{verdict}");
        }
    }

    /// Where the store keeps a file with these bytes.
    pub fn stored(&self, bytes: &[u8]) -> PathBuf {
        self.bench.path("store/blobs").join(sha256(&self.bench.write("wanted", bytes)))
    }

    /// Whether the store has a file with these bytes.
    pub fn store_has(&self, bytes: &[u8]) -> bool {
        self.stored(bytes).exists()
    }
}

/// The package that the board wants, in some version.
pub fn tool(version: &str) -> Deb {
    Deb::new("tool", version).file("usr/bin/tool", format!("tool {version}\n").as_bytes())
}
