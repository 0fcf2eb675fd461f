//! The files that this process is making, so that it can take them with it when it is interrupted.

use std::{
    collections::BTreeSet,
    fs, io, mem,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

static FILES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Held while files that belong together get their names.
static NAMING: Mutex<()> = Mutex::new(());

/// As long as this is held, [`abandon_files`] waits.
pub(crate) fn naming() -> MutexGuard<'static, ()> {
    NAMING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn files() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the file `path` is one of them.
pub(crate) fn begin(path: &Path) {
    files().insert(path.to_owned());
}

/// Does what ends the making of `path`: it is renamed or removed.
pub(crate) fn end(path: &Path, last: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let mut files = files();
    let ended = last();
    files.remove(path);
    ended
}

/// Removes every [`AtomicFile`](crate::AtomicFile) that this process has not finished, and returns how many there were. It is
/// for who is about to end the process: from now on no file gets its name.
pub fn abandon_files() -> usize {
    let naming = naming();
    let files = files();
    let gone = files.iter().filter(|path| fs::remove_file(path).is_ok()).count();
    // Never unlocked again: what waits to give a file its name waits until the process has ended.
    mem::forget((naming, files));
    gone
}
