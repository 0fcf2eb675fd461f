//! The running kernel through a loop mount: the judge that counts, where root and loop devices are at hand.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    fixture::{ARMBIAN, text, tool},
    oracle::Stored,
    tree::{Attrs, Entry, Kind, Tree, join, set_first},
};

/// A mounted image; unmounted when dropped.
pub struct Mount(TempDir);

impl Mount {
    /// Mounts an image with the given options; what mount says when it cannot.
    fn try_new(image: &Path, options: &str) -> Result<Self, String> {
        let place = TempDir::new().unwrap();
        let options = format!("loop,{options}");
        let output = tool("mount").args(["-t", "ext4", "-o", &options]).arg(image).arg(place.path()).output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(place)),
            Ok(output) => Err(text(&output)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Mounts an image, or nothing where this host cannot mount at all.
    #[track_caller]
    pub fn new(image: &Path, options: &str) -> Option<Self> {
        available().then(|| Self::try_new(image, options).unwrap_or_else(|said| panic!("mount: {said}")))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A child that another test is just starting may still hold a file of this mount open.
        let unmounted = (0..100).any(|attempt| {
            thread::sleep(Duration::from_millis(attempt.min(10)));
            tool("umount").arg(self.0.path()).output().unwrap().status.success()
        });
        assert!(unmounted || thread::panicking(), "{} stays mounted", self.0.path().display());
    }
}

/// Whether this host can mount an image mke2fs just made. Says so once when it cannot.
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| match Mount::try_new(Stored::new(&ARMBIAN.make()).path(), "ro") {
        Ok(_mount) => true,
        Err(said) => {
            eprintln!("the kernel is no judge here, ext4 images cannot be mounted: {}", said.trim());
            false
        }
    })
}

/// The tree as the kernel shows it, every name looked up by itself. `None` where it cannot be mounted.
#[track_caller]
pub fn tree(image: &Path) -> Option<Tree> {
    // noload: without it even a read-only mount may write to the journal.
    let mount = Mount::new(image, "ro,noload")?;
    Some(walk(mount.path()))
}

/// What of a tree the kernel shows: `user.` attributes of files and directories only.
pub fn visible(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    for entry in tree.values_mut() {
        if !matches!(entry.kind, Kind::File(_) | Kind::Directory) {
            entry.xattrs.retain(|name, _| !name.starts_with(b"user."));
        }
    }
    tree
}

fn walk(root: &Path) -> Tree {
    let mut inodes = BTreeMap::new();
    let mut tree = Tree::new();
    let mut pending = vec![Vec::new()];
    while let Some(path) = pending.pop() {
        let real = real(root, &path);
        let metadata = fs::symlink_metadata(&real).unwrap();
        if metadata.is_dir() {
            pending.extend(
                fs::read_dir(&real).unwrap().map(|entry| join(&path, entry.unwrap().file_name().as_bytes())),
            );
        }
        inodes.insert(path.clone(), metadata.ino());
        tree.insert(path, entry(&real, &metadata));
    }
    set_first(&mut tree, &inodes);
    tree
}

fn real(root: &Path, path: &[u8]) -> PathBuf {
    root.join(std::ffi::OsStr::from_bytes(path))
}

fn entry(real: &Path, metadata: &fs::Metadata) -> Entry {
    let file_type = metadata.file_type();
    let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    let kind = if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_symlink() {
        Kind::Symlink(fs::read_link(real).unwrap().into_os_string().into_vec())
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else if file_type.is_socket() {
        Kind::Socket
    } else if file_type.is_char_device() {
        Kind::CharDevice(major, minor)
    } else if file_type.is_block_device() {
        Kind::BlockDevice(major, minor)
    } else {
        Kind::File(fs::read(real).unwrap().into())
    };
    Entry {
        kind,
        mode: (metadata.mode() & 0o7777) as u16,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: metadata.mtime(),
        xattrs: xattrs(real, file_type.is_file() || file_type.is_dir()),
        links: metadata.nlink() as u32,
        first: Vec::new(),
    }
}

fn xattrs(real: &Path, user: bool) -> Attrs {
    let mut names = vec![0; 64 * 1024];
    let length = rustix::fs::llistxattr(real, &mut names).unwrap();
    names.truncate(length);
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let names = names.filter(|name| user || !name.starts_with(b"user."));
    names.map(|name| (name.to_vec(), xattr(real, name))).collect()
}

fn xattr(real: &Path, name: &[u8]) -> Vec<u8> {
    let mut value = vec![0; 64 * 1024];
    let name = std::ffi::CString::new(name).unwrap();
    let length = rustix::fs::lgetxattr(real, name.as_c_str(), &mut value).unwrap();
    value.truncate(length);
    value
}
