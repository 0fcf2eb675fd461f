//! Where the bytes for a card come from: an image file, or a disk that was just made.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_disk::{
    Content, Disk, FileContent,
    decode::{self, Format},
    partition::Table,
};

use super::{
    error::Error,
    map::Map,
    ranges::{Cutter, Piece, Ranges, Wanted},
};

/// The largest block map that is read, in bytes: that of an image of a TiB, in ranges as ours, has half of it.
const LARGEST_MAP: u64 = 64 << 20;
/// Bytes read at once.
const STEP: u64 = 1 << 20;
const SECTOR: usize = 512;
/// What the first sector of every disk ends with that has a partition table, a GPT's as well.
const BOOT_SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// Images have whole pages of this many bytes, whatever the disk has.
const PAGE: u64 = 4096;

/// An image for a card.
#[derive(Debug)]
pub(crate) struct Source {
    /// What messages call it.
    pub name: String,
    /// Its size in bytes, where that is known before it is decoded.
    pub size: Option<u64>,
    /// What a card must have of it; all where it is not known.
    wanted: Option<Vec<Wanted>>,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    /// They can be read anywhere.
    Raw(Arc<dyn Content>),
    /// They come in order, out of a decoder.
    Packed(FileContent),
}

impl Source {
    /// The image file `path`, raw or compressed, by the block map beside it if there is one.
    pub(crate) fn file(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let failed = |source| Error::Image { image: name.clone(), source };
        let file = FileContent::open(path).map_err(failed)?;
        let format = Format::of(&file).map_err(failed)?;
        let map = map_beside(path, format)?;
        let size = decode::image_size(&file);
        if let (Some(map), Some(size)) = (&map, size)
            && map.image_size != size
        {
            return Err(Error::Size { image: name, found: size, expected: map.image_size });
        }
        let size = size.or(map.as_ref().map(|map| map.image_size));
        let has_map = map.is_some();
        let of_map = |map: Map| {
            let ranges = map.ranges.into_iter();
            ranges.map(|(range, sha256)| Wanted { range, sha256: Some(sha256) }).collect()
        };
        let wanted = map.map(of_map).or(size.map(|size| Wanted::all_of(0..size).collect()));
        let bytes = match format {
            Format::Raw => Bytes::Raw(Arc::new(file)),
            _ => Bytes::Packed(file),
        };
        let source = Self { name, size, wanted, bytes };
        // A map vouches for every byte.
        if !has_map {
            source.check()?;
        }
        Ok(source)
    }

    /// That it is an image, as far as its beginning tells: somebody may have named another file, or have half of one.
    fn check(&self) -> Result<(), Error> {
        let no_image = |source| Error::NoImage { image: self.name.clone(), source };
        match &self.bytes {
            Bytes::Raw(content) => match Table::read(&Disk::new(Arc::clone(content))) {
                // What is only too strange for a build, such as an installer's hybrid table, is an image all the same.
                Err(source) if source.is_no_whole_image() => Err(no_image(Some(source))),
                _ => Ok(()),
            },
            Bytes::Packed(file) => {
                let head =
                    first_sector(file).map_err(|source| Error::Image { image: self.name.clone(), source })?;
                if head.ends_with(&BOOT_SIGNATURE) { Ok(()) } else { Err(no_image(None)) }
            }
        }
    }

    /// The disk of `name`, of which a card must have the bytes `needed`: in order and apart from each other.
    pub(crate) fn disk(name: String, disk: Arc<dyn Content>, needed: &[Range<u64>]) -> Self {
        let size = disk.len().next_multiple_of(PAGE);
        let mut wanted: Vec<Wanted> = Vec::new();
        for range in needed {
            // Blocks that are needed in part are written whole.
            let start = (range.start / PAGE * PAGE).max(wanted.last().map_or(0, |last| last.range.end));
            wanted.extend(Wanted::all_of(start..range.end.next_multiple_of(PAGE).min(size)));
        }
        Self { name, size: Some(size), wanted: Some(wanted), bytes: Bytes::Raw(disk) }
    }

    /// How many bytes will be written, where that is known.
    pub(super) fn total(&self) -> Option<u64> {
        let length = |wanted: &Wanted| wanted.range.end - wanted.range.start;
        self.wanted.as_ref().map(|wanted| wanted.iter().map(length).sum())
    }

