//! FAT, read by fatfs.

use std::{fmt, io::Read};

use fatfs::{DirEntry, FileSystem, FsOptions};
use imgforge_spec::ImagePath;

use super::{Entry, Error, Kind, Slice, Tree};
use crate::image::change::Access;

/// A FAT file system.
pub(crate) struct FatTree {
    fat: FileSystem<Slice>,
    /// What it is called in errors.
    what: &'static str,
}

impl fmt::Debug for FatTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FatTree").finish_non_exhaustive()
    }
}

impl FatTree {
    /// Opens the file system that fills `partition`.
    pub fn open(partition: Slice, what: &'static str) -> Result<Self, Error> {
        let fat = FileSystem::new(partition, FsOptions::new().update_accessed_date(false));
        Ok(Self { fat: fat.map_err(|error| Error::Unreadable { what, reason: error.to_string() })?, what })
    }

    /// The directory entry of `path`; names compare without case, as FAT does.
    fn find(&self, path: &ImagePath) -> Result<Option<DirEntry<'_, Slice>>, Error> {
        let Some(parent) = path.parent() else { return Ok(None) };
        let mut directory = self.fat.root_dir();
        for component in parent.components() {
            match directory.open_dir(&String::from_utf8_lossy(component)) {
                Ok(below) => directory = below,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(self.failed(path, error)),
            }
        }
        let wanted = String::from_utf8_lossy(path.name()).to_lowercase();
        for entry in directory.iter() {
            let entry = entry.map_err(|error| self.failed(path, error))?;
            if entry.file_name().to_lowercase() == wanted || entry.short_file_name().to_lowercase() == wanted
            {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn found(&self, path: &ImagePath) -> Result<DirEntry<'_, Slice>, Error> {
        self.find(path)?.ok_or_else(|| self.failed(path, "nothing is there"))
    }

    fn failed(&self, path: &ImagePath, error: impl fmt::Display) -> Error {
        Error::Path { what: self.what, path: path.clone(), reason: error.to_string() }
    }
}

impl Tree for FatTree {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, Error> {
        let access = Access::root(0o755);
        if *path == ImagePath::root() {
            return Ok(Some(Entry { kind: Kind::Directory, access, size: 0, mtime: None }));
        }
        let kind = |entry: &DirEntry<'_, Slice>| if entry.is_dir() { Kind::Directory } else { Kind::File };
        Ok(self.find(path)?.map(|entry| Entry { kind: kind(&entry), access, size: entry.len(), mtime: None }))
    }

    fn read(&self, path: &ImagePath) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.read_to(path, &mut |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    fn read_to(&self, path: &ImagePath, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        let entry = self.found(path)?;
        if entry.is_dir() {
            return Err(self.failed(path, "it is a directory"));
        }
        let mut file = entry.to_file();
        let mut piece = vec![0; 64 << 10];
        loop {
            match file.read(&mut piece).map_err(|error| self.failed(path, error))? {
                0 => return Ok(()),
                length => sink(piece.get(..length).unwrap_or_default()),
            }
        }
    }

    fn target(&self, path: &ImagePath) -> Result<Vec<u8>, Error> {
        Err(self.failed(path, "FAT has no links"))
    }

    fn names(&self, path: &ImagePath) -> Result<Vec<Vec<u8>>, Error> {
        let directory = match path.parent() {
            None => self.fat.root_dir(),
            Some(_) => self.found(path)?.to_dir(),
        };
        let mut names = Vec::new();
        for entry in directory.iter() {
            let name = entry.map_err(|error| self.failed(path, error))?.file_name();
            if name != "." && name != ".." {
                names.push(name.into_bytes());
            }
        }
        names.sort();
        Ok(names)
    }
}
