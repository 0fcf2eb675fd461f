//! The last stage: image, block map, checksum, manifest and bill of materials, each under its final name only when it is whole and on disk.

use std::{
    io::{self, Write},
    iter,
    num::NonZeroUsize,
    ops::Range,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use imgforge_disk::{
    Access, AtomicFile, Content, Disk, FileContent, Sha256,
    bmap::{Digests, Map},
    commit_together,
    emit::{self, ChunkOptions, Origin, RawOptions, XzOptions},
    xz::XzFile,
};
use imgforge_spec::{Class, Diagnose};

use crate::{
    build::{manifest::Manifest, sbom, sbom::Installed},
    host::console::Console,
    image::open::decode_nameless,
};

/// Block size of a compressed image where the base gives none: the one `xz -6` takes.
const XZ_BLOCK: u64 = 24 << 20;
/// 6 times as fast as `xz -6` for a seventh more bytes; only what differs from the base is encoded at all.
const XZ_PRESET: u32 = 1;
const ZSTD_LEVEL: i32 = 9;
const GZIP_LEVEL: i32 = 6;

/// Endings of the files beside the image: the block map,
const MAP: &str = ".bmap";
/// its checksum,
const CHECKSUM: &str = ".sha256";
/// the manifest,
pub(crate) const MANIFEST: &str = ".manifest.json";
/// and the bill of materials.
const MATERIALS: &str = ".spdx.json";
/// All of them.
pub(crate) const SIDES: [&str; 4] = [MAP, CHECKSUM, MANIFEST, MATERIALS];

/// Formats of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As it is on the card; holes are not stored.
    Img,
    /// Compressed with xz: small, slow to make where much differs from the base.
    Xz,
    /// Compressed with Zstandard: fast.
    Zst,
    /// Compressed with gzip: read by everything.
    Gz,
}

/// A text that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format: img, xz, zst or gz")]
pub struct UnknownFormat(String);

impl Format {
    /// All of them.
    pub(crate) const ALL: [Format; 4] = [Format::Img, Format::Xz, Format::Zst, Format::Gz];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Img => "img",
            Format::Xz => "xz",
            Format::Zst => "zst",
            Format::Gz => "gz",
        }
    }

    /// The ending of the file's name.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Format::Img => ".img",
            Format::Xz => ".img.xz",
            Format::Zst => ".img.zst",
            Format::Gz => ".img.gz",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// What to write, and how.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// The image.
    pub path: &'a Path,
    /// Its format.
    pub format: Format,
    /// Threads that may be used. They never change a byte.
    pub(crate) threads: NonZeroUsize,
    /// The file that has most of the image already.
    pub(crate) origin: Origin<'a>,
    /// Whether to take the SHA-256 of the whole image, too, where nothing else needs it.
    pub(crate) checksum: bool,
    /// The base as it was published: compressed blocks that did not change are used again.
    pub published: &'a Path,
    /// Digests of ranges of the image that are known already.
    pub known: &'a Digests,
    /// The bytes of the image that no file system uses.
    pub(crate) free: &'a [Range<u64>],
    /// The packages of the base.
    pub(crate) installed: &'a [Installed],
}

/// Why the outputs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image or a file beside it.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// A compressed image does not decode to what was compressed.
    #[error("{} decodes to an image with SHA-256 {found} instead of {expected}", path.display())]
    NotTheImage {
        /// The image.
        path: PathBuf,
        /// The digest of what came out.
        found: Sha256,
        /// The digest of what went in.
        expected: Sha256,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Write { source, .. } => Some(source),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Write { source: imgforge_disk::Error::HostFull { .. }, .. } => {
                "make room, or choose another --output"
            }
            Error::NotTheImage { .. } => {
                "the base in the store may be damaged: delete it and build again with --format img"
            }
            Error::Write { .. } => return None,
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            Error::Write { .. } => Class::Machine,
            Error::NotTheImage { .. } => Class::Image,
        }
    }
}

/// `path` with `suffix` after its name: `node.img` → `node.img.bmap`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder of the file `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What an image that was written is known by.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// SHA-256 of its block map.
    pub map_sha256: Sha256,
    /// SHA-256 of all of it, where it was taken.
    pub sha256: Option<Sha256>,
    /// Size in bytes.
    pub size: u64,
}

/// The outputs, whole and on disk but not under their names yet.
#[derive(Debug)]
pub(crate) struct Written {
    path: PathBuf,
    format: Format,
    manifest: Manifest,
    digests: Digests,
    /// The image as it was written, decompressed.
    content: FileContent,
    file: AtomicFile,
    /// The files beside it.
    beside: Vec<AtomicFile>,
}

impl Written {
    /// The image, read from the file that was written.
    pub fn image(&self) -> Arc<dyn Content> {
        Arc::new(self.content.clone())
    }

    /// The file that holds the same.
    pub(crate) fn content(&self) -> &FileContent {
        &self.content
    }

    /// Whether the image's file is the image as it is on a card.
    pub(crate) fn is_raw(&self) -> bool {
        self.format == Format::Img
    }

    /// The digests in its block map.
    pub(crate) fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Gives the files their names, which never are those of two builds. Dropped without that, they are removed.
    pub(crate) fn commit(self) -> Result<Manifest, Error> {
        let Self { path, manifest, file, beside, .. } = self;
        // What is not made this time goes with the image that it was of.
        let made: Vec<&Path> = beside.iter().map(AtomicFile::destination).collect();
        let mut gone: Vec<PathBuf> = SIDES.iter().map(|suffix| self::beside(&path, suffix)).collect();
        gone.retain(|side| !made.contains(&side.as_path()));
        commit_together(file, beside, &gone).map_err(|source| Error::Write { path, source })?;
        Ok(manifest)
    }
}

