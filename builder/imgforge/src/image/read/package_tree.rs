//! A file system of an image, as the packages' room looks at it.

use imgforge_debian::{Error, Node, Result, TreePath};
use imgforge_spec::ImagePath;

use super::{Kind, Tree};

/// A tree that packages go into.
pub(crate) struct PackageTree<'a>(pub &'a dyn Tree);

impl std::fmt::Debug for PackageTree<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PackageTree")
    }
}

impl imgforge_debian::Tree for PackageTree<'_> {
    fn node(&self, path: &TreePath) -> Result<Option<Node>> {
        let path = image_path(path)?;
        let Some(entry) = self.0.entry(&path).map_err(unreadable)? else { return Ok(None) };
        Ok(Some(match entry.kind {
            Kind::Directory => Node::Directory,
            Kind::Symlink => Node::Symlink(self.0.target(&path).map_err(unreadable)?),
            Kind::File | Kind::Special => Node::File,
        }))
    }

    fn names(&self, path: &TreePath) -> Result<Vec<Vec<u8>>> {
        let path = image_path(path)?;
        let entry = self.0.entry(&path).map_err(unreadable)?;
        let is_directory = entry.is_some_and(|entry| entry.kind == Kind::Directory);
        if is_directory { self.0.names(&path).map_err(unreadable) } else { Ok(Vec::new()) }
    }

    fn read(&self, path: &TreePath) -> Result<Option<Vec<u8>>> {
        let path = image_path(path)?;
        let is_file = self.0.entry(&path).map_err(unreadable)?.is_some_and(|entry| entry.kind == Kind::File);
        if is_file { self.0.read(&path).map(Some).map_err(unreadable) } else { Ok(None) }
    }
}

fn image_path(path: &TreePath) -> Result<ImagePath> {
    ImagePath::new(path.as_bytes()).map_err(|error| Error::Io(std::io::Error::other(error)))
}

fn unreadable(error: super::Error) -> Error {
    Error::Io(std::io::Error::other(error))
}
