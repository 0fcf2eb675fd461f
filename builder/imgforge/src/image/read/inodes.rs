//! What ext4-view shows nobody: which names are one file, and extended attributes.
//!
//! They are read by the editor's own parser, from the bytes as they lie there: a mistake in what was written shows, one in
//! our idea of the format does not. Of that, e2fsck, debugfs and the kernel are the judges in the editor's tests.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use imgforge_disk::{Content, Disk, Window};
use imgforge_ext4::Editor;
use imgforge_spec::{ImagePath, Sha256};

use super::Error;

const WHAT: &str = "root file system";

/// The inodes of a root file system.
pub(crate) struct Inodes {
    editor: Editor<Window<Box<Disk>>>,
}

impl std::fmt::Debug for Inodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inodes").finish_non_exhaustive()
    }
}

impl Inodes {
    /// Opens the file system in the bytes `range` of `image`.
    pub fn open(image: &Arc<dyn Content>, range: Range<u64>) -> Result<Self, Error> {
        let unreadable = |reason: String| Error::Unreadable { what: WHAT, reason };
        let window = Disk::window(Box::new(Disk::new(Arc::clone(image))), range);
        let window = window.map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { editor: Editor::open(window, 0).map_err(|error| unreadable(error.to_string()))? })
    }

    /// The bytes of the file system that are free, in order.
    pub(crate) fn free_ranges(&mut self) -> Result<Vec<Range<u64>>, Error> {
        let unreadable =
            |error: imgforge_ext4::Error| Error::Unreadable { what: WHAT, reason: error.to_string() };
        self.editor.free_ranges().map_err(unreadable)
    }

    /// The number of the inode that `path` names, if there is one.
    pub(crate) fn number(&self, path: &ImagePath) -> Result<Option<u32>, Error> {
        let metadata = self.editor.metadata(path.as_bytes()).map_err(failed(path))?;
        Ok(metadata.map(|metadata| metadata.inode))
    }

    /// The SHA-256 of the value of each extended attribute of `path`, by name.
    pub(crate) fn xattrs(&self, path: &ImagePath) -> Result<BTreeMap<String, Sha256>, Error> {
        let xattrs = self.editor.xattrs(path.as_bytes()).map_err(failed(path))?;
        let digest = |(name, value): (Vec<u8>, Vec<u8>)| {
            (String::from_utf8_lossy(&name).into_owned(), Sha256::of(value))
        };
        Ok(xattrs.into_iter().map(digest).collect())
    }
}

fn failed(path: &ImagePath) -> impl Fn(imgforge_ext4::Error) -> Error {
    move |error| Error::Path { what: WHAT, path: path.clone(), reason: error.to_string() }
}
