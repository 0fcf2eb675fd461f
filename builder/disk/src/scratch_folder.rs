//! A folder for what is not finished, which a killed process does not leave behind for good.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use crate::{
    atomic_file::is_at,
    error::{Error, Result},
};

/// An empty folder that goes, with all that is in it, when it is dropped.
///
/// It is locked meanwhile: one that another process uses is waited for, one that a killed process left behind is emptied.
#[derive(Debug)]
pub struct ScratchFolder {
    path: PathBuf,
    _lock: File,
}

impl ScratchFolder {
    /// Makes the folder `path`, in a folder that is there.
    pub fn create(path: &Path) -> Result<Self> {
        let failed = |error| Error::io("cannot make the folder", path, error);
        loop {
            match fs::create_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => {}
            }
            let folder = match open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(failed)?,
            };
            folder.lock().map_err(failed)?;
            // Before it was locked, its last user may have removed it.
            if is_at(&folder, path).map_err(failed)? {
                empty(path).map_err(failed)?;
                return Ok(Self { path: path.to_owned(), _lock: folder });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // Nobody is left to tell; the next run empties what stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Opens a folder; a link is not followed, for what it leads to is not ours.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_what_another_uses_is_waited_for() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("import.partial");
        fs::create_dir_all(path.join("deep/er")).unwrap();
        fs::write(path.join("left over"), "").unwrap();
        let folder = ScratchFolder::create(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(folder.path().join("file"), "").unwrap();
        thread::scope(|scope| {
            let next = scope.spawn(|| ScratchFolder::create(&path).unwrap());
            thread::sleep(Duration::from_millis(20));
            assert!(!next.is_finished() && path.join("file").exists());
            drop(folder);
            let next = next.join().unwrap();
            assert_eq!(fs::read_dir(next.path()).unwrap().count(), 0);
        });
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let (path, target) = (parent.path().join("import.partial"), parent.path().join("target"));
        fs::create_dir(&target).unwrap();
        fs::write(target.join("somebody's"), "").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(ScratchFolder::create(&path), Err(Error::Io { .. })));
        assert!(target.join("somebody's").exists());
    }
}
