//! What the images of one release have in common, as it becomes known while they are made: each is the release with a small
//! layer over it, so what was copied, hashed and read back for the first need not be for the next.

use std::{mem, ops::Range};

use imgforge_disk::{Disk, FileContent, bmap::Digests, emit::Origin};

use super::output::Written;

/// What is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Common {
    /// Digests of ranges that all of them have.
    pub digests: Digests,
    /// Whether the release's own changes were read back from an image.
    pub is_read_back: bool,
    /// An image that was written already.
    pub sibling: Option<Sibling>,
}

/// A raw image of the same release.
#[derive(Debug, Clone)]
pub(crate) struct Sibling {
    file: FileContent,
    /// The bytes at which it may differ from the release; in what is known of another image, from that one.
    differs: Vec<Range<u64>>,
}

impl Sibling {
    /// The raw image that was `written` of `disk`.
    pub fn of(written: &Written, disk: &Disk) -> Self {
        Self { file: written.content().clone(), differs: disk.touched().collect() }
    }

    /// The same, for who writes another image.
    pub fn origin(&self) -> Origin<'_> {
        Origin::Image { file: &self.file, differs: &self.differs }
    }
}

impl Common {
    /// What is known of the image whose disk is `disk`.
    pub fn of_image(&self, disk: &Disk) -> Self {
        let touched: Vec<_> = disk.touched().collect();
        let sibling = self.sibling.as_ref().map(|sibling| {
            let differs = sibling.differs.iter().chain(&touched).cloned().collect();
            Sibling { file: sibling.file.clone(), differs }
        });
        Self { digests: self.digests.untouched(&touched), sibling, ..*self }
    }

    /// Learns from the image that was `written` of `disk` and read back. Whether it was the first of a release that was made
    /// here.
    pub fn learn(&mut self, written: &Written, disk: &Disk) -> bool {
        let touched: Vec<_> = disk.touched().collect();
        self.digests.extend(written.digests().untouched(&touched));
        // What a compressed image was decoded to is to go: nothing is made from it, and it is as large as the image.
        if written.is_raw() {
            self.sibling.get_or_insert_with(|| Sibling::of(written, disk));
        }
        !mem::replace(&mut self.is_read_back, true)
    }
}
