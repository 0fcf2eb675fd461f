//! Hashes of the user's own files: a base that is given again is not read again.
//!
//! As git's index does it, a file under the same path with the same inode, size, and times of modification and of change is taken to
//! be the same. The risk is git's, too: whoever can change a file and set the machine's clock back meanwhile is not noticed. One
//! that was changed moments before it was hashed is not remembered, since it may change again within one tick of the clock.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use imgforge_spec::Sha256;
use serde::{Deserialize, Serialize};

use super::{GIVEN, Store, stamp, write_whole};
use crate::{host::clock, yaml};

/// Seconds that a file must have been left alone before it is hashed.
const SETTLED: i64 = 2;

/// What a file was like when it was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Seen {
    device: u64,
    inode: u64,
    /// Size in bytes.
    size: u64,
    /// Times of modification and of change, in nanoseconds since 1970.
    modified: i128,
    changed: i128,
    sha256: Sha256,
}

impl Seen {
    fn new(metadata: &Metadata, sha256: Sha256) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: stamp(metadata),
            changed: i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
            sha256,
        }
    }
}

impl Store {
    /// The SHA-256 of the file `path`, which is not the store's; `hash` finds it out where it is not known.
    pub(crate) fn sha256_of_given(
        &self,
        path: &Path,
        hash: impl FnOnce() -> io::Result<Sha256>,
    ) -> io::Result<Sha256> {
        let before = fs::metadata(path)?;
        let record = self.given_path(&path.canonicalize()?);
        let known = yaml::read_file::<Seen>(&record).ok();
        if let Some(known) = known.filter(|known| *known == Seen::new(&before, known.sha256)) {
            return Ok(known.sha256);
        }
        let seen = Seen::new(&before, hash()?);
        let is_settled =
            clock::now().is_some_and(|now| before.ctime().saturating_add(SETTLED) < now.cast_signed());
        if is_settled && Seen::new(&fs::metadata(path)?, seen.sha256) == seen {
            // Where that fails, the file is only hashed again.
            let _ = write_whole(&record, yaml::to_string(&seen).as_bytes());
        }
        Ok(seen.sha256)
    }

    fn given_path(&self, path: &Path) -> PathBuf {
        let name = Sha256::of(path.as_os_str().as_encoded_bytes());
        self.folder.join(GIVEN).join(format!("{name}.yaml"))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::Duration};

    use super::*;

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("store")).unwrap()
    }

    #[test]
    fn a_file_is_hashed_again_only_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (store, path) = (store(&folder), folder.path().join("base.img"));
        let digests = [Sha256::of("1"), Sha256::of("2")];
        fs::write(&path, "one").unwrap();
        // A file that was changed a moment ago is not believed.
        assert_eq!(store.sha256_of_given(&path, || Ok(digests[0])).unwrap(), digests[0]);
        assert_eq!(store.sha256_of_given(&path, || Ok(digests[1])).unwrap(), digests[1]);
        std::thread::sleep(Duration::from_millis(3100));
        assert_eq!(store.sha256_of_given(&path, || Ok(digests[0])).unwrap(), digests[0]);
        assert_eq!(store.sha256_of_given(&path, || Ok(digests[1])).unwrap(), digests[0]);
        // Neither the same size nor the same time of modification makes it the same.
        let old = File::open(&path).unwrap().metadata().unwrap().modified().unwrap();
        fs::write(&path, "two").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert_eq!(store.sha256_of_given(&path, || Ok(digests[1])).unwrap(), digests[1]);
    }
}
