//! Images made by mke2fs: the formats the editor supports, empty or filled with a tree.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    ops::Range,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use imgforge_ext4::{Attributes, Content, Editor};
use tempfile::TempDir;

use crate::{
    disk::Disk,
    oracle::ext4_view,
    tree::{Kind, Tree},
};

pub const KIB: u64 = 1024;
pub const MIB: u64 = 1024 * KIB;

/// Seconds since 1970 at which every fixture is made.
pub const BASE_TIME: i64 = 1_700_000_000;

/// Seconds since 1970 that every test edits at.
pub const EPOCH: i64 = 1_750_000_000;

/// What `-t ext4` means to mke2fs 1.47, spelled out: a host's mke2fs.conf has no say in these tests.
const EXT4: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
                    large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

/// What mke2fs is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Size of the file system in bytes.
    pub size: u64,
    /// Features for `-O`, added to or (`^`) taken from [`EXT4`].
    pub features: &'static str,
    /// Further options, separated by spaces.
    pub options: &'static str,
    /// Extended options for `-E`.
    pub extended: &'static str,
    /// Features that tune2fs adds when the content is there.
    pub later: &'static str,
}

const fn format(size: u64, features: &'static str, options: &'static str) -> Format {
    Format { size, features, options, extended: "", later: "" }
}

// The layouts the vendors ship, scaled down, and their next versions.
pub const ARMBIAN: Format = format(32 * MIB, "", "-b 4096");
pub const RASPBERRY: Format = format(32 * MIB, "^64bit,^huge_file", "-b 4096");
pub const SEED_ORPHAN_FILE: Format = format(32 * MIB, "metadata_csum_seed,orphan_file", "-b 4096");

// One thing at a time is otherwise.
pub const BLOCKS_1K: Format = format(16 * MIB, "", "-b 1024");
pub const BLOCKS_2K: Format = format(24 * MIB, "metadata_csum_seed", "-b 2048 -G 2");
pub const GROUP_CHECKSUMS: Format = format(16 * MIB, "^64bit,^metadata_csum,uninit_bg", "-b 1024");
pub const NO_CHECKSUMS: Format = format(16 * MIB, "^64bit,^metadata_csum", "-b 1024");
pub const NO_FLEX_GROUPS: Format = format(16 * MIB, "^flex_bg", "-b 1024");
pub const FLEX_GROUPS_OF_FOUR: Format = format(48 * MIB, "orphan_file", "-b 1024 -G 4");
pub const NO_RESIZE_INODE: Format = format(16 * MIB, "^resize_inode", "-b 1024");
pub const NO_DIR_INDEX: Format = format(16 * MIB, "^dir_index", "-b 1024");
pub const FEW_FEATURES: Format = format(16 * MIB, "^dir_nlink,^large_file,^huge_file,^ext_attr", "-b 2048");
pub const NO_JOURNAL: Format = format(16 * MIB, "^has_journal", "-b 1024");
pub const SMALL_INODES: Format = format(16 * MIB, "^extra_isize", "-b 4096 -I 128");
pub const SMALL_INODES_UNSEALED: Format =
    format(16 * MIB, "^64bit,^metadata_csum,uninit_bg", "-b 1024 -I 128");
/// Converted from ext3: what mke2fs put in has block maps, what is new has extents.
pub const BLOCK_MAPS: Format =
    Format { later: "extent", ..format(16 * MIB, "^extent,^64bit,^flex_bg,^metadata_csum", "-b 1024") };
pub const NO_SPARSE_SUPER: Format = format(24 * MIB, "^sparse_super,^resize_inode", "-b 1024");
pub const SMALL_GROUPS: Format = format(8 * MIB, "", "-b 1024 -g 1024 -N 512");

