//! A build by the `imgforge` command on a local base, under the vendor's own name for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::{Base, Gnupg, Home, Partition, Tool, VendorServer, partitions, repository, sha256};

/// A home with a vendor's server in reach: what a user has who builds for a board.
#[derive(Debug)]
pub struct Workbench {
    /// The home.
    pub home: Home,
    /// The server that stands for the vendors'.
    pub server: VendorServer,
    profiles: PathBuf,
    store: PathBuf,
}

impl Workbench {
    /// Profiles whose bases are the local ones, served where the profile says the vendor has them. The store is the
    /// repository's, so that bases are decoded and packages fetched once.
    pub fn new() -> Self {
        Self::with_store(Home::new(), repository().join("out/store"))
    }

    /// The same with an empty store of its own.
    pub fn with_empty_store() -> Self {
        let home = Home::new();
        let store = home.path().join("store");
        Self::with_store(home, store)
    }

    fn with_store(home: Home, store: PathBuf) -> Self {
        let server = VendorServer::start();
        let profiles = home.path().join("board-profiles");
        copy_profiles(&profiles);
        for base in Base::ALL {
            let Some(path) = base.vendor_path() else { continue };
            server.add(path, &base.compressed());
            let checksums = home.path().join(format!("{}.sums", base.name()));
            fs::write(&checksums, format!("{}  {}\n", sha256(&base.compressed()), file_name(path)))
                .expect("a file");
            server.add(&format!("{path}.sha"), &checksums);
        }
        sign(&home, &server, &profiles);
        let config = format!(
            "mirrors:\n  https://dl.armbian.com/: ['{}']\n  https://downloads.raspberrypi.com/: ['{}']\n",
            server.url("/dl.armbian.com/"),
            server.url("/downloads.raspberrypi.com/"),
        );
        fs::write(home.path().join("config.yaml"), config).expect("the configuration");
        Self { home, server, profiles, store }
    }

    /// The folder with the profiles.
    pub fn profiles(&self) -> &Path {
        &self.profiles
    }

    /// `imgforge` with this workbench's configuration and profiles.
    pub fn imgforge(&self) -> Command {
        let mut command = self.home.imgforge();
        command
            .env("IMGFORGE_CONFIG", self.home.path().join("config.yaml"))
            .env("IMGFORGE_PROFILES", &self.profiles)
            .env("IMGFORGE_STORE", &self.store)
            .env("IMGFORGE_OVERLAYS", repository().join("overlays"));
        command
    }

    /// `imgforge build` for `board` into a file `name` of the home.
    pub fn build(&self, board: &str, role: &str, name: &str) -> (PathBuf, Command) {
        let path = self.home.path().join(name);
        let mut command = self.imgforge();
        command.args(["build", "--board", board, "--role", role, "--output"]).arg(&path);
        (path, command)
    }

    /// The same, run; it has to succeed.
    pub fn built(&self, board: &str, role: &str, name: &str, options: &[&str]) -> PathBuf {
        let (path, mut command) = self.build(board, role, name);
        succeeds(command.args(options));
        path
    }
}

impl Default for Workbench {
    fn default() -> Self {
        Self::new()
    }
}

/// The vendor whose images are pinned by signature signs with a key of the tests, which lies where a user's keys do.
fn sign(home: &Home, server: &VendorServer, profiles: &Path) {
    const VENDORS_KEY: &str = "DF00FAF1C577104B50BF1D0093D6889F9F0E78D5";
    let signed = Signed::get();
    let vendor = profiles.join("vendors/armbian.yaml");
    let text = fs::read_to_string(&vendor).expect("the vendor's description");
    fs::write(&vendor, text.replace(VENDORS_KEY, &signed.fingerprint)).expect("the description");
    fs::create_dir_all(profiles.join("keys")).expect("a folder");
    fs::write(profiles.join("keys/vendor.asc"), &signed.key).expect("the key");
    for (base, signature) in &signed.signatures {
        let file = home.path().join(format!("{}.asc", base.name()));
        fs::write(&file, signature).expect("the signature");
        let path = base.vendor_path().expect("it has a vendor");
        server.add(&format!("{path}.asc"), &file);
    }
}

