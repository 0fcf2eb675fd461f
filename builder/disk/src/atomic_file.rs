//! A file that appears under its name only when it is whole and on disk.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use rustix::fs::OFlags;

use crate::{
    error::{Error, Result},
    in_the_making,
    write_back::WriteBack,
};

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

/// A file in the making beside its destination, as `.NAME.imgforge.partial`.
///
/// [`commit`](Self::commit) gives it its name, [`commit_together`] several files theirs; dropping it without that removes
/// it. It is locked while it is made: one that another process is making is refused, one that a killed process left
/// behind is removed. What is there and is no regular file is neither followed nor opened nor removed.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    partial: PathBuf,
    destination: PathBuf,
    committed: bool,
    /// None where the host gives no thread for it: it saves time only.
    write_back: OnceLock<Option<WriteBack>>,
}

impl AtomicFile {
    /// Begins a file that will be `destination`, which nobody else may be making. Its permissions do not depend on the umask.
    pub fn create(destination: &Path, access: Access) -> Result<Self> {
        Self::begin(destination, access, |leftover| match leftover.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { path: destination.to_owned() }),
            Err(TryLockError::Error(error)) => Err(Error::io("cannot lock", destination, error)),
        })
    }

    /// As [`create`](Self::create), but waits while others are making the same file: for caches, where any of them will do.
    pub fn create_in_turn(destination: &Path, access: Access) -> Result<Self> {
        Self::begin(destination, access, |leftover| {
            leftover.lock().map_err(|error| Error::io("cannot lock", destination, error))
        })
    }

    fn begin(destination: &Path, access: Access, lock: impl Fn(&File) -> Result<()>) -> Result<Self> {
        let failed = |source| Error::io("cannot create", destination, source);
        // A device or a pipe would give its name away; so would what a link leads to, such as /dev/stdout.
        if fs::metadata(destination).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        let partial = partial_of(destination).map_err(failed)?;
        loop {
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&partial);
            match file {
                Ok(file) => {
                    file.lock().map_err(failed)?;
                    // Between creation and lock another process may have taken the file for a leftover.
                    if is_at(&file, &partial).map_err(failed)? {
                        in_the_making::begin(&partial);
                        let new = Self {
                            file,
                            partial,
                            destination: destination.to_owned(),
                            committed: false,
                            write_back: OnceLock::new(),
                        };
                        new.file.set_permissions(Permissions::from_mode(access.mode())).map_err(failed)?;
                        return Ok(new);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    remove_leftover(&partial, &lock)?;
                }
                Err(error) => return Err(failed(error)),
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

    /// The name that it will have.
    pub fn destination(&self) -> &Path {
        &self.destination
    }

    /// Lets what was written so far go to the disk while there is other work: [`commit`](Self::commit) has less to wait for.
    pub fn write_back(&self) {
        if let Some(write_back) = self.write_back.get_or_init(|| WriteBack::begin(&self.file).ok()) {
            write_back.wake();
        }
    }

    /// Makes the file durable and gives it its name, replacing what had it.
    pub fn commit(mut self) -> Result<()> {
        self.sync()?;
        self.rename()?;
        sync_directory(&self.destination)
    }

    fn sync(&mut self) -> Result<()> {
        let write_back = self.write_back.take().flatten().map_or(Ok(()), WriteBack::finish);
        let synced = write_back.and_then(|()| self.file.sync_all());
        synced.map_err(|error| Error::io("cannot finish", &self.destination, error))
    }

    fn rename(&mut self) -> Result<()> {
        let renamed = in_the_making::end(&self.partial, || fs::rename(&self.partial, &self.destination));
        renamed.map_err(|error| Error::io("cannot finish", &self.destination, error))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nobody is left to tell; the next run removes what stays.
            let _ = in_the_making::end(&self.partial, || fs::remove_file(&self.partial));
        }
    }
}

/// Makes files of one directory that belong together durable and gives them their names: `main` and those `beside` it. The files
/// `gone` belonged to an earlier `main`, and go with it.
///
/// Whenever the process is killed, the files under these names are of one run: those `beside` the old `main` go before
/// the new `main` takes its name, and the new ones come after it. So some may be missing, but none is another run's.
pub fn commit_together(mut main: AtomicFile, mut beside: Vec<AtomicFile>, gone: &[PathBuf]) -> Result<()> {
    std::iter::once(&mut main).chain(&mut beside).try_for_each(AtomicFile::sync)?;
    // Whoever interrupts waits: a main file alone would not be known for one of ours.
    let _naming = in_the_making::naming();
    gone.iter().try_for_each(|path| remove_old(path))?;
    steps(beside.len()).try_for_each(|step| perform(step, &mut main, &mut beside))
}

/// What [`commit_together`] does once all is on disk. The directory is made durable between what must not be reordered.
#[derive(Debug, Clone, Copy)]
enum Step {
    RemoveOld(usize),
    NameMain,
    Name(usize),
    Sync,
}

fn steps(beside: usize) -> impl Iterator<Item = Step> {
    let before = (0..beside).map(Step::RemoveOld).chain([Step::Sync, Step::NameMain, Step::Sync]);
    before.chain((0..beside).map(Step::Name)).chain([Step::Sync])
}

fn perform(step: Step, main: &mut AtomicFile, beside: &mut [AtomicFile]) -> Result<()> {
    match step {
        Step::RemoveOld(index) => beside.get(index).map_or(Ok(()), |file| remove_old(&file.destination)),
        Step::NameMain => main.rename(),
        Step::Name(index) => beside.get_mut(index).map_or(Ok(()), AtomicFile::rename),
        Step::Sync => sync_directory(&main.destination),
    }
}

fn remove_old(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("cannot replace", path, error))
        }
        _ => Ok(()),
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_directory(of: &Path) -> Result<()> {
    let synced = File::open(directory(of)).and_then(|directory| directory.sync_all());
    synced.map_err(|error| Error::io("cannot finish", of, error))
}

