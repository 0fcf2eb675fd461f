//! What the editor promises, as the shortest program that keeps the promise: a map from path to inode.

use std::collections::BTreeMap;

use imgforge_ext4::{Attributes, Error, Node};

use crate::{
    fixture::EPOCH,
    tree::{Attrs, Entry, Kind, Tree, join, split},
};

/// Symbolic links followed in one path before it counts as a loop.
const MAX_SYMLINKS: usize = 40;

/// The kinds of refusal that follow from the tree alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    AlreadyExists,
    NotADirectory,
    IsADirectory,
    NotEmpty,
    InvalidPath,
}

impl Refusal {
    /// The refusal that an editor's error stands for; `None` for those a model cannot foresee (no space, corrupt …).
    pub fn of(error: &Error) -> Option<Self> {
        Some(match error {
            Error::NotFound(_) => Self::NotFound,
            Error::AlreadyExists(_) => Self::AlreadyExists,
            Error::NotADirectory(_) => Self::NotADirectory,
            Error::IsADirectory(_) => Self::IsADirectory,
            Error::NotEmpty(_) => Self::NotEmpty,
            Error::InvalidPath { .. } => Self::InvalidPath,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug)]
struct Inode {
    kind: Kind,
    mode: u16,
    uid: u32,
    gid: u32,
    mtime: i64,
    xattrs: Attrs,
}

/// A file system as a map. Paths are those of [`Tree`].
#[derive(Clone, Debug, Default)]
pub struct Model {
    names: BTreeMap<Vec<u8>, usize>,
    inodes: Vec<Inode>,
}

type Result<T = ()> = std::result::Result<T, Refusal>;

impl Model {
    /// A model of a tree that is already there.
    pub fn of(tree: &Tree) -> Self {
        let mut model = Self::default();
        for (path, entry) in tree {
            let inode = match model.names.get(&entry.first) {
                Some(inode) => *inode,
                None => model.add_inode(Inode {
                    kind: entry.kind.clone(),
                    mode: entry.mode,
                    uid: entry.uid,
                    gid: entry.gid,
                    mtime: entry.mtime,
                    xattrs: entry.xattrs.clone(),
                }),
            };
            model.names.insert(path.clone(), inode);
        }
        model
    }

    /// What every reader should see.
    pub fn tree(&self) -> Tree {
        let mut links = vec![0; self.inodes.len()];
        let mut first: Vec<Option<&Vec<u8>>> = vec![None; self.inodes.len()];
        for (path, inode) in &self.names {
            links[*inode] += 1;
            first[*inode].get_or_insert(path);
            if self.inodes[*inode].kind == Kind::Directory {
                links[*inode] += 1;
                if !path.is_empty() {
                    links[self.names[split(path).0]] += 1;
                }
            }
        }
        let entry = |inode: usize| {
            let Inode { kind, mode, uid, gid, mtime, xattrs } = self.inodes[inode].clone();
            let first = first[inode].unwrap().clone();
            Entry { kind, mode, uid, gid, mtime, xattrs, links: links[inode], first }
        };
        self.names.iter().map(|(path, inode)| (path.clone(), entry(*inode))).collect()
    }

    pub fn write_file(&mut self, path: &[u8], content: &[u8], attributes: &Attributes) -> Result {
        let path = self.locate_file(path)?;
        let kind = Kind::File(content.into());
        let Some(inode) = self.names.get(&path).copied().filter(|inode| self.is_file(*inode)) else {
            self.create(path, kind, attributes);
            return Ok(());
        };
        if self.names.values().filter(|other| **other == inode).count() == 1 {
            // Content in place: the directory does not change.
            let new = Inode { kind, mtime: EPOCH, ..self.inodes[inode].clone() };
            self.inodes[inode] = new;
            self.set(inode, attributes);
        } else {
            // Its other names keep what they have.
            let new = self.add_inode(Inode { kind, mtime: EPOCH, ..self.inodes[inode].clone() });
            self.set(new, attributes);
            self.enter(path, new);
        }
        Ok(())
    }

    pub fn make_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result {
        let path = self.locate(path)?.path();
        match self.names.get(&path).copied() {
            Some(inode) if self.is_directory(inode) => self.set(inode, attributes),
            Some(_) => return Err(Refusal::AlreadyExists),
            None => self.create(path, Kind::Directory, attributes),
        }
        Ok(())
    }

    pub fn make_symlink(&mut self, path: &[u8], target: &[u8], attributes: &Attributes) -> Result {
        let path = self.locate_file(path)?;
        self.create(path, Kind::Symlink(target.to_vec()), attributes);
        Ok(())
    }

    pub fn make_node(&mut self, path: &[u8], node: Node, attributes: &Attributes) -> Result {
        let path = self.locate_file(path)?;
        let kind = match node {
            Node::Fifo => Kind::Fifo,
            Node::Socket => Kind::Socket,
            Node::CharDevice { major, minor } => Kind::CharDevice(major, minor),
            Node::BlockDevice { major, minor } => Kind::BlockDevice(major, minor),
        };
        self.create(path, kind, attributes);
        Ok(())
    }

    pub fn make_hard_link(&mut self, existing: &[u8], path: &[u8]) -> Result {
        let inode = self.find(existing)?;
        if self.is_directory(inode) {
            return Err(Refusal::IsADirectory);
        }
        let path = self.locate_file(path)?;
        if self.names.get(&path) != Some(&inode) {
            self.enter(path, inode);
        }
        Ok(())
    }

    pub fn remove(&mut self, path: &[u8]) -> Result {
        let path = self.locate_existing(path)?;
        if self.is_directory(self.names[&path]) && self.names.keys().any(|name| is_below(name, &path)) {
            return Err(Refusal::NotEmpty);
        }
        self.touch_parent(&path);
        self.names.remove(&path);
        Ok(())
    }

    pub fn remove_all(&mut self, path: &[u8]) -> Result {
        let path = self.locate_existing(path)?;
        self.touch_parent(&path);
        self.names.retain(|name, _| name != &path && !is_below(name, &path));
        Ok(())
    }

    pub fn set_attributes(&mut self, path: &[u8], attributes: &Attributes) -> Result {
        let inode = self.find(path)?;
        self.set(inode, attributes);
        Ok(())
    }

    fn add_inode(&mut self, inode: Inode) -> usize {
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    fn is_directory(&self, inode: usize) -> bool {
        self.inodes[inode].kind == Kind::Directory
    }

    fn is_file(&self, inode: usize) -> bool {
        matches!(self.inodes[inode].kind, Kind::File(_))
    }

    fn create(&mut self, path: Vec<u8>, kind: Kind, attributes: &Attributes) {
        let mode = match kind {
            Kind::Directory => 0o755,
            Kind::Symlink(_) => 0o777,
            _ => 0o644,
        };
        let inode = Inode { kind, mode, uid: 0, gid: 0, mtime: EPOCH, xattrs: Attrs::new() };
        let inode = self.add_inode(inode);
        self.set(inode, attributes);
        self.enter(path, inode);
    }

    /// Puts a name into its directory, in place of what it stood for.
    fn enter(&mut self, path: Vec<u8>, inode: usize) {
        self.touch_parent(&path);
        self.names.insert(path, inode);
    }

    fn set(&mut self, inode: usize, attributes: &Attributes) {
        let inode = &mut self.inodes[inode];
        inode.mode = attributes.mode.unwrap_or(inode.mode);
        inode.uid = attributes.uid.unwrap_or(inode.uid);
        inode.gid = attributes.gid.unwrap_or(inode.gid);
        inode.mtime = attributes.mtime.unwrap_or(inode.mtime);
        if let Some(xattrs) = &attributes.xattrs {
            inode.xattrs.clone_from(xattrs);
        }
    }

    fn touch_parent(&mut self, path: &[u8]) {
        let parent = self.names[split(path).0];
        self.inodes[parent].mtime = EPOCH;
    }

    /// The inode at `path`.
    fn find(&self, path: &[u8]) -> Result<usize> {
        self.names.get(&self.locate(path)?.path()).copied().ok_or(Refusal::NotFound)
    }

    /// A name that is there.
    fn locate_existing(&self, path: &[u8]) -> Result<Vec<u8>> {
        match self.locate(path)? {
            Location::Name(path) if self.names.contains_key(&path) => Ok(path),
            Location::Name(_) => Err(Refusal::NotFound),
            Location::Directory(_) => Err(Refusal::InvalidPath),
        }
    }

    /// A name that anything but a directory may take.
    fn locate_file(&self, path: &[u8]) -> Result<Vec<u8>> {
        match self.locate(path)? {
            Location::Name(path) => match self.names.get(&path) {
                Some(inode) if self.is_directory(*inode) => Err(Refusal::IsADirectory),
                _ => Ok(path),
            },
            Location::Directory(_) => Err(Refusal::InvalidPath),
        }
    }

    /// Follows symbolic links and `..` on the way; the last name is taken as it is.
    fn locate(&self, path: &[u8]) -> Result<Location> {
        let mut todo: Vec<Vec<u8>> = names(path).rev().collect();
        let mut at: Vec<u8> = Vec::new();
        let mut symlinks = 0;
        while let Some(name) = todo.pop() {
            if name == b".." {
                at = split(&at).0.to_vec();
                continue;
            }
            if name.len() > 255 {
                return Err(Refusal::InvalidPath);
            }
            let path = join(&at, &name);
            if todo.is_empty() {
                return Ok(Location::Name(path));
            }
            match self.names.get(&path).map(|inode| &self.inodes[*inode].kind) {
                None => return Err(Refusal::NotFound),
                Some(Kind::Directory) => at = path,
                Some(Kind::Symlink(target)) => {
                    symlinks += 1;
                    if symlinks > MAX_SYMLINKS {
                        return Err(Refusal::InvalidPath);
                    }
                    if target.starts_with(b"/") {
                        at.clear();
                    }
                    todo.extend(names(target).rev());
                }
                Some(_) => return Err(Refusal::NotADirectory),
            }
        }
        Ok(Location::Directory(at))
    }
}

/// Where a path leads.
enum Location {
    /// To a name, taken or not.
    Name(Vec<u8>),
    /// To a directory that it does not name (`/`, `a/..`).
    Directory(Vec<u8>),
}

impl Location {
    fn path(self) -> Vec<u8> {
        match self {
            Self::Name(path) | Self::Directory(path) => path,
        }
    }
}

/// The names of a path; empty ones and `.` say nothing.
fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".").map(<[u8]>::to_vec)
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.len() > directory.len() + 1 && path.starts_with(directory) && path[directory.len()] == b'/'
}