impl Format {
    /// The same format in another size (bytes).
    pub const fn sized(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// The same format with other further options.
    pub const fn with(self, options: &'static str) -> Self {
        Self { options, ..self }
    }

    /// Makes an empty file system.
    pub fn make(&self) -> Disk {
        self.make_with(&[])
    }

    /// Makes a file system that holds a copy of `directory`.
    pub fn make_from(&self, directory: &Path) -> Disk {
        self.make_with(&[OsStr::new("-d"), directory.as_os_str()])
    }

    fn make_with(&self, more: &[&OsStr]) -> Disk {
        let place = TempDir::new().unwrap();
        let image = place.path().join("image");
        fs::File::create(&image).unwrap().set_len(self.size).unwrap();
        let mut mke2fs = tool("mke2fs");
        mke2fs.args([
            "-q",
            "-F",
            "-I",
            "256",
            "-i",
            "8192",
            "-L",
            "fixture",
            "-U",
            "6a7a2f5c-8f3b-4c57-9d0e-1d2c3b4a5968",
        ]);
        let separator = if self.extended.is_empty() { "" } else { "," };
        let seed = "hash_seed=0b1c2d3e-4f50-4162-8394-a5b6c7d8e9fa,root_owner=0:0";
        mke2fs.args(["-E", &format!("{seed}{separator}{}", self.extended)]);
        mke2fs.args(["-O", &format!("{EXT4},{}", self.features)]);
        run(mke2fs.args(self.options.split_whitespace()).args(more).arg(&image));
        if !self.later.is_empty() {
            run(tool("tune2fs").args(["-O", self.later]).arg(&image));
        }
        Disk::load(&image)
    }
}

/// Makes changes to an image with a real tool that takes the image's path last.
pub fn altered_by(disk: &Disk, program: &str, arguments: &[&str]) -> Disk {
    let place = TempDir::new().unwrap();
    let image = place.path().join("image");
    disk.store(&image);
    let output = tool(program).args(arguments).arg(&image).output().unwrap();
    // e2fsck says 1 when it changed something as asked.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{program} {arguments:?}: {}", text(&output));
    Disk::load(&image)
}

/// Makes changes to an image by debugfs commands. Its complaints are failures, whatever its exit status.
pub fn debugged(disk: &Disk, commands: &str) -> Disk {
    let place = TempDir::new().unwrap();
    let (image, script) = (place.path().join("image"), place.path().join("script"));
    disk.store(&image);
    fs::write(&script, commands).unwrap();
    let mut debugfs = tool("debugfs");
    let output = run(debugfs.arg("-w").arg("-f").arg(&script).arg(&image));
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = complaints.lines().filter(|line| !line.starts_with("debugfs 1.")).collect();
    assert!(complaints.is_empty(), "debugfs {commands}: {complaints:?}");
    Disk::load(&image)
}

/// Content with holes.
#[derive(Debug, Default)]
pub struct Sparse {
    length: u64,
    stretches: BTreeMap<u64, Vec<u8>>,
}

impl Sparse {
    pub fn append(mut self, data: &[u8]) -> Self {
        self.stretches.insert(self.length, data.to_vec());
        self.length += data.len() as u64;
        self
    }

    pub fn skip(mut self, length: u64) -> Self {
        self.length += length;
        self
    }

    /// All of it, holes as zeros.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length as usize];
        self.read_at(0, &mut bytes).unwrap();
        bytes
    }
}

impl Content for Sparse {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.length);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.fill(0);
        for (at, data) in &self.stretches {
            let (from, to) = (offset.max(*at), end.min(at + data.len() as u64));
            if from < to {
                let part = &data[(from - at) as usize..(to - at) as usize];
                buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(part);
            }
        }
        Ok(())
    }

    fn data(&self) -> Vec<Range<u64>> {
        let stretches = self.stretches.iter().filter(|(_, data)| !data.is_empty());
        stretches.map(|(at, data)| *at..at + data.len() as u64).collect()
    }
}

/// A directory of the host that becomes the content of an image.
pub struct Stage(TempDir);

