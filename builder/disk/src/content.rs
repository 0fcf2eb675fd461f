//! Content that lies in a file of the host.

use std::{
    fs::{File, OpenOptions},
    io,
    ops::Range,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_ext4::Content;
use rustix::{
    fs::{OFlags, SeekFrom, seek},
    io::Errno,
};

use crate::error::{Error, Result};

/// The bytes of a regular file, read at any offset by any number of threads, never written.
///
/// The length is taken when the file is opened; a file that shrinks afterwards gives read errors, not short data.
#[derive(Debug, Clone)]
pub struct FileContent {
    path: PathBuf,
    file: Arc<File>,
    length: u64,
}

impl FileContent {
    /// Opens the file at `path` for reading. A pipe, a device or a folder is refused, and nothing waits for a pipe's other end.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
        Self::of(file.map_err(|source| Error::io("cannot read", path, source))?, path)
    }

    /// The bytes of `file`, which messages call `path`.
    pub fn of(file: File, path: &Path) -> Result<Self> {
        let metadata = file.metadata().map_err(|source| Error::io("cannot read", path, source))?;
        if metadata.is_dir() {
            return Err(Error::io("cannot read", path, Errno::ISDIR.into()));
        }
        if !metadata.is_file() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
            return Err(Error::io("cannot read", path, source));
        }
        Ok(Self { path: path.to_owned(), file: Arc::new(file), length: metadata.len() })
    }

    /// Where the file was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Content for FileContent {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn data(&self) -> Vec<Range<u64>> {
        // A host file system that cannot tell holes has only data.
        data_ranges(&self.file, self.length).unwrap_or_else(|_| std::iter::once(0..self.length).collect())
    }
}

/// The ranges of `file` below `length` that are not holes, in order (lseek(2): SEEK_DATA, SEEK_HOLE).
fn data_ranges(file: &File, length: u64) -> io::Result<Vec<Range<u64>>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < length
        && let Some(data) = data_from(file, at)?
    {
        let (start, end) = (data.start.min(length), data.end.min(length));
        if start < end {
            ranges.push(start..end);
        }
        at = end.max(start + 1);
    }
    Ok(ranges)
}

/// The first range of `file` from `offset` on that is no hole, if there is one.
pub(crate) fn data_from(file: &File, offset: u64) -> io::Result<Option<Range<u64>>> {
    let start = match seek(file, SeekFrom::Data(offset)) {
        Err(Errno::NXIO) => return Ok(None),
        other => other?,
    };
    Ok(Some(start..seek(file, SeekFrom::Hole(start))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_of_a_file_are_not_data() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        file.as_file().write_all_at(&[1; 4096], 512 << 10).unwrap();
        let content = FileContent::open(file.path()).unwrap();
        assert_eq!(content.len(), 1 << 20);
        let data = content.data();
        assert!(data.iter().any(|range| range.contains(&(512 << 10))), "{data:?}");
        assert!(data.iter().all(|range| range.end <= 1 << 20), "{data:?}");
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            let error = FileContent::open(path).unwrap_err();
            assert!(matches!(error, Error::Io { .. }), "{error:?}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = FileContent::open(Path::new("/nonexistent/base.img")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/base.img"), "{error}");
    }
}
