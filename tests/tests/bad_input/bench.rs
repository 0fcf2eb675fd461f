//! A board with a base so small that a build of it takes no time, and the judgement on how a bad input is answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use imgforge_tests::{Home, Tool, partitions, repository, sha256};

/// Where the root file system of the small base begins, in bytes.
pub const ROOT: u64 = 1 << 20;
/// Where its superblock begins, in bytes.
pub const SUPERBLOCK: u64 = ROOT + 1024;
const ROOT_SIZE: u64 = 24 << 20;

/// The table of the small base: one partition, to the end.
pub const TABLE: &str = "label: dos\nstart=2048, size=49152, type=83\n";

/// The packages of the small base, as dpkg has them.
const STATUS: &str = "\
Package: dpkg
Status: install ok installed
Architecture: arm64
Version: 1.22.21
Maintainer: x
Description: x

Package: libpresent
Status: install ok installed
Architecture: arm64
Version: 1.0
Maintainer: x
Description: x

";

/// The profile of its board.
pub const PROFILE: &str = "\
board: tiny
name: A board of the tests
vendor: armbian
architecture: arm64
cores: 2
memory: 512
reserve: 1
base: { url: 'https://vendor.invalid/tiny.img.xz', checksum-file: .sha }
layout: { table: mbr, root: 1 }
";

/// The first line of an answer about what is in the base.
pub const UNUSABLE: &str = "error: base.img cannot be used";

/// What to do where a root file system cannot grow as far as is needed.
pub const NO_ROOM: &str =
    "hint: take a base whose root has more room, or lower `reserve` in the board's profile";

/// A bad input, and the answer to it.
pub struct Case {
    /// What is wrong.
    pub name: &'static str,
    /// Makes the input; returns the command that meets it.
    pub input: fn(&Bench) -> Command,
    /// The exit code.
    pub code: i32,
    /// The lines of the answer, or their beginnings; `~` stands for the bench's folder.
    pub answer: &'static [&'static str],
}

/// Holds each case against a bench of its own.
pub fn refused(cases: &[Case]) {
    let verdicts = cases.iter().filter_map(|case| {
        let bench = Bench::new();
        let command = (case.input)(&bench);
        let verdict = bench.verdict(command, case.code, case.answer).err()?;
        Some(format!("{}: {verdict}", case.name))
    });
    let verdicts: Vec<_> = verdicts.collect();
    assert!(verdicts.is_empty(), "\n{}", verdicts.join("\n"));
}

/// A home with the board `tiny`, its base, and folders for profiles, outputs and the store.
#[derive(Debug)]
pub struct Bench {
    home: Home,
}

impl Bench {
    /// A bench with a base that is as it should be.
    pub fn new() -> Self {
        let bench = Self { home: Home::new() };
        for folder in ["board-profiles/vendors", "out"] {
            fs::create_dir_all(bench.path(folder)).expect("a folder");
        }
        for vendor in ["armbian.yaml", "raspberrypi.yaml"] {
            let from = repository().join("board-profiles/vendors").join(vendor);
            fs::copy(from, bench.path("board-profiles/vendors").join(vendor)).expect("a vendor");
        }
        bench.profile(PROFILE);
        fs::write(bench.base(), small_base()).expect("the base");
        bench
    }

    /// The home that the bench is in, whose `imgforge` is not quiet.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// A file or folder of the bench.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The base.
    pub fn base(&self) -> PathBuf {
        self.path("base.img")
    }

    /// Where [`build`](Self::build) puts the image.
    pub fn output(&self) -> PathBuf {
        self.path("out/node.img")
    }

    /// The root file system of the small base, or of an image made from it, as the programs of e2fsprogs take it.
    pub fn root_of(&self, image: &Path) -> String {
        partitions(image).first().expect("a partition").ext4(image)
    }

    /// Gives the board another profile.
    pub fn profile(&self, text: &str) {
        self.write("board-profiles/tiny.yaml", text.as_bytes());
    }

    /// Writes a file of the bench; returns its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// Puts `bytes` over those of the base at `offset`.
    pub fn overwrite(&self, offset: u64, bytes: &[u8]) {
        let base = File::options().write(true).open(self.base()).expect("the base");
        base.write_all_at(bytes, offset).expect("it can be written");
    }

    /// Inverts the byte of the base at `offset`.
    pub fn invert(&self, offset: u64) {
        let mut byte = [0];
        File::open(self.base()).and_then(|base| base.read_exact_at(&mut byte, offset)).expect("a byte");
        self.overwrite(offset, &[!byte[0]]);
    }

    /// Runs a request of debugfs that changes the root file system of the base.
    pub fn debugfs(&self, request: &str) -> String {
        // -n: what is written gets a right checksum though what was read had a wrong one.
        Tool::DEBUGFS.approves(["-n", "-w", "-R", request, &self.root_of(&self.base())])
    }

    /// `imgforge` with the profiles and the store of this bench.
    pub fn imgforge(&self) -> Command {
        let mut command = self.home.imgforge();
        command
            .env("IMGFORGE_PROFILES", self.path("board-profiles"))
            .env("IMGFORGE_STORE", self.path("store"))
            .env("IMGFORGE_OVERLAYS", repository().join("overlays"))
            .args(["--quiet", "--config"])
            .arg(self.write("config.yaml", b""));
        command
    }

    /// `imgforge build` on the base.
    pub fn build(&self) -> Command {
        self.build_on(&self.base())
    }

