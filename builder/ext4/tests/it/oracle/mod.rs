//! Judges of an image, none of which shares a line with the editor.

pub mod debugfs;
pub mod e2fsck;
pub mod ext4_view;
pub mod kernel;
pub mod mkext4;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{
    disk::Disk,
    tree::{Tree, assert_same},
};

/// A disk stored as a file for the tools that want one; gone when dropped.
pub struct Stored {
    image: PathBuf,
    _place: TempDir,
}

impl Stored {
    pub fn new(disk: &Disk) -> Self {
        let place = TempDir::new().unwrap();
        let image = place.path().join("image");
        disk.store(&image);
        Self { image, _place: place }
    }

    pub fn path(&self) -> &Path {
        &self.image
    }
}

/// The consistency of the file system by e2fsck, and by mkext4 where it knows the format.
#[track_caller]
pub fn assert_consistent(disk: &Disk) {
    e2fsck::assert_clean(Stored::new(disk).path());
    mkext4::assert_valid(disk);
}

/// Consistent, and every reader sees exactly `expected`.
#[track_caller]
pub fn assert_holds(disk: &Disk, expected: &Tree) {
    let stored = Stored::new(disk);
    e2fsck::assert_clean(stored.path());
    mkext4::assert_valid(disk);
    assert_same("ext4-view", &ext4_view::tree(disk), &ext4_view::visible(expected));
    if let Some(found) = kernel::tree(stored.path()) {
        assert_same("the kernel", &found, &kernel::visible(expected));
    }
}