/// Where the file `destination` is until it has its name. A killed process leaves it there.
pub fn partial_of(destination: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(".");
    name.push(destination.file_name().ok_or(io::ErrorKind::IsADirectory)?);
    name.push(".imgforge.partial");
    Ok(directory(destination).join(name))
}

/// Removes the file `partial` of a process that is gone, or as `lock` has it: only who has the lock may remove a file.
fn remove_leftover(partial: &Path, lock: impl Fn(&File) -> Result<()>) -> Result<()> {
    let failed = |source| Error::io("cannot remove", partial, source);
    let foreign = || failed(io::Error::other("it is no regular file, and none of ours: remove it yourself"));
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match fs::symlink_metadata(partial) {
        Err(error) if gone(&error) => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.is_file() => return Err(foreign()),
        Ok(_) => {}
    }
    // What it is may have changed since: no link is followed, and a pipe does not wait for its other end.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let leftover = match OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(partial) {
        Err(error) if gone(&error) => return Ok(()),
        other => other.map_err(failed)?,
    };
    if !leftover.metadata().map_err(failed)?.is_file() {
        return Err(foreign());
    }
    lock(&leftover)?;
    if is_at(&leftover, partial).map_err(failed)? {
        fs::remove_file(partial).map_err(failed)?;
    }
    Ok(())
}

