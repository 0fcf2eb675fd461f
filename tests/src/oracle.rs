//! Programs of others that judge an image, without root: partitions are copied out of it, never mounted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SECTOR: u64 = 512;

/// A foreign program, and the Debian package that has it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    program: &'static str,
    package: &'static str,
}

impl Tool {
    /// Encrypts and decrypts.
    pub const AGE: Self = Self { program: "age", package: "age" };
    /// Makes keys for it.
    pub const AGE_KEYGEN: Self = Self { program: "age-keygen", package: "age" };
    /// Reads and repairs ext4 internals.
    pub const DEBUGFS: Self = Self { program: "debugfs", package: "e2fsprogs" };
    /// Prints an ext4 superblock.
    pub const DUMPE2FS: Self = Self { program: "dumpe2fs", package: "e2fsprogs" };
    /// Packs and reads packages.
    pub const DPKG_DEB: Self = Self { program: "dpkg-deb", package: "dpkg" };
    /// Checks ext4.
    pub const E2FSCK: Self = Self { program: "e2fsck", package: "e2fsprogs" };
    /// Checks FAT.
    pub const FSCK_FAT: Self = Self { program: "fsck.fat", package: "dosfstools" };
    /// Makes ext4.
    pub const MKE2FS: Self = Self { program: "mke2fs", package: "e2fsprogs" };
    /// Makes FAT.
    pub const MKFS_FAT: Self = Self { program: "mkfs.fat", package: "dosfstools" };
    /// Copies files into a FAT volume.
    pub const MCOPY: Self = Self { program: "mcopy", package: "mtools" };
    /// Prints a file of a FAT volume.
    pub const MTYPE: Self = Self { program: "mtype", package: "mtools" };
    /// Lists a FAT volume.
    pub const MDIR: Self = Self { program: "mdir", package: "mtools" };
    /// Prints the headers of U-Boot's images.
    pub const DUMPIMAGE: Self = Self { program: "dumpimage", package: "u-boot-tools" };
    /// Prints partition tables.
    pub const SFDISK: Self = Self { program: "sfdisk", package: "fdisk" };
    /// Checks and makes GPTs.
    pub const SGDISK: Self = Self { program: "sgdisk", package: "gdisk" };
    /// Prints digests.
    pub const SHA256SUM: Self = Self { program: "sha256sum", package: "coreutils" };
    /// Checks and lists .xz files.
    pub const XZ: Self = Self { program: "xz", package: "xz-utils" };

    /// Runs the program; any end is an answer, but not that it is missing.
    pub fn run<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        Command::new(self.program)
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}: install the package {}", self.program, self.package))
    }

    /// Runs the program and returns what it printed, which has to come with success.
    pub fn approves<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> String {
        let output = self.run(arguments);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{}: {}\n{printed}{}",
            self.program,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        printed
    }
}

/// A partition as `sfdisk` sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// First sector of 512 bytes.
    pub start: u64,
    /// Number of sectors.
    pub sectors: u64,
    /// Type: two hexadecimal digits in an MBR, a GUID in a GPT.
    pub kind: String,
}

impl Partition {
    /// Whether the table is a GPT.
    pub fn is_of_gpt(&self) -> bool {
        self.kind.len() > 2
    }

    /// The partition of `image` as the programs of e2fsprogs take it.
    pub fn ext4(&self, image: &Path) -> String {
        format!("{}?offset={}", image.display(), self.start * SECTOR)
    }

    /// The partition of `image` as mtools take it.
    pub fn fat(&self, image: &Path) -> String {
        format!("{}@@{}", image.display(), self.start * SECTOR)
    }

    /// Copies the partition of `image` into a file of its own in `dir`, holes left as holes.
    pub fn carve(&self, image: &Path, dir: &Path) -> PathBuf {
        let path = dir.join(format!("partition-at-{}", self.start));
        self.copy(image, &path).unwrap_or_else(|error| panic!("{}: {error}", image.display()));
        path
    }

    fn copy(&self, image: &Path, path: &Path) -> io::Result<()> {
        let mut from = File::open(image)?;
        from.seek(SeekFrom::Start(self.start * SECTOR))?;
        let mut from = from.take(self.sectors * SECTOR);
        let mut to = File::create(path)?;
        let mut chunk = Vec::with_capacity(1 << 16);
        while (&mut from).take(1 << 16).read_to_end(&mut chunk)? > 0 {
            if chunk.iter().all(|&byte| byte == 0) {
                to.seek_relative(chunk.len() as i64)?;
            } else {
                to.write_all(&chunk)?;
            }
            chunk.clear();
        }
        to.set_len(self.sectors * SECTOR)
    }
}

/// The partitions of `image` in the table's order.
pub fn partitions(image: &Path) -> Vec<Partition> {
    let dump = Tool::SFDISK.approves(["--dump", &image.to_string_lossy()]);
    dump.lines().filter_map(|line| parse_partition(line.split_once(" : ")?.1)).collect()
}

/// Reads `start= N, size= N, type=T, …`.
fn parse_partition(fields: &str) -> Option<Partition> {
    let field = |name| {
        fields
            .split(',')
            .find_map(|field| Some(field.trim().strip_prefix(name)?.trim_start_matches(['=', ' '])))
    };
    Some(Partition {
        start: field("start")?.parse().ok()?,
        sectors: field("size")?.parse().ok()?,
        kind: field("type")?.to_owned(),
    })
}

/// The SHA-256 of a file, in hexadecimal digits.
pub fn sha256(path: &Path) -> String {
    let printed = Tool::SHA256SUM.approves([path.to_str().expect("UTF-8")]);
    printed.split(' ').next().expect("a digest").to_owned()
}