/// A key, and its signatures on the bases that are pinned by one; made once.
struct Signed {
    fingerprint: String,
    key: String,
    signatures: Vec<(Base, Vec<u8>)>,
}

impl Signed {
    fn get() -> &'static Self {
        static SIGNED: OnceLock<Signed> = OnceLock::new();
        SIGNED.get_or_init(|| {
            let gnupg = Gnupg::new();
            let fingerprint = gnupg.key("vendor", "never");
            let bases = Base::ALL.into_iter().filter(|base| base.is_armbian());
            let signatures = bases.map(|base| (base, gnupg.sign("vendor", &base.compressed()))).collect();
            Self { fingerprint, key: gnupg.public_key("vendor"), signatures }
        })
    }
}

/// The repository's profiles; where a hash is of a vendor's image, the local stand-in's takes its place.
fn copy_profiles(to: &Path) {
    let from = repository().join("board-profiles");
    for folder in ["", "vendors", "keys", "kubernetes", "add-ons"] {
        fs::create_dir_all(to.join(folder)).expect("a folder");
        for entry in fs::read_dir(from.join(folder)).expect("the profiles") {
            let path = entry.expect("an entry").path();
            if path.is_file() && !path.to_string_lossy().ends_with(".lock.yaml") {
                let text = fs::read_to_string(&path).expect("a profile");
                let name = path.file_name().expect("a name");
                let text = if folder.is_empty() { localised(&text) } else { text };
                fs::write(to.join(folder).join(name), text).expect("a copy");
            }
        }
    }
}

/// Takes out sizes and hashes of images that cannot be had here.
fn localised(profile: &str) -> String {
    let raspios = sha256(&Base::RaspiosLike.compressed());
    let mut lines = Vec::new();
    for line in profile.lines() {
        let (key, value) = line.trim_start().split_once(':').unwrap_or((line.trim_start(), ""));
        match key {
            // Kubernetes' own servers cannot be reached from everywhere the tests run; Debian's mirror can.
            "kubernetes" if line.contains("release: \"") => {}
            "size" | "image-size" | "image-sha256" => {}
            "sha256" => lines.push(format!("  sha256: {raspios}")),
            "file" => lines.push(format!("  file: {}", repository().join(value.trim()).display())),
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Runs `command`, which has to succeed.
pub fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("the command can be run");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Runs `command`, which has to fail with this exit code; returns what it said.
pub fn fails(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("the command can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
    said
}

/// Asks every foreign checker about `image`; all must be content. Returns the root partition's file in `dir`.
pub fn approved(image: &Path, dir: &Path) -> PathBuf {
    let parts = partitions(image);
    let is_fat =
        |part: &&Partition| matches!(part.kind.as_str(), "c" | "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
    for part in parts.iter().filter(is_fat) {
        Tool::FSCK_FAT.approves(["-n", &part.carve(image, dir).to_string_lossy()]);
    }
    if parts.iter().any(|part| part.kind.len() > 2) {
        let verdict = Tool::SGDISK.approves(["--verify", &image.to_string_lossy()]);
        assert!(verdict.contains("No problems found"), "{verdict}");
    } else {
        Tool::SFDISK.approves(["--verify", &image.to_string_lossy()]);
    }
    let root = parts.last().expect("a partition").carve(image, dir);
    Tool::E2FSCK.approves(["-fn", &root.to_string_lossy()]);
    root
}

/// A file of the ext4 file system in the file `root`, as debugfs reads it.
pub fn file_in(root: &Path, path: &str) -> String {
    Tool::DEBUGFS.approves(["-R", &format!("cat {path}"), &root.to_string_lossy()])
}
