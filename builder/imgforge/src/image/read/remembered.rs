//! A tree that is asked for the same paths again and again answers from memory.
//!
//! Packages bring thousands of paths, each with all the directories above it; ext4-view walks from the root every time and
//! searches directories from their start.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use imgforge_spec::ImagePath;

use super::{Entry, Error, Kind, Tree};

type Names = Rc<BTreeSet<Vec<u8>>>;

/// A tree over a tree that does not change.
pub(crate) struct Remembered<'a> {
    tree: &'a dyn Tree,
    entries: RefCell<BTreeMap<ImagePath, Option<Entry>>>,
    /// The names in a directory; `None` for what is no directory.
    names: RefCell<BTreeMap<ImagePath, Option<Names>>>,
}

impl<'a> Remembered<'a> {
    /// Nothing is known of `tree` yet.
    pub fn new(tree: &'a dyn Tree) -> Self {
        Self { tree, entries: RefCell::default(), names: RefCell::default() }
    }

    fn names_in(&self, directory: &ImagePath) -> Result<Option<Names>, Error> {
        if let Some(known) = self.names.borrow().get(directory) {
            return Ok(known.clone());
        }
        let is_directory = self.entry(directory)?.is_some_and(|entry| entry.kind == Kind::Directory);
        let names = match is_directory {
            true => Some(Rc::new(self.tree.names(directory)?.into_iter().collect())),
            false => None,
        };
        self.names.borrow_mut().insert(directory.clone(), names.clone());
        Ok(names)
    }
}

impl std::fmt::Debug for Remembered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}

impl Tree for Remembered<'_> {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, Error> {
        if let Some(known) = self.entries.borrow().get(path) {
            return Ok(*known);
        }
        let is_there = match path.parent() {
            Some(parent) => self.names_in(&parent)?.is_some_and(|names| names.contains(path.name())),
            None => true,
        };
        let entry = if is_there { self.tree.entry(path)? } else { None };
        self.entries.borrow_mut().insert(path.clone(), entry);
        Ok(entry)
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
        self.tree.names(path)
    }
}
