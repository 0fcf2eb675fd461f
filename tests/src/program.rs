//! The `imgforge` command, run in a home of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// The top of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests have a folder of the repository")
}

/// An empty home: nothing that `imgforge` keeps or configures comes from, or stays on, the machine.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
}

impl Home {
    /// A new one; it goes when the value goes.
    pub fn new() -> Self {
        Self {
            dir: tempfile::Builder::new().prefix("imgforge-home-").tempdir().expect("a temporary directory"),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The command, with the repository as working directory and no environment but `PATH` and this home.
    pub fn imgforge(&self) -> Command {
        let mut command = Command::new(binary());
        command
            .current_dir(repository())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("TMPDIR", self.path());
        command
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// The command of the same profile as this test: `target/PROFILE/imgforge` beside `target/PROFILE/deps/TEST`. Cargo
/// builds it with the workspace's tests, but not for this package alone, so it is asked to.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("the test knows its own path");
        let profile = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
        let name = match profile.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--package", "imgforge", "--profile", name])
            .env("CARGO_TARGET_DIR", profile.parent().expect("target holds the profile"))
            .current_dir(repository())
            .status()
            .expect("cargo can be run");
        assert!(status.success(), "cargo build --package imgforge: {status}");
        profile.join("imgforge")
    })
}