impl Output<'_> {
    /// Writes the image and the files beside it, none under its name yet.
    ///
    /// A compressed image is decoded again: it must give the image that was meant.
    /// `manifest` describes the image that has been written.
    pub fn write(
        &self,
        disk: &Disk,
        access: Access,
        manifest: impl FnOnce(Identity) -> Manifest,
        console: &Console,
    ) -> Result<Written, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        let image = AtomicFile::create(self.path, access).map_err(failed(self.path))?;
        let bar = console.progress(&format!("writing {}", self.path.display()), Some(disk.size()));
        let emitted = self.emit(disk, &image, &|at| bar.set(at, None)).map_err(failed(self.path))?;
        drop(bar);
        let decoded = self.decoded(&image, &emitted, console)?;
        let content = match decoded {
            Some(decoded) => decoded,
            None => FileContent::open(image.path()).map_err(failed(self.path))?,
        };
        let map = Map::of(&content, &needed(self.free, content.len()), self.known, self.threads);
        let map = map.map_err(failed(self.path))?;
        let (sha256, size) = (emitted.image_sha256, emitted.image_size);
        let manifest = manifest(Identity { map_sha256: map.sha256(), sha256, size });
        let mut beside = vec![self.text(MAP, access, &map.text)?];
        if let Some(sha256) = emitted.sha256 {
            let name = self.path.file_name().unwrap_or_default().to_string_lossy();
            beside.push(self.text(CHECKSUM, access, &format!("{sha256}  {name}\n"))?);
        }
        let unrendered = |error: serde_json::Error| failed(self.path)(host_error(self.path, error.into()));
        beside.push(self.text(MANIFEST, access, &manifest.to_json().map_err(unrendered)?)?);
        let materials = sbom::Document::new(&manifest, self.installed).to_json().map_err(unrendered)?;
        beside.push(self.text(MATERIALS, access, &materials)?);
        Ok(Written {
            path: self.path.to_owned(),
            format: self.format,
            manifest,
            digests: map.digests,
            content,
            file: image,
            beside,
        })
    }

    /// A compressed image decoded into a file beside it that has no name; it has to be what was `emitted`.
    fn decoded(
        &self,
        image: &AtomicFile,
        emitted: &emit::Written,
        console: &Console,
    ) -> Result<Option<FileContent>, Error> {
        if self.format == Format::Img {
            return Ok(None);
        }
        let failed = |source| Error::Write { path: self.path.to_owned(), source };
        let folder = folder_of(self.path);
        let bar = console.progress(&format!("decoding {}", self.path.display()), Some(emitted.image_size));
        let progress = |at| bar.set(at, None);
        let (decoded, content) = decode_nameless(image.path(), folder, &progress).map_err(failed)?;
        match emitted.image_sha256 {
            Some(expected) if expected != decoded.image_sha256 => {
                let found = decoded.image_sha256;
                Err(Error::NotTheImage { path: self.path.to_owned(), found, expected })
            }
            _ => Ok(Some(content)),
        }
    }

    fn emit(
        &self,
        disk: &Disk,
        image: &AtomicFile,
        progress: &dyn Fn(u64),
    ) -> imgforge_disk::Result<emit::Written> {
        let threads = self.threads;
        match self.format {
            Format::Img => {
                let options = RawOptions { threads, origin: Some(self.origin), digest: self.checksum };
                emit::raw(disk, image, &options, progress)
            }
            Format::Xz => {
                let reuse = FileContent::open(self.published).and_then(XzFile::open).ok();
                let vendors = reuse.as_ref().and_then(|file| file.blocks().first()).map(|block| {
                    let range = block.image_range();
                    range.end - range.start
                });
                let block_size = vendors.unwrap_or(XZ_BLOCK).min(XZ_BLOCK);
                let options = XzOptions { threads, preset: XZ_PRESET, block_size, reuse: reuse.as_ref() };
                emit::xz(disk, image, &options, progress)
            }
            Format::Zst => emit::zstd(disk, image, &ChunkOptions { threads, level: ZSTD_LEVEL }, progress),
            Format::Gz => emit::gzip(disk, image, &ChunkOptions { threads, level: GZIP_LEVEL }, progress),
        }
    }

    fn text(&self, suffix: &str, access: Access, text: &str) -> Result<AtomicFile, Error> {
        let path = beside(self.path, suffix);
        let failed = |source| Error::Write { path: path.clone(), source };
        let file = AtomicFile::create(&path, access).map_err(failed)?;
        let written = file.file().write_all(text.as_bytes());
        written.map_err(|error| failed(host_error(&path, error)))?;
        Ok(file)
    }
}

/// SHA-256 of the block map of an image whose root file system has these bytes `free`.
pub(crate) fn map_sha256(
    image: &dyn Content,
    free: &[Range<u64>],
    threads: NonZeroUsize,
) -> io::Result<Sha256> {
    let map = Map::of(image, &needed(free, image.len()), &Digests::default(), threads);
    map.map(|map| map.sha256()).map_err(io::Error::other)
}

/// Everything of an image of `size` bytes but what is `free` in the root file system: a card must have all of it, zeros
/// included.
pub(crate) fn needed(free: &[Range<u64>], size: u64) -> Vec<Range<u64>> {
    let starts = iter::once(0).chain(free.iter().map(|range| range.end));
    let ends = free.iter().map(|range| range.start).chain([size]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|range| range.start < range.end).collect()
}

fn host_error(path: &Path, source: io::Error) -> imgforge_disk::Error {
    imgforge_disk::Error::Io { what: "cannot write", path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_beside_the_image_keep_its_whole_name() {
        assert_eq!(beside(Path::new("a/node.img.xz"), ".sha256"), Path::new("a/node.img.xz.sha256"));
    }
}
