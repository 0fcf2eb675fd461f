//! Files of the user's that belong to a board: beside its profile or, where that is nobody's to write, in the user's
//! configuration folder.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Board;
use crate::host::settings;

impl Board {
    /// Where the board's lock is, or would be: beside the profile if it can be written there, else in the user's folder of
    /// locks. One that lies beside all the same, which somebody else keeps, counts until the user has one.
    pub fn lock(&self) -> PathBuf {
        let beside = self.path.with_extension("lock.yaml");
        if !self.is_built_in && can_write_beside(&self.path) {
            return beside;
        }
        let own = settings::own_locks().zip(beside.file_name()).map(|(folder, name)| folder.join(name));
        own.filter(|own| own.is_file() || !beside.is_file()).unwrap_or(beside)
    }

    /// The folder with keys of the user's, which need not be there.
    pub fn keys(&self) -> PathBuf {
        let own = settings::own_profiles().filter(|_| self.is_built_in);
        own.map_or_else(|| self.path.with_file_name("keys"), |profiles| profiles.join("keys"))
    }

    /// Whether the lock is, or would be, elsewhere than beside the profile.
    pub fn keeps_lock_elsewhere(&self) -> bool {
        self.lock().parent() != self.path.parent()
    }
}

/// Whether this user may make files in the folder of `path`. A file system that is mounted read-only says no to root, too.
fn can_write_beside(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    access(folder.unwrap_or(Path::new(".")), Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