    /// `imgforge build` on another file.
    pub fn build_on(&self, base: &Path) -> Command {
        let mut command = self.build_published();
        command.arg("--base").arg(base);
        command
    }

    /// `imgforge build` on what the profile says.
    pub fn build_published(&self) -> Command {
        let mut command = self.imgforge();
        command.args(["build", "--board", "tiny", "--role", "base", "--output"]).arg(self.output());
        command
    }

    /// Runs `command`, which has to refuse: with this exit code, an answer of these lines, no change to any
    /// file that was there, nothing new outside the store, and a store that holds only what it says it holds.
    pub fn verdict(&self, command: Command, code: i32, answer: &[&str]) -> Result<(), String> {
        self.verdict_but_for(&[], command, code, answer)
    }

    /// The same, but the files `own` are the caller's to look at.
    pub fn verdict_but_for(
        &self,
        own: &[PathBuf],
        mut command: Command,
        code: i32,
        answer: &[&str],
    ) -> Result<(), String> {
        let before = self.files();
        let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        let said =
            String::from_utf8_lossy(&output.stderr).replace(&self.home.path().display().to_string(), "~");
        if output.status.code() != Some(code) {
            return Err(format!("{}, not {code}:\n{said}", output.status));
        }
        let lines: Vec<_> = said.lines().collect();
        if lines.len() != answer.len()
            || !lines.iter().zip(answer).all(|(line, begin)| line.starts_with(begin))
        {
            return Err(format!("wrong answer:\n{said}"));
        }
        let after = self.files();
        // What a build puts into the store stays there for the next one.
        let kept = |path: &PathBuf| path.starts_with(self.path("store")) && !before.contains_key(path);
        let differs =
            |path: &&PathBuf| before.get(*path) != after.get(*path) && !kept(path) && !own.contains(*path);
        let changed: BTreeSet<_> = before.keys().chain(after.keys()).filter(differs).collect();
        if !changed.is_empty() {
            return Err(format!("changed or left behind: {changed:?}"));
        }
        unsound(&self.path("store")).map_or(Ok(()), |path| Err(format!("in the store: {}", path.display())))
    }

    /// Whether the store holds only what it says it holds.
    pub fn store_is_sound(&self) -> bool {
        unsound(&self.path("store")).is_none()
    }

    /// Every file of the bench, with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder of the bench") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.clone(), fs::read(&path).expect("a file of the bench"));
                }
            }
        }
        files
    }
}

/// A file that has no place in a store, or is not what its name says.
fn unsound(store: &Path) -> Option<PathBuf> {
    let entries = |folder: &str| fs::read_dir(store.join(folder)).into_iter().flatten().flatten();
    entries("bases").chain(entries("blobs")).map(|entry| entry.path()).find(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.split_once('.') {
            Some(("decode", "lock")) | Some((_, "yaml")) => false,
            // The beginning of a download, which the next build goes on with.
            Some((_, "partial")) => false,
            Some((digest, "img")) => digest.is_empty() || sha256(path) != digest,
            Some(_) => true,
            None => sha256(path) != name,
        }
    })
}

/// The bytes of the small base, which is made once.
pub fn small_base() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| made_base(TABLE, "metadata_csum"))
}

/// A disk image with the partition table that sfdisk makes of `table`, and a little root file system at [`ROOT`], with the
/// ext4 `features` on top of the usual ones.
pub fn made_base(table: &str, features: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (tree, image) = (folder.path().join("tree"), folder.path().join("base.img"));
    for (path, text) in [
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/hostname", "tiny\n"),
        ("etc/fstab", "/dev/mmcblk0p1 / ext4 defaults 0 1\n"),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
        ("boot/armbianEnv.txt", "verbosity=1\n"),
        ("var/lib/dpkg/status", STATUS),
        ("var/lib/dpkg/info/dpkg.list", "/.\n"),
        ("var/lib/dpkg/info/libpresent.list", "/.\n"),
        (
            "usr/lib/systemd/system/ssh.service",
            "[Service]\nExecStart=/usr/sbin/sshd\n[Install]\nWantedBy=multi-user.target\n",
        ),
    ] {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().expect("a folder"))
            .and_then(|()| fs::write(path, text))
            .expect("a file");
    }
    File::create(&image).and_then(|image| image.set_len(ROOT + ROOT_SIZE)).expect("an image");
    let offset = format!("root_owner=0:0,offset={ROOT}");
    let (tree, image_name) = (tree.display().to_string(), image.display().to_string());
    let size = format!("{}k", ROOT_SIZE >> 10);
    Tool::MKE2FS.approves([
        "-q",
        "-t",
        "ext4",
        "-b",
        "4096",
        "-O",
        features,
        "-E",
        &offset,
        "-d",
        &tree,
        &image_name,
        &size,
    ]);
    partition(&image, table);
    fs::read(&image).expect("the image")
}

/// Writes the partition table that sfdisk makes of `table` into `image`.
pub fn partition(image: &Path, table: &str) {
    let mut sfdisk = Command::new("sfdisk");
    let mut child = sfdisk
        .args(["--quiet", "--no-reread", "--no-tell-kernel"])
        .arg(image)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("sfdisk can be run");
    child.stdin.take().expect("stdin is a pipe").write_all(table.as_bytes()).expect("sfdisk reads");
    assert!(child.wait().expect("sfdisk ends").success());
}