    /// Gives what a card must have, in order, to `give`; returns its ranges and their digests, which are those that the map
    /// says where there is one.
    pub(super) fn read(&self, give: impl FnMut(Piece) -> Result<(), Error>) -> Result<Ranges, Error> {
        match &self.wanted {
            Some(wanted) => self.read_wanted(wanted.iter().cloned(), give),
            None => self.read_wanted(Wanted::all_of(0..u64::MAX), give),
        }
    }

    fn read_wanted(
        &self,
        wanted: impl Iterator<Item = Wanted> + Clone,
        give: impl FnMut(Piece) -> Result<(), Error>,
    ) -> Result<Ranges, Error> {
        let mut cutter = Cutter::new(&self.name, wanted.clone(), give);
        let size = match &self.bytes {
            Bytes::Raw(content) => {
                let mut buffer = vec![0; STEP as usize];
                for Wanted { range, .. } in wanted {
                    let mut at = range.start;
                    while at < range.end {
                        let part = buffer.split_at_mut((range.end - at).min(STEP) as usize).0;
                        read_padded(&**content, at, part).map_err(|source| self.unreadable(source))?;
                        cutter.take(at, part)?;
                        at += part.len() as u64;
                    }
                }
                self.size.unwrap_or_default()
            }
            Bytes::Packed(file) => self.decode(file, |at, bytes| cutter.take(at, bytes))?,
        };
        if let Some(expected) = self.size.filter(|expected| *expected != size) {
            return Err(Error::Size { image: self.name.clone(), found: size, expected });
        }
        cutter.finish(size)
    }

    /// Decodes `file` into `take`; returns the size of the image.
    fn decode(
        &self,
        file: &FileContent,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        let mut at = 0;
        let mut ours = None;
        let decoded = decode::stream(file, |bytes| {
            take(at, bytes).map_err(|error| {
                ours = Some(error);
                imgforge_disk::Error::Disk(io::ErrorKind::Interrupted.into())
            })?;
            at += bytes.len() as u64;
            Ok(())
        });
        match (ours, decoded) {
            (Some(error), _) => Err(error),
            (None, Err(source)) => Err(Error::Image { image: self.name.clone(), source }),
            (None, Ok(())) => Ok(at),
        }
    }

    fn unreadable(&self, source: io::Error) -> Error {
        Error::Image { image: self.name.clone(), source: imgforge_disk::Error::Disk(source) }
    }
}

/// The first sector of what is in `file`; shorter if there is no more.
fn first_sector(file: &FileContent) -> imgforge_disk::Result<Vec<u8>> {
    let mut head = Vec::new();
    let decoded = decode::stream(file, |bytes| {
        head.extend(&bytes[..bytes.len().min(SECTOR - head.len())]);
        if head.len() < SECTOR {
            Ok(())
        } else {
            Err(imgforge_disk::Error::Disk(io::ErrorKind::Interrupted.into()))
        }
    });
    match decoded {
        Err(error) if head.len() < SECTOR => Err(error),
        _ => Ok(head),
    }
}

/// Reads `content` at `at`; it is followed by zeros.
fn read_padded(content: &dyn Content, at: u64, buf: &mut [u8]) -> io::Result<()> {
    let inside = content.len().saturating_sub(at).min(buf.len() as u64) as usize;
    let (data, beyond) = buf.split_at_mut(inside);
    beyond.fill(0);
    if data.is_empty() { Ok(()) } else { content.read_at(at, data) }
}

/// The map beside the image `path`: of `node.img.xz` it is `node.img.xz.bmap`, else `node.img.bmap`.
fn map_beside(path: &Path, format: Format) -> Result<Option<Map>, Error> {
    let decoded = (format != Format::Raw).then(|| path.with_extension(""));
    let names = [Some(path), decoded.as_deref()].into_iter().flatten().map(with_map);
    let Some(path) = names.into_iter().find(|path| path.is_file()) else { return Ok(None) };
    let map = read_text(&path).and_then(|text| Map::parse(&text));
    map.map(Some).map_err(|fault| Error::Map { path, fault })
}

fn with_map(image: &Path) -> PathBuf {
    let mut name = image.as_os_str().to_owned();
    name.push(".bmap");
    name.into()
}

fn read_text(path: &Path) -> Result<String, &'static str> {
    let is_too_large = fs::metadata(path).is_ok_and(|metadata| metadata.len() > LARGEST_MAP);
    if is_too_large {
        return Err("is too large for a block map");
    }
    fs::read_to_string(path).map_err(|_| "cannot be read as text")
}