/// Whether `path` is the name of `file`, a file or a folder, still.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let of_file = file.metadata()?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(found) => Ok((found.dev(), found.ino()) == (of_file.dev(), of_file.ino())),
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::FileExt, thread, time::Duration};

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    fn making(destination: &Path, text: &str) -> AtomicFile {
        let new = AtomicFile::create(destination, Access::Public).unwrap();
        new.file().write_all_at(text.as_bytes(), 0).unwrap();
        new
    }

    #[test]
    fn the_name_appears_with_the_whole_file() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.img");
        let new = making(&destination, "image");
        assert!(!destination.exists());
        new.commit().unwrap();
        assert_eq!(fs::read(&destination).unwrap(), b"image");
        assert_eq!(fs::metadata(&destination).unwrap().mode() & 0o7777, 0o644);
        assert_eq!(names(directory.path()), ["out.img"]);
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
    fn the_leftover_of_a_killed_run_goes_and_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.img");
        let other = directory.path().join(".other.img.imgforge.partial");
        let linked = directory.path().join("linked");
        fs::write(&other, "").unwrap();
        fs::write(&linked, "somebody's").unwrap();
        // Even where the leftover is another name of somebody's file, that one stays as it is.
        fs::hard_link(&linked, partial_of(&destination).unwrap()).unwrap();
        let new = AtomicFile::create(&destination, Access::Private).unwrap();
        assert_eq!(new.file().metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(new.file().metadata().unwrap().len(), 0);
        assert_eq!(fs::read(&linked).unwrap(), b"somebody's");
        assert!(other.exists());
    }

    #[test]
    fn what_is_no_regular_file_is_neither_opened_nor_followed() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.img");
        let partial = partial_of(&destination).unwrap();
        let target = directory.path().join("target");
        let pipe = || {
            let made = std::process::Command::new("mkfifo").arg(&partial).status().unwrap();
            assert!(made.success());
        };
        let link = || std::os::unix::fs::symlink(&target, &partial).unwrap();
        let dangling = || std::os::unix::fs::symlink("nowhere", &partial).unwrap();
        let socket = || drop(std::os::unix::net::UnixListener::bind(&partial).unwrap());
        let kinds: [&dyn Fn(); 4] = [&pipe, &link, &dangling, &socket];
        for make in kinds {
            fs::write(&target, "somebody's").unwrap();
            make();
            let error = AtomicFile::create(&destination, Access::Public).unwrap_err();
            let Error::Io { path, source, .. } = &error else { panic!("{error:?}") };
            assert_eq!(*path, partial);
            assert!(source.to_string().contains("no regular file"), "{source}");
            assert_eq!(fs::read(&target).unwrap(), b"somebody's");
            fs::remove_file(&partial).unwrap();
        }
    }

    #[test]
    fn a_file_that_another_is_making_is_refused_or_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.img");
        let first = making(&destination, "first");
        assert!(matches!(AtomicFile::create(&destination, Access::Public), Err(Error::Busy { .. })));
        thread::scope(|scope| {
            let second = scope.spawn(|| AtomicFile::create_in_turn(&destination, Access::Public).unwrap());
            thread::sleep(Duration::from_millis(20));
            assert!(!second.is_finished());
            first.commit().unwrap();
            second.join().unwrap().commit().unwrap();
        });
        assert_eq!(fs::read(&destination).unwrap(), b"");
        assert_eq!(names(directory.path()), ["out.img"]);
    }

    #[test]
    fn many_at_once_make_one_whole_file_after_another() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.img");
        thread::scope(|scope| {
            for number in 0..8 {
                let destination = &destination;
                scope.spawn(move || {
                    for _ in 0..20 {
                        let new = AtomicFile::create_in_turn(destination, Access::Public).unwrap();
                        new.file().write_all_at(&[number; 100], 0).unwrap();
                        new.rename_without_sync();
                        let found = fs::read(destination).unwrap();
                        assert!(found.len() == 100 && found.iter().all(|byte| *byte == found[0]));
                    }
                });
            }
        });
        assert_eq!(names(directory.path()), ["out.img"]);
    }

    impl AtomicFile {
        fn rename_without_sync(mut self) {
            self.rename().unwrap();
        }
    }

    #[test]
    fn killed_between_any_two_steps_only_files_of_one_run_are_there() {
        for killed_after in 0..=steps(3).count() {
            let directory = tempfile::tempdir().unwrap();
            let path = |name: &str| directory.path().join(name);
            let sides = ["out.img.bmap", "out.img.sha256", "out.img.spdx"];
            // The old run had one more side file missing than the new one.
            for name in ["out.img", "out.img.bmap", "out.img.spdx"] {
                fs::write(path(name), "old").unwrap();
            }
            let mut main = making(&path("out.img"), "new");
            let mut beside: Vec<_> = sides.iter().map(|name| making(&path(name), "new")).collect();
            for step in steps(3).take(killed_after) {
                perform(step, &mut main, &mut beside).unwrap();
            }
            let image = fs::read(path("out.img")).unwrap();
            for name in sides {
                let side = fs::read(path(name)).ok();
                assert!(side.is_none_or(|side| side == image), "{name} after {killed_after} steps");
            }
            if killed_after == steps(3).count() {
                assert_eq!(names(directory.path()).len(), 4);
                assert_eq!(image, b"new");
            }
        }
    }

    #[test]
    fn files_that_belong_together_get_their_names_together() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("out.img.bmap"), "old").unwrap();
        fs::write(path("out.img.asc"), "old").unwrap();
        let beside = vec![making(&path("out.img.bmap"), "map"), making(&path("out.img.sha256"), "sum")];
        let main = making(&path("out.img"), "image");
        main.write_back();
        commit_together(main, beside, &[path("out.img.asc")]).unwrap();
        assert_eq!(names(directory.path()), ["out.img", "out.img.bmap", "out.img.sha256"]);
        assert_eq!(fs::read(path("out.img.bmap")).unwrap(), b"map");
    }

    #[test]
    fn what_is_no_regular_file_keeps_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let (socket, link) = (directory.path().join("socket"), directory.path().join("link"));
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::os::unix::fs::symlink(&socket, &link).unwrap();
        for path in [&socket, &link] {
            let error = AtomicFile::create(path, Access::Public).unwrap_err();
            assert!(error.to_string().contains("cannot create"), "{error}");
        }
        assert_eq!(names(directory.path()), ["link", "socket"]);
        assert!(!fs::symlink_metadata(&socket).unwrap().is_file());
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let error = AtomicFile::create(Path::new("/nonexistent/out.img"), Access::Public).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/out.img"), "{error}");
    }
}
