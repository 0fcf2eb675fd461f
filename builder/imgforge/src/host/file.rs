//! Files of the build machine as content: read when they are needed, so that neither memory nor open files grow with what
//! goes into an image.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use imgforge_ext4::Content;

/// A file of the build machine.
#[derive(Debug)]
pub(crate) struct HostFile {
    path: PathBuf,
    length: u64,
}

impl HostFile {
    /// The file `path`, as long as it is now.
    pub fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), length: fs::metadata(path)?.len() })
    }
}

impl Content for HostFile {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        File::open(&self.path)?.read_exact_at(buf, offset)
    }
}
