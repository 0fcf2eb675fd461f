//! Carrying published files from one store to another: a tar archive with entries `blobs/<sha256>` and nothing else.
//!
//! The same files give the same archive. On import nothing is believed: an entry is kept only if its bytes have the hash
//! that its name says, and only if all others have theirs.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use imgforge_disk::{Access, AtomicFile, ScratchFolder};
use imgforge_spec::{Hasher, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use super::{BLOBS, Error, References, Store, failed, not_written};

/// How the name of a folder begins into which files are imported.
pub(super) const STAGING: &str = "import.";

/// Size of a block; two blocks of zeros are the end of an archive (POSIX pax, ustar interchange format).
const BLOCK: u64 = 512;

/// Told of the bytes copied so far.
type Progress<'a> = dyn Fn(u64) + 'a;

impl Store {
    /// Writes published files into the archive `output`: those that `only` names, which must all be there, or all. Returns
    /// how many.
    pub fn export(
        &self,
        output: &Path,
        only: Option<&References>,
        progress: &Progress<'_>,
    ) -> Result<usize, Error> {
        let hashes = self.hashes(only)?;
        let archive = AtomicFile::create(output, Access::Public).map_err(not_written(output))?;
        let mut builder = Builder::new(BufWriter::with_capacity(1 << 20, archive.file()));
        let mut done = 0;
        for sha256 in &hashes {
            done += self.append(&mut builder, *sha256, output, &|at| progress(done + at))?;
        }
        let written = builder.into_inner().and_then(|mut writer| writer.flush());
        written.map_err(failed("cannot write", output))?;
        archive.commit().map_err(not_written(output))?;
        Ok(hashes.len())
    }

    /// Published files with paths and sizes in bytes: those that `only` names, which must all be there, or all. Each is hashed if it
    /// has been touched since it was last.
    pub(crate) fn published(&self, only: Option<&References>) -> Result<Vec<(Sha256, PathBuf, u64)>, Error> {
        let file = |sha256: Sha256| {
            let path = self.blob(sha256);
            self.verified_blob(sha256)?;
            let size = path.metadata().map_err(failed("cannot read", &path))?.len();
            Ok((sha256, path, size))
        };
        self.hashes(only)?.into_iter().map(file).collect()
    }

    /// Takes in all files of the archive `input`, or none. Returns how many.
    pub fn import(&self, input: &Path, progress: &Progress<'_>) -> Result<usize, Error> {
        let file = File::open(input).map_err(failed("cannot read", input))?;
        let length = file.metadata().map_err(failed("cannot read", input))?.len();
        let staging = self.folder.join(format!("{STAGING}partial"));
        let staging = ScratchFolder::create(&staging).map_err(not_written(&staging))?;
        let mut archive = Archive::new(BufReader::with_capacity(1 << 20, file));
        // Raw: extensions of the format are refused as they are, not interpreted.
        let entries = archive.entries().map_err(|error| broken(input, error))?.raw(true);
        let mut staged = Vec::new();
        let (mut done, mut end) = (0, 0);
        for entry in entries {
            let mut entry = entry.map_err(|error| broken(input, error))?;
            let sha256 = admissible(&entry).map_err(|message| broken(input, message))?;
            let path = staging.path().join(sha256.to_string());
            let size = entry.size();
            let (found, copied) = copy(&mut entry, &path, &|at| progress(done + at))?;
            if copied != size {
                return Err(broken(input, format!("it is cut off in blobs/{sha256}")));
            }
            if found != sha256 {
                return Err(broken(input, format!("blobs/{sha256} has SHA-256 {found}")));
            }
            done += size;
            end = entry.raw_file_position().saturating_add(size).next_multiple_of(BLOCK);
            staged.push((path, sha256));
        }
        // Without its end, an archive may lack any number of files.
        if length < end.saturating_add(2 * BLOCK) {
            return Err(broken(input, "it is cut off, or something else"));
        }
        for (path, sha256) in &staged {
            let file = File::open(path).map_err(failed("cannot read", path))?;
            self.keep_blob(&file, path, *sha256)?;
        }
        Ok(staged.len())
    }

    /// The hashes of the files that `only` names, or of all.
    fn hashes(&self, only: Option<&References>) -> Result<Vec<Sha256>, Error> {
        match only {
            Some(references) => self.referenced(references),
            None => self.blobs(),
        }
    }

    /// The hashes that `references` names; all files must be there.
    fn referenced(&self, references: &References) -> Result<Vec<Sha256>, Error> {
        let lacks = |sha256: Sha256| !self.blob(sha256).is_file();
        let describe = |names: Vec<&str>, sha256: Sha256| format!("{} ({sha256})", names.join(", "));
        let missing: Vec<_> = references
            .iter()
            .filter(|(sha256, _)| lacks(*sha256))
            .map(|(sha256, _)| describe(references.names(sha256).collect(), sha256))
            .collect();
        if missing.is_empty() {
            Ok(references.iter().map(|(sha256, _)| sha256).collect())
        } else {
            Err(Error::Missing { missing })
        }
    }

    /// Appends the file with this hash to an archive that will be `output`; returns its size.
    fn append(
        &self,
        builder: &mut Builder<impl Write>,
        sha256: Sha256,
        output: &Path,
        progress: &Progress<'_>,
    ) -> Result<u64, Error> {
        let path = self.blob(sha256);
        let file = File::open(&path).map_err(failed("cannot read", &path))?;
        let size = file.metadata().map_err(failed("cannot read", &path))?.len();
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o644);
        let mut reader = Hashing { inner: file.take(size), hasher: Hasher::default(), at: 0, progress };
        builder
            .append_data(&mut header, format!("{BLOBS}/{sha256}"), &mut reader)
            .map_err(failed("cannot write", output))?;
        let found = reader.hasher.finish();
        if found == sha256 {
            return Ok(size);
        }
        let what = format!("the stored file {}", path.display());
        Err(Error::Mismatch { what, found, expected: sha256 })
    }
}

/// A reader that hashes what goes through it.
struct Hashing<'a, R> {
    inner: R,
    hasher: Hasher,
    at: u64,
    progress: &'a Progress<'a>,
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(piece)?;
        self.hasher.update(piece.get(..length).unwrap_or_default());
        self.at += length as u64;
        (self.progress)(self.at);
        Ok(length)
    }
}

/// Copies what comes out of `reader` into the new file `path`; returns its hash and length.
fn copy(reader: &mut impl Read, path: &Path, progress: &Progress<'_>) -> Result<(Sha256, u64), Error> {
    let mut reader = Hashing { inner: reader, hasher: Hasher::default(), at: 0, progress };
    let copied = File::create(path).and_then(|mut file| io::copy(&mut reader, &mut file));
    let length = copied.map_err(failed("cannot write", path))?;
    Ok((reader.hasher.finish(), length))
}

/// The hash in an entry's name, if it is the entry of a published file.
fn admissible(entry: &tar::Entry<'_, impl Read>) -> Result<Sha256, String> {
    let path = entry.path_bytes();
    let name = String::from_utf8_lossy(&path);
    let sha256 = name.strip_prefix("blobs/").and_then(|name| name.parse().ok());
    match sha256.filter(|_| entry.header().entry_type() == EntryType::Regular) {
        Some(sha256) => Ok(sha256),
        None => Err(format!("it has an entry {name:?}, which is no file blobs/<sha256>")),
    }
}

fn broken(path: &Path, message: impl ToString) -> Error {
    Error::Archive { path: PathBuf::from(path), message: message.to_string() }
}
