//! Files as they were published, by their hash.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use imgforge_spec::Sha256;
use serde::{Deserialize, Serialize};

use super::{BLOBS, Error, Store, check, failed, stamp, write_whole};
use crate::yaml;

/// What a file was like when it was last hashed, and the hash was right.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Hashed {
    /// Size in bytes.
    size: u64,
    /// Time of modification, in nanoseconds since 1970.
    stamp: i128,
}

impl Hashed {
    fn now(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { size: metadata.len(), stamp: stamp(&metadata) })
    }
}

impl Store {
    /// Where the published file with this hash is or will be.
    pub fn blob(&self, sha256: Sha256) -> PathBuf {
        self.folder.join(BLOBS).join(sha256.to_string())
    }

    /// The published file with this hash, if the store has it. It is hashed unless it is as it was when it was hashed last;
    /// [`Error::Mismatch`] if its bytes have changed.
    pub fn verified_blob(&self, sha256: Sha256) -> Result<Option<PathBuf>, Error> {
        let path = self.blob(sha256);
        let hashed = match Hashed::now(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed("cannot read", &path))?,
        };
        let known = yaml::read_file::<Hashed>(&self.hashed_path(sha256)).is_ok_and(|known| known == hashed);
        if !known {
            check("the stored file", &path, sha256)?;
            self.note(sha256, &hashed);
        }
        Ok(Some(path))
    }

    /// Takes in the file `path`, open as `file`, whose hash has been found to be `sha256`, and which lies in the store.
    pub fn keep_blob(&self, file: &File, path: &Path, sha256: Sha256) -> Result<PathBuf, Error> {
        file.sync_all().map_err(failed("cannot write", path))?;
        let hashed = Hashed::now(path).map_err(failed("cannot read", path))?;
        let blob = self.blob(sha256);
        fs::rename(path, &blob).map_err(failed("cannot name", &blob))?;
        let folder = self.folder.join(BLOBS);
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed("cannot write", &folder))?;
        self.note(sha256, &hashed);
        Ok(blob)
    }

    /// Remembers when a file was hashed. Where that fails, the file is only hashed again.
    fn note(&self, sha256: Sha256, hashed: &Hashed) {
        let _ = write_whole(&self.hashed_path(sha256), yaml::to_string(hashed).as_bytes());
    }

    fn hashed_path(&self, sha256: Sha256) -> PathBuf {
        self.folder.join(BLOBS).join(format!("{sha256}.yaml"))
    }
}
