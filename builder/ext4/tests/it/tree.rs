//! What a file system holds, in the form in which every reader of the tests gives it and every model predicts it.

use std::{collections::BTreeMap, sync::Arc};

use imgforge_ext4::{Device, Editor, FileType};

/// Extended attributes: full name (`user.x`) to value.
pub type Attrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// A tree by path, without leading slash; the root is the empty path.
pub type Tree = BTreeMap<Vec<u8>, Entry>;

/// One name in a tree and all that can be known of its inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    pub xattrs: Attrs,
    pub links: u32,
    /// The first path of the same inode.
    pub first: Vec<u8>,
}

/// Type and content.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    File(Arc<[u8]>),
    Directory,
    Symlink(Vec<u8>),
    Fifo,
    Socket,
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(content) => write!(f, "File({} bytes)", content.len()),
            Self::Symlink(target) => write!(f, "Symlink({})", target.escape_ascii()),
            Self::CharDevice(major, minor) => write!(f, "CharDevice({major}, {minor})"),
            Self::BlockDevice(major, minor) => write!(f, "BlockDevice({major}, {minor})"),
            Self::Directory => f.write_str("Directory"),
            Self::Fifo => f.write_str("Fifo"),
            Self::Socket => f.write_str("Socket"),
        }
    }
}

/// Path of a name in a directory.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// Directory and name of a path.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// Sets [`Entry::first`] from inode numbers by path.
pub fn set_first(tree: &mut Tree, inodes: &BTreeMap<Vec<u8>, u64>) {
    let mut first: BTreeMap<u64, &Vec<u8>> = BTreeMap::new();
    for (path, inode) in inodes {
        first.entry(*inode).or_insert(path);
    }
    for (path, entry) in tree.iter_mut() {
        entry.first = first[&inodes[path]].clone();
    }
}

/// Fails with the paths that differ, each with both sides, rather than with two whole trees.
#[track_caller]
pub fn assert_same(who: &str, found: &Tree, expected: &Tree) {
    let paths: std::collections::BTreeSet<&Vec<u8>> = found.keys().chain(expected.keys()).collect();
    let wrong: Vec<String> = paths
        .into_iter()
        .filter(|path| found.get(*path) != expected.get(*path))
        .map(|path| {
            let (found, expected) = (found.get(path), expected.get(path));
            format!("{}\n  found    {found:?}\n  expected {expected:?}", path.escape_ascii())
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{who} sees another tree in {} places:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
}

/// The tree as the editor itself reads it.
pub fn of_editor<D: Device>(editor: &Editor<D>) -> Tree {
    let mut inodes = BTreeMap::new();
    let mut tree = Tree::new();
    let mut pending = vec![Vec::new()];
    while let Some(path) = pending.pop() {
        let absolute = [b"/", path.as_slice()].concat();
        let metadata = editor
            .metadata(&absolute)
            .unwrap()
            .unwrap_or_else(|| panic!("{} is listed but not there", path.escape_ascii()));
        let (major, minor) = metadata.device.unwrap_or_default();
        let kind = match metadata.file_type {
            FileType::Regular => Kind::File(editor.read_file(&absolute).unwrap().into()),
            FileType::Directory => {
                let names = editor.read_directory(&absolute).unwrap().into_iter().map(|entry| entry.name);
                pending.extend(
                    names.filter(|name| name != b"." && name != b"..").map(|name| join(&path, &name)),
                );
                Kind::Directory
            }
            FileType::Symlink => Kind::Symlink(editor.read_link(&absolute).unwrap()),
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharDevice => Kind::CharDevice(major, minor),
            FileType::BlockDevice => Kind::BlockDevice(major, minor),
        };
        inodes.insert(path.clone(), u64::from(metadata.inode));
        let entry = Entry {
            kind,
            mode: metadata.mode,
            uid: metadata.uid,
            gid: metadata.gid,
            mtime: metadata.mtime,
            xattrs: editor.xattrs(&absolute).unwrap(),
            links: u32::from(metadata.links),
            first: Vec::new(),
        };
        tree.insert(path, entry);
    }
    set_first(&mut tree, &inodes);
    tree
}
