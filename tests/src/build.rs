//! A build by the `imgforge` command on a local base, under the vendor's own name for it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::{Base, Gnupg, Home, Partition, Tool, VendorServer, partitions, repository};

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
        let mirrors = ["dl.armbian.com/", "github.com/armbian/", "downloads.raspberrypi.com/"]
            .map(|host| format!("  https://{host}: ['{}']\n", server.url(&format!("/{host}"))));
        fs::write(home.path().join("config.yaml"), format!("mirrors:\n{}", mirrors.concat()))
            .expect("the configuration");
        let profiles = home.path().join("board-profiles");
        let boards = copy_profiles(&profiles);
        trust_the_tests_key(&profiles);
        let bench = Self { home, server, profiles, store };
        for board in boards {
            if let Some(base) = Base::of(&board) {
                bench.publish(&board, base);
            }
        }
        bench
    }

    /// Serves `base` where the profile of `board` says that the vendor has its image, if it has one.
    fn publish(&self, board: &str, base: Base) {
        let path = self.profiles.join(format!("{board}.yaml"));
        let profile = fs::read_to_string(&path).expect("the profile");
        let url = profile.lines().find_map(|line| line.trim_start().strip_prefix("url: https:/"));
        let Some(url) = url.map(str::to_owned) else { return };
        fs::write(&path, with_digest(&profile, &base.sha256())).expect("the profile");

        self.server.add(&url, &base.compressed());
        let name = url.rsplit('/').next().unwrap_or_default();
        self.serve(&format!("{url}.sha"), format!("{}  {name}\n", base.sha256()).as_bytes());
        if let Some(signature) = Signed::get().signatures.get(base.name()) {
            self.serve(&format!("{url}.asc"), signature);
        }
    }

    /// Serves `bytes` under `path`.
    fn serve(&self, path: &str, bytes: &[u8]) {
        let file = self.home.path().join(path.replace('/', "_"));
        fs::write(&file, bytes).expect("a file");
        self.server.add(path, &file);
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

/// Compares two images, or what lies beside both with one of `suffixes` behind its name.
pub fn same(one: &Path, two: &Path, suffixes: &[&str]) {
    for suffix in suffixes {
        let (one, two) = (format!("{}{suffix}", one.display()), format!("{}{suffix}", two.display()));
        let output = Command::new("cmp").args([one, two]).output().expect("cmp runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

impl Default for Workbench {
    fn default() -> Self {
        Self::new()
    }
}

/// The vendor whose images are pinned by signature signs with a key of the tests, which lies where a user's keys do.
fn trust_the_tests_key(profiles: &Path) {
    const VENDORS_KEY: &str = "DF00FAF1C577104B50BF1D0093D6889F9F0E78D5";
    let signed = Signed::get();
    let vendor = profiles.join("vendors/armbian.yaml");
    let text = fs::read_to_string(&vendor).expect("the vendor's description");
    fs::write(&vendor, text.replace(VENDORS_KEY, &signed.fingerprint)).expect("the description");
    fs::create_dir_all(profiles.join("keys")).expect("a folder");
    fs::write(profiles.join("keys/vendor.asc"), &signed.key).expect("the key");
}

/// A key, and its signatures on the bases that are pinned by one; made once.
struct Signed {
    fingerprint: String,
    key: String,
    signatures: BTreeMap<&'static str, Vec<u8>>,
}

impl Signed {
    fn get() -> &'static Self {
        static SIGNED: OnceLock<Signed> = OnceLock::new();
        SIGNED.get_or_init(|| {
            let gnupg = Gnupg::new();
            let fingerprint = gnupg.key("vendor", "never");
            let bases = Base::ALL.into_iter().filter(|base| base.is_armbian());
            let signatures = bases.map(|base| (base.name(), gnupg.sign("vendor", &base.compressed())));
            Self { fingerprint, key: gnupg.public_key("vendor"), signatures: signatures.collect() }
        })
    }
}

/// Copies the repository's profiles, without what cannot be had here; returns the boards' names.
fn copy_profiles(to: &Path) -> Vec<String> {
    let from = repository().join("board-profiles");
    let mut boards = Vec::new();
    for folder in ["", "vendors", "keys", "kubernetes", "add-ons"] {
        fs::create_dir_all(to.join(folder)).expect("a folder");
        for entry in fs::read_dir(from.join(folder)).expect("the profiles") {
            let path = entry.expect("an entry").path();
            if path.is_file() && !path.to_string_lossy().ends_with(".lock.yaml") {
                let text = fs::read_to_string(&path).expect("a profile");
                let name = path.file_name().expect("a name");
                let text = if folder.is_empty() {
                    boards.extend(path.file_stem().map(|board| board.to_string_lossy().into_owned()));
                    localised(&text)
                } else {
                    text
                };
                fs::write(to.join(folder).join(name), text).expect("a copy");
            }
        }
    }
    boards.sort();
    boards
}

/// Takes out the sizes and hashes of images that cannot be had here.
fn localised(profile: &str) -> String {
    let mut lines = Vec::new();
    for line in profile.lines() {
        let (key, value) = line.trim_start().split_once(':').unwrap_or((line.trim_start(), ""));
        match key {
            // Kubernetes' own servers cannot be reached from everywhere the tests run; Debian's mirror can.
            "kubernetes" if line.contains("release: \"") => {}
            "size" | "image-size" | "image-sha256" => {}
            "file" => lines.push(format!("  file: {}", repository().join(value.trim()).display())),
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

/// The profile with `sha256` for the vendor's image, if it names one at all.
fn with_digest(profile: &str, sha256: &str) -> String {
    let lines = profile.lines().map(|line| match line.trim_start().starts_with("sha256:") {
        true => format!("  sha256: {sha256}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
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
    if parts.iter().any(Partition::is_of_gpt) {
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

/// Boot loaders lie before the first partition and, some of them, in sector 0 in front of the partition table's entries:
/// `after` has to have the bytes of `before` there.
pub fn same_boot_loader(before: &Path, after: &Path) {
    let (old, new) = (partitions(before), partitions(after));
    let starts = |parts: &[Partition]| parts.iter().map(|part| part.start).collect::<Vec<_>>();
    assert_eq!(starts(&old), starts(&new), "{}", after.display());
    // A GPT has 34 sectors, an MBR one, whose entries lie from byte 446 on.
    let table = if old.iter().any(Partition::is_of_gpt) { 34 } else { 1 };
    let gap = |image: &Path| read_at(image, table * 512, (old[0].start - table) * 512);
    assert!(gap(before) == gap(after), "{}: the gap before the first partition", after.display());
    assert_eq!(read_at(before, 0, 446), read_at(after, 0, 446), "{}: sector 0", after.display());
}

/// `length` bytes of `image` from `offset` on.
pub fn read_at(image: &Path, offset: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    File::open(image).and_then(|file| file.read_exact_at(&mut bytes, offset)).expect("an image");
    bytes
}
