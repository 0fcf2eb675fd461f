//! Cards to write images onto: files that stand for one, and loop devices over them, which only root can have.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::succeeds;

/// A file with the bytes that an older use has left.
pub fn used_card(path: &Path, size: u64) {
    let mut old = Command::new("sh");
    old.args(["-c", &format!("yes old-data | head -c {size} > \"$0\"")]).arg(path);
    succeeds(&mut old);
}

/// An image of `size` bytes with an MBR and one ext4 in it, most of which is data; with the block map that bmaptool makes of
/// it beside it.
pub fn card_image(path: &Path, size: u64) {
    let data = path.with_extension("data");
    fs::create_dir_all(&data).expect("a folder");
    let mut fill = Command::new("sh");
    // Of which no two pages are alike, and which are the same in every run.
    let content = format!("seq 1 {size} | head -c {} > \"$0/data\"", size * 6 / 10);
    succeeds(fill.args(["-c", &content]).arg(&data));
    File::create(path).and_then(|file| file.set_len(size)).expect("an image");
    let mut make = Command::new("mke2fs");
    make.args(["-q", "-t", "ext4", "-L", "rootfs", "-E", "offset=1048576", "-d"]).arg(&data).arg(path);
    succeeds(make.arg(format!("{}k", (size - (1 << 20)) / 1024)));
    let mut table = Command::new("sh");
    table.args(["-c", "echo 2048,,L | sfdisk -q --label dos \"$0\""]).arg(path);
    succeeds(&mut table);
    map_of(path);
}

/// Makes the block map of the image `path`, beside it.
pub fn map_of(path: &Path) {
    let map = succeeds(Command::new("bmaptool").arg("create").arg(path)).stdout;
    fs::write(format!("{}.bmap", path.display()), map).expect("a map");
}

/// A loop device over a file; it ends when the value goes.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
}

impl LoopDevice {
    /// A device over `file`, with more `options` of losetup; nothing, aloud, where there can be none.
    pub fn over(file: &Path, options: &[&str]) -> Option<Self> {
        let may = Path::new("/dev/loop-control").metadata().is_ok() && is_root();
        if !may {
            eprintln!("not tried: loop devices need root and /dev/loop-control");
            return None;
        }
        let mut losetup = Command::new("losetup");
        losetup.args(["--find", "--show"]).args(options).arg(file);
        let path = String::from_utf8(succeeds(&mut losetup).stdout).expect("a path");
        Some(Self { path: path.trim().into() })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

/// Whether this runs as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").expect("a process").uid() == 0
}

/// Whether the first block of `card`, where the partition table is, has only zeros.
pub fn has_no_table(card: &Path) -> bool {
    let mut first = [0; 4096];
    File::open(card).and_then(|file| file.read_exact_at(&mut first, 0)).expect("a card");
    first.iter().all(|byte| *byte == 0)
}
