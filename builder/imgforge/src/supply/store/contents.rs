//! What is in the store, and taking out of it what nobody needs.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use imgforge_spec::Sha256;
use serde::Serialize;

use super::{BASES, BLOBS, Error, Record, References, Store, UNPACKED, failed, transfer::STAGING};

use crate::yaml;

/// What something in the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An image as it was published, which has been decoded.
    BaseImage,
    /// Any other file as it was published.
    Blob,
    /// A decoded image.
    DecodedBase,
    /// What was unpacked from a file.
    Unpacked,
    /// What a download or an import has left off.
    Unfinished,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::BaseImage => "base image",
            Kind::Blob => "blob",
            Kind::DecodedBase => "decoded base",
            Kind::Unpacked => "unpacked",
            Kind::Unfinished => "unfinished",
        })
    }
}

/// Something in the store, with what the store has noted about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// The hash in its name: of the file itself, or of what it was made from; of nothing for what is unfinished.
    pub sha256: Option<Sha256>,
    /// The space it takes, in bytes; holes take none.
    pub size: u64,
    paths: Vec<PathBuf>,
}

impl Store {
    /// Everything in the store, ordered by kind and hash.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let mut entries = BTreeMap::new();
        for folder in [BLOBS, BASES, UNPACKED, ""] {
            for path in paths_in(&self.folder.join(folder))? {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let Some((kind, sha256)) = self.identify(folder, name) else { continue };
                let size = space(&path).map_err(failed("cannot read", &path))?;
                let new = || Entry { kind, sha256, size: 0, paths: Vec::new() };
                let entry = entries.entry((kind, sha256)).or_insert_with(new);
                entry.size = entry.size.saturating_add(size);
                entry.paths.push(path);
            }
        }
        Ok(entries.into_values().collect())
    }

    /// The hashes of all published files, in order.
    pub(super) fn blobs(&self) -> Result<Vec<Sha256>, Error> {
        let paths = paths_in(&self.folder.join(BLOBS))?;
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        let mut hashes: Vec<_> = names.filter_map(named).collect();
        hashes.sort();
        Ok(hashes)
    }

    /// Takes out what can be made again and what is unfinished; with `keep`, published files that it does not name, too.
    /// Returns what was taken out, or would be.
    pub fn prune(&self, keep: Option<&References>, really: bool) -> Result<Vec<Entry>, Error> {
        let goes = |entry: &Entry| match entry.kind {
            Kind::BaseImage | Kind::Blob => {
                keep.is_some_and(|keep| entry.sha256.is_some_and(|sha256| !keep.contains(sha256)))
            }
            Kind::DecodedBase | Kind::Unpacked | Kind::Unfinished => true,
        };
        self.alone(|| {
            let mut entries = self.entries()?;
            entries.retain(goes);
            if really {
                for path in entries.iter().flat_map(|entry| &entry.paths) {
                    remove(path).map_err(failed("cannot remove", path))?;
                }
            }
            Ok(entries)
        })
    }

    /// What a file called `name` in `folder` is, and its hash; nothing for what is the store's own, or not the store's.
    fn identify(&self, folder: &str, name: &str) -> Option<(Kind, Option<Sha256>)> {
        let (start, ending) = name.split_once('.').unwrap_or((name, ""));
        let unfinished = || Some((Kind::Unfinished, None));
        let of = |kind, sha256| Some((kind, Some(sha256)));
        match (folder, named(start), ending) {
            (BLOBS, Some(sha256), "" | "yaml") if self.record_path(sha256).exists() => {
                of(Kind::BaseImage, sha256)
            }
            (BLOBS, Some(sha256), "" | "yaml") => of(Kind::Blob, sha256),
            (BASES, Some(sha256), "img" | "bmap") => of(Kind::DecodedBase, sha256),
            // A record goes with the image it is of, if it can still be read.
            (BASES, Some(sha256), "yaml") => match yaml::read_file::<Record>(&self.record_path(sha256)) {
                Ok(record) => of(Kind::DecodedBase, record.image_sha256),
                Err(_) => unfinished(),
            },
            (BASES, None, "img") => unfinished(),
            (UNPACKED, Some(sha256), _) => of(Kind::Unpacked, sha256),
            ("", ..) if name.starts_with(STAGING) => unfinished(),
            (BLOBS | BASES | UNPACKED, _, ending) if ending.ends_with("partial") => unfinished(),
            _ => None,
        }
    }
}

/// The hash that is the name of a file: the store writes the digits in lower case.
fn named(name: &str) -> Option<Sha256> {
    name.parse().ok().filter(|sha256: &Sha256| sha256.to_string() == name)
}

/// What lies in `folder`, which may be missing.
fn paths_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = || fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect();
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(failed("cannot list", folder)),
    }
}

/// The space that a file, or a folder with all that is in it, takes on disk, in bytes.
fn space(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    let mut size = metadata.blocks().saturating_mul(512);
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            size = size.saturating_add(space(&entry?.path())?);
        }
    }
    Ok(size)
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
