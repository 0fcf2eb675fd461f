//! A tree that is asked for the same paths again and again answers from memory.
//!
//! Packages bring thousands of paths, each with all the directories above it; ext4-view walks from the root every time and
//! searches directories from their start. Here each directory is read once.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use imgforge_spec::ImagePath;

use super::{Entry, Error, Kind, Tree};

/// What is in a directory, by name.
type Entries = Rc<BTreeMap<Vec<u8>, Entry>>;

/// A tree over a tree that does not change.
pub(crate) struct Remembered<'a> {
    tree: &'a dyn Tree,
    /// The directories that were looked into; `None` for what is no directory.
    directories: RefCell<BTreeMap<ImagePath, Option<Entries>>>,
}

impl<'a> Remembered<'a> {
    /// Nothing is known of `tree` yet.
    pub fn new(tree: &'a dyn Tree) -> Self {
        Self { tree, directories: RefCell::default() }
    }

    /// What is in `directory`; `None` where there is no directory of that name, a link to one included.
    fn entries_in(&self, directory: &ImagePath) -> Result<Option<Entries>, Error> {
        if let Some(known) = self.directories.borrow().get(directory) {
            return Ok(known.clone());
        }
        let is_directory = self.entry(directory)?.is_some_and(|entry| entry.kind == Kind::Directory);
        let entries = if is_directory { Some(Rc::new(self.look_into(directory)?)) } else { None };
        self.directories.borrow_mut().insert(directory.clone(), entries.clone());
        Ok(entries)
    }

    fn look_into(&self, directory: &ImagePath) -> Result<BTreeMap<Vec<u8>, Entry>, Error> {
        if let Some(mut entries) = self.tree.entries(directory)? {
            entries.retain(|name, _| name != b"." && name != b"..");
            return Ok(entries);
        }
        let mut entries = BTreeMap::new();
        for name in self.tree.names(directory)? {
            if let Some(entry) = directory.join(&name).ok().map(|path| self.tree.entry(&path)).transpose()? {
                entries.extend(entry.map(|entry| (name, entry)));
            }
        }
        Ok(entries)
    }
}

impl std::fmt::Debug for Remembered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}

impl Tree for Remembered<'_> {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, Error> {
        match path.parent() {
            Some(parent) => {
                Ok(self.entries_in(&parent)?.and_then(|entries| entries.get(path.name()).copied()))
            }
            None => self.tree.entry(path),
        }
    }

    fn read(&self, path: &ImagePath) -> Result<Vec<u8>, Error> {
        self.tree.read(path)
    }

    fn read_to(&self, path: &ImagePath, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        self.tree.read_to(path, sink)
    }

    fn target(&self, path: &ImagePath) -> Result<Vec<u8>, Error> {
        self.tree.target(path)
    }

    fn names(&self, path: &ImagePath) -> Result<Vec<Vec<u8>>, Error> {
        match self.entries_in(path)? {
            Some(entries) => Ok(entries.keys().cloned().collect()),
            None => self.tree.names(path),
        }
    }
}
