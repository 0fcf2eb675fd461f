//! A file that appears under its name only when it is whole and on disk.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    process,
};

use crate::error::{Error, Result};

/// The permissions of an output file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody may read it: 0644.
    Public,
    /// Only its owner may read it: 0600, for images that hold secrets.
    Private,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Self::Public => 0o644,
            Self::Private => 0o600,
        }
    }
}

/// A file in the making beside its destination, as `.NAME.imgforge-PID.partial`.
///
/// [`commit`](Self::commit) gives it its name; dropping it without that removes it. What a killed process left behind is
/// removed by the next one that writes the same name: a file in the making is locked, so only dead ones can be taken.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    partial: PathBuf,
    destination: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Begins a file that will be `destination`. Its permissions do not depend on the umask.
    pub fn create(destination: &Path, access: Access) -> Result<Self> {
        let failed = |source| Error::io("cannot create", destination, source);
        let name =
            destination.file_name().ok_or(io::ErrorKind::IsADirectory).map_err(|kind| failed(kind.into()))?;
        remove_leftovers(directory(destination), &marker(name.as_bytes()));

        let mut partial_name = OsString::from(".");
        partial_name.push(name);
        partial_name.push(format!(".imgforge-{}.partial", process::id()));
        let partial = directory(destination).join(partial_name);
        loop {
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&partial);
            let file = match file {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(Error::Busy { path: destination.to_owned() });
                }
                other => other.map_err(failed)?,
            };
            file.lock().map_err(failed)?;
            // Between creation and lock another process may have taken the file for a leftover.
            if file.metadata().map_err(failed)?.nlink() > 0 {
                let new = Self { file, partial, destination: destination.to_owned(), committed: false };
                new.file.set_permissions(Permissions::from_mode(access.mode())).map_err(failed)?;
                return Ok(new);
            }
        }
    }

    /// The open file, for reading and writing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the file is until it is committed.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Makes the file durable and gives it its name, replacing what had it.
    pub fn commit(mut self) -> Result<()> {
        let failed = |source| Error::io("cannot finish", &self.destination, source);
        self.file.sync_all().map_err(failed)?;
        fs::rename(&self.partial, &self.destination).map_err(failed)?;
        self.committed = true;
        File::open(directory(&self.destination)).and_then(|directory| directory.sync_all()).map_err(failed)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nobody is left to tell; the next run removes what stays.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn marker(name: &[u8]) -> Vec<u8> {
    [b".", name, b".imgforge-"].concat()
}

/// Removes partial files that begin with `marker` and that no living process has locked.
fn remove_leftovers(directory: &Path, marker: &[u8]) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.as_bytes().starts_with(marker) || !name.as_bytes().ends_with(b".partial") {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        match file.try_lock() {
            // A leftover that cannot be removed does no harm: it never gets the final name.
            Ok(()) => drop(fs::remove_file(entry.path())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn the_name_appears_with_the_whole_file() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.img");
        let new = AtomicFile::create(&destination, Access::Public).unwrap();
        new.file().write_all_at(b"image", 0).unwrap();
        assert!(!destination.exists());
        new.commit().unwrap();
        assert_eq!(fs::read(&destination).unwrap(), b"image");
        assert_eq!(fs::metadata(&destination).unwrap().mode() & 0o7777, 0o644);
        assert_eq!(names(directory.path()).len(), 1);
    }

    #[test]
    fn a_dropped_file_leaves_nothing_and_keeps_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.img");
        fs::write(&destination, "old").unwrap();
        drop(AtomicFile::create(&destination, Access::Private).unwrap());
        assert_eq!(fs::read(&destination).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["out.img"]);
    }

    #[test]
    fn leftovers_of_a_killed_run_go_and_living_ones_stay() {
        let directory = tempfile::tempdir().unwrap();
        let dead = directory.path().join(".out.img.imgforge-1.partial");
        let other = directory.path().join(".other.img.imgforge-1.partial");
        let living = directory.path().join(".out.img.imgforge-2.partial");
        for path in [&dead, &other, &living] {
            fs::write(path, "").unwrap();
        }
        let lock = File::open(&living).unwrap();
        lock.lock().unwrap();
        let new = AtomicFile::create(&directory.path().join("out.img"), Access::Private).unwrap();
        assert!(!dead.exists() && other.exists() && living.exists());
        assert_eq!(new.file().metadata().unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn two_writers_of_one_name_in_a_process_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.img");
        let _first = AtomicFile::create(&destination, Access::Public).unwrap();
        assert!(matches!(AtomicFile::create(&destination, Access::Public), Err(Error::Busy { .. })));
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let error = AtomicFile::create(Path::new("/nonexistent/out.img"), Access::Public).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/out.img"), "{error}");
    }
}