impl Stage {
    /// In memory where that is possible: hundreds of small files come and go.
    pub fn new() -> Self {
        Self(TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, name: &[u8]) -> std::path::PathBuf {
        self.0.path().join(OsStr::from_bytes(name))
    }

    pub fn directory(&self, name: &str) -> &Self {
        fs::create_dir_all(self.at(name.as_bytes())).unwrap();
        self
    }

    pub fn file(&self, name: &str, content: &[u8], mode: u32) -> &Self {
        fs::write(self.at(name.as_bytes()), content).unwrap();
        fs::set_permissions(self.at(name.as_bytes()), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub fn symlink(&self, name: &str, target: &str) -> &Self {
        std::os::unix::fs::symlink(target, self.at(name.as_bytes())).unwrap();
        self
    }

    pub fn hard_link(&self, existing: &str, name: &str) -> &Self {
        fs::hard_link(self.at(existing.as_bytes()), self.at(name.as_bytes())).unwrap();
        self
    }
}

/// A little of everything a vendor's root file system holds.
pub fn vendor_tree() -> Stage {
    let stage = Stage::new();
    stage
        .directory("etc/ssh")
        .directory("usr/bin")
        .directory("usr/lib")
        .directory("var/empty")
        .directory("many");
    stage
        .file("etc/hostname", b"renegade\n", 0o644)
        .file("etc/shadow", b"root:!:19000::::::\n", 0o640)
        .file("usr/bin/tool", &pattern(b't', 150_000), 0o4755)
        .file("usr/lib/empty", b"", 0o644)
        .symlink("bin", "usr/bin")
        .symlink("etc/long", &format!("../usr/{}", "x/".repeat(60)))
        .hard_link("usr/bin/tool", "usr/bin/alias")
        .hard_link("usr/bin/tool", "usr/lib/alias");
    for number in 0..200 {
        stage.file(&format!("many/entry-{number:05}-of-a-directory-with-several-blocks"), b"x", 0o600);
    }
    stage
}

/// What an image made from [`vendor_tree`] holds: read by ext4-view, with the links that it does not show.
pub fn vendor_tree_in(disk: &Disk) -> Tree {
    let mut tree = ext4_view::tree(disk);
    for name in ["usr/bin/tool", "usr/lib/alias"] {
        tree.get_mut(name.as_bytes()).unwrap().first = b"usr/bin/alias".to_vec();
    }
    assert!(matches!(&tree[&b"usr/lib/alias"[..]].kind, Kind::File(content) if content.len() == 150_000));
    tree
}

/// Opens, edits and commits.
pub fn edited(disk: &Disk, edit: impl FnOnce(&mut Editor<Disk>)) -> Disk {
    let mut editor = Editor::open(disk.clone(), EPOCH).unwrap();
    edit(&mut editor);
    editor.commit().unwrap()
}

/// Bytes as the editor takes them.
pub fn content(bytes: &[u8]) -> Arc<dyn Content> {
    Arc::new(bytes.to_vec())
}

/// No attribute given: what stands there is kept, what is new gets the defaults.
pub const DEFAULT: Attributes = Attributes { mode: None, uid: None, gid: None, mtime: None, xattrs: None };

/// A set of extended attributes from names and values.
pub fn xattrs(pairs: &[(&str, &[u8])]) -> Attributes {
    let pairs = pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()));
    Attributes { xattrs: Some(pairs.collect()), ..DEFAULT }
}

/// `length` bytes that differ from block to block and from one `seed` to the next, and are nowhere zero.
pub fn pattern(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| (seed ^ (at / 251) as u8 ^ (at % 251) as u8) | 1).collect()
}

/// A command in a fixed environment, so that the same call makes the same bytes.
pub fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
        .env("LC_ALL", "C")
        .env("E2FSPROGS_FAKE_TIME", BASE_TIME.to_string())
        .env("MKE2FS_CONFIG", "/dev/null")
        .env("E2FSCK_CONFIG", "/dev/null")
        .env("DEBUGFS_PAGER", "cat");
    command
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    output
}

/// What a command said, both streams.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
