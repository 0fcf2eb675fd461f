//! Decoded images: each is gigabytes, decoded once, and found again by the hash of the published file.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use imgforge_disk::{Access, AtomicFile, bmap::Digests};
use imgforge_spec::Sha256;
use serde::{Deserialize, Serialize};

use super::{BASES, Error, Store, check, failed, stamp, write_whole};
use crate::{image::open::decode_to, yaml};

/// Builds that change other parts of a base cut its ranges otherwise; beyond so many, those of the last build are kept alone.
const MOST_DIGESTS: usize = 100_000;

/// An image, decoded, as the store keeps it.
#[derive(Debug, Clone)]
pub struct DecodedBase {
    /// The decoded image.
    pub path: PathBuf,
    /// Its record.
    pub record: Record,
}

/// What came out of a published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// Container format: `xz`, `raw`, …
    pub format: String,
    /// SHA-256 of the published file.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of the image in it.
    pub image_sha256: Sha256,
    /// Its size in bytes.
    pub(crate) image_size: u64,
    /// Time of modification of the decoded image, in nanoseconds since 1970.
    stamp: i128,
}

impl Store {
    /// The decoded image of the published file with hash `sha256`, if the store has it, whole and unaltered.
    pub fn decoded(&self, sha256: Sha256) -> Result<Option<DecodedBase>, Error> {
        let record_path = self.record_path(sha256);
        if !record_path.is_file() {
            return Ok(None);
        }
        let record: Record = yaml::read_file(&record_path)?;
        let path = self.image_path(record.image_sha256);
        let Ok(metadata) = fs::metadata(&path) else { return Ok(None) };
        if metadata.len() == record.image_size && stamp(&metadata) == record.stamp {
            return Ok(Some(DecodedBase { path, record }));
        }
        // Touched since it was decoded: believe its bytes only.
        check("the decoded image", &path, record.image_sha256)?;
        let record = Record { stamp: stamp(&metadata), ..record };
        self.write_record(&record)?;
        Ok(Some(DecodedBase { path, record }))
    }

    /// Decodes the published file `source`, which must have the hash `expected` where one is given, into the store.
    pub fn decode(
        &self,
        source: &Path,
        expected: Option<Sha256>,
        progress: &dyn Fn(u64),
    ) -> Result<DecodedBase, Error> {
        // One build decodes; others that want the same base wait for it, then find it there.
        let lock_path = self.folder.join(BASES).join("decode.lock");
        let lock = File::create(&lock_path).map_err(failed("cannot make", &lock_path))?;
        lock.lock().map_err(failed("cannot lock", &lock_path))?;
        if let Some(expected) = expected
            && let Some(base) = self.decoded(expected)?
        {
            return Ok(base);
        }
        let destination = self.folder.join(BASES).join("decoding.img");
        let output = AtomicFile::create(&destination, Access::Public).map_err(decode_failed(source))?;
        let decoded = decode_to(source, output.path(), progress).map_err(decode_failed(source))?;
        let sha256 = decoded.source_sha256;
        if let Some(expected) = expected.filter(|expected| *expected != sha256) {
            let what = source.display().to_string();
            return Err(Error::Mismatch { what, found: sha256, expected });
        }
        output.commit().map_err(decode_failed(source))?;
        let image_sha256 = decoded.image_sha256;
        let path = self.image_path(image_sha256);
        fs::set_permissions(&destination, fs::Permissions::from_mode(0o444))
            .map_err(failed("cannot protect", &destination))?;
        fs::rename(&destination, &path).map_err(failed("cannot name", &path))?;
        let metadata = fs::metadata(&path).map_err(failed("cannot read", &path))?;
        let record = Record {
            format: decoded.format.to_string(),
            sha256,
            size: decoded.source_size,
            image_sha256,
            image_size: decoded.image_size,
            stamp: stamp(&metadata),
        };
        self.write_record(&record)?;
        Ok(DecodedBase { path, record })
    }

    /// Digests of ranges of the decoded image with this hash, as far as earlier builds have taken them.
    pub(crate) fn digests(&self, image_sha256: Sha256) -> Digests {
        let map = fs::read_to_string(self.digests_path(image_sha256));
        map.ok().and_then(|map| Digests::of_map(&map)).unwrap_or_default()
    }

    /// Keeps digests of ranges of the decoded image with this hash, so that they need not be taken again.
    pub(crate) fn keep_digests(&self, image_sha256: Sha256, digests: Digests) -> Result<(), Error> {
        let known = self.digests(image_sha256);
        let mut all = known.clone();
        all.extend(digests.clone());
        if all == known {
            return Ok(());
        }
        let kept = if all.len() > MOST_DIGESTS { digests } else { all };
        write_whole(&self.digests_path(image_sha256), kept.to_map().as_bytes())
    }

    fn digests_path(&self, image_sha256: Sha256) -> PathBuf {
        self.folder.join(BASES).join(format!("{image_sha256}.bmap"))
    }

    fn write_record(&self, record: &Record) -> Result<(), Error> {
        let path = self.record_path(record.sha256);
        write_whole(&path, yaml::to_string(record).as_bytes())
    }

    pub(super) fn record_path(&self, sha256: Sha256) -> PathBuf {
        self.folder.join(BASES).join(format!("{sha256}.yaml"))
    }

    fn image_path(&self, image_sha256: Sha256) -> PathBuf {
        self.folder.join(BASES).join(format!("{image_sha256}.img"))
    }
}

fn decode_failed(source: &Path) -> impl Fn(imgforge_disk::Error) -> Error {
    move |error| Error::Decode { path: source.to_owned(), source: error }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use imgforge_disk::bmap::Map;

    use super::*;

    #[test]
    fn digests_of_a_base_are_kept_together_and_not_believed_when_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let image = vec![7; 3 * 4096];
        let base = Sha256::of(&image);
        let of = |range| Map::of(&image, &[range], &Digests::default(), NonZeroUsize::MIN).unwrap().digests;
        store.keep_digests(base, of(0..4096)).unwrap();
        store.keep_digests(base, of(8192..12_288)).unwrap();
        let mut both = of(0..4096);
        both.extend(of(8192..12_288));
        assert_eq!(store.digests(base), both);
        let path = store.digests_path(base);
        let damaged = fs::read_to_string(&path).unwrap().replacen("> 0 <", "> 1 <", 1);
        fs::write(&path, damaged).unwrap();
        assert!(store.digests(base).is_empty());
        assert!(store.digests(Sha256::of("another")).is_empty());
    }
}
