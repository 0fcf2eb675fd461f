//! The raw image being written: any order, holes for zeros, never beyond the limit.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::format::{self, Format};
use crate::{
    content::FileContent,
    error::{Error, Result},
    sparse,
};

/// The destination of a decoder. Several threads may write to it.
pub(super) struct Output {
    file: File,
    path: PathBuf,
    format: Format,
    limit: Option<u64>,
}

impl Output {
    /// Creates the file, or empties it, for the image in a file of `format`.
    pub(super) fn create(path: &Path, format: Format, limit: Option<u64>) -> Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
        let file = file.map_err(|error| Error::io("cannot create", path, error))?;
        Ok(Self { file, path: path.to_owned(), format, limit })
    }

    /// A file without a name in `folder`, for its owner only: it is gone when it is closed, however the process ends.
    pub(super) fn nameless(folder: &Path, format: Format, limit: Option<u64>) -> Result<Self> {
        let file = tempfile::tempfile_in(folder);
        let file = file.map_err(|error| Error::io("cannot make a temporary file in", folder, error))?;
        Ok(Self { file, path: folder.to_owned(), format, limit })
    }

    /// The decoded image; messages call it `path`.
    pub(super) fn into_content(self, path: &Path) -> Result<FileContent> {
        FileContent::of(self.file, path)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An image of this many bytes is accepted.
    pub(super) fn check_size(&self, size: u64) -> Result<()> {
        match self.limit {
            Some(limit) if size > limit => Err(Error::TooLarge { limit }),
            _ => Ok(()),
        }
    }

    /// Writes `data` at `offset`, leaving out blocks of zeros.
    pub(super) fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.check_size(offset.saturating_add(data.len() as u64))?;
        if offset == 0 && self.format != Format::Raw {
            format::check_inside(self.format, data).map_err(Error::unsupported)?;
        }
        sparse::write(&self.file, offset, data).map_err(|error| self.failed(error))
    }

    /// Gives the file its size: what ends in a hole has not got it by writing.
    pub(super) fn set_size(&self, size: u64) -> Result<()> {
        self.file.set_len(size).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::io("cannot write", &self.path, error)
    }
}
