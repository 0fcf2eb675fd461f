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
        let path = self.locate_name(path)?;
        match self.names.get(&path) {
            Some(inode) if self.inodes[*inode].kind == Kind::Directory => return Err(Refusal::IsADirectory),
            _ => {}
        }
        self.replace(path, Kind::File(content.to_vec()), attributes);
        Ok(())
    }

    pub fn make_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result {
        let path = self.locate(path)?;
        match self.names.get(&path).copied() {
            Some(inode) if self.inodes[inode].kind == Kind::Directory => {
                self.set(inode, attributes);
                Ok(())
            }
            Some(_) => Err(Refusal::AlreadyExists),
            None => {
                self.create(path, Kind::Directory, attributes);
                Ok(())
            }
        }
    }

    pub fn make_symlink(&mut self, path: &[u8], target: &[u8], attributes: &Attributes) -> Result {
        let path = self.locate_name(path)?;
        self.refuse_existing(&path)?;
        self.create(path, Kind::Symlink(target.to_vec()), attributes);
        Ok(())
    }

    pub fn make_node(&mut self, path: &[u8], node: Node, attributes: &Attributes) -> Result {
        let path = self.locate_name(path)?;
        self.refuse_existing(&path)?;
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
        let path = self.locate_name(path)?;
        if self.inodes[inode].kind == Kind::Directory {
            return Err(Refusal::IsADirectory);
        }
        self.refuse_existing(&path)?;
        self.touch_parent(&path);
        self.names.insert(path, inode);
        Ok(())
    }

    pub fn remove(&mut self, path: &[u8]) -> Result {
        let path = self.locate_name(path)?;
        let inode = *self.names.get(&path).ok_or(Refusal::NotFound)?;
        if self.inodes[inode].kind == Kind::Directory && self.names.keys().any(|name| is_below(name, &path)) {
            return Err(Refusal::NotEmpty);
        }
        self.touch_parent(&path);
        self.names.remove(&path);
        Ok(())
    }

    pub fn remove_all(&mut self, path: &[u8]) -> Result {
        let path = self.locate_name(path)?;
        if !self.names.contains_key(&path) {
            return Err(Refusal::NotFound);
        }
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

    fn find(&self, path: &[u8]) -> Result<usize> {
        self.names.get(&self.locate(path)?).copied().ok_or(Refusal::NotFound)
    }

    fn refuse_existing(&self, path: &[u8]) -> Result {
        if self.names.contains_key(path) { Err(Refusal::AlreadyExists) } else { Ok(()) }
    }

    /// A name for a new or replaced inode: owner, mode and extended attributes of what stood there are kept.
    fn replace(&mut self, path: Vec<u8>, kind: Kind, attributes: &Attributes) {
        let Some(old) = self.names.get(&path).map(|inode| self.inodes[*inode].clone()) else {
            return self.create(path, kind, attributes);
        };
        if !matches!(old.kind, Kind::File(_)) {
            self.names.remove(&path);
            return self.create(path, kind, attributes);
        }
        self.touch_parent(&path);
        let inode = self.add_inode(Inode { kind, mtime: EPOCH, ..old });
        self.set(inode, attributes);
        self.names.insert(path, inode);
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

    /// [`locate`](Self::locate) for operations that need a name of their own, which the root has not.
    fn locate_name(&self, path: &[u8]) -> Result<Vec<u8>> {
        let path = self.locate(path)?;
        if path.is_empty() { Err(Refusal::InvalidPath) } else { Ok(path) }
    }

    /// The path without symbolic links, `.` and `..` in its directories; its last name is taken as it is.
    fn locate(&self, path: &[u8]) -> Result<Vec<u8>> {
        let mut todo: Vec<Vec<u8>> = names(path).rev().collect();
        let mut at: Vec<u8> = Vec::new();
        let mut symlinks = 0;
        while let Some(name) = todo.pop() {
            let last = todo.is_empty();
            match name.as_slice() {
                b"." | b".." if last => return Err(Refusal::InvalidPath),
                b"." => continue,
                b".." => {
                    at = split(&at).0.to_vec();
                    continue;
                }
                name if name.len() > 255 => return Err(Refusal::InvalidPath),
                _ => {}
            }
            let path = join(&at, &name);
            if last {
                return Ok(path);
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
        Ok(at)
    }
}

/// The names of a path; slashes that stand for nothing are skipped.
fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(<[u8]>::to_vec)
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.len() > directory.len() + 1 && path.starts_with(directory) && path[directory.len()] == b'/'
}
