//! Buckets of a bbolt database, read from a file without trusting a byte of it: <https://github.com/etcd-io/bbolt>. A database is
//! pages; a bucket is a tree of them whose leaves have its keys in order. Numbers are little-endian on every machine that etcd runs on.

use std::io::{self, Read, Seek, SeekFrom};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
/// Bytes before the elements of a page: its number, its kind, how many elements there are, how many pages more it takes.
const HEADER: usize = 16;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
/// An element whose value is a bucket.
const BUCKET: u32 = 0x01;
/// Bytes of an element, before its key and value.
const ELEMENT: usize = 16;
/// The machine's own pages, which etcd takes: 4, 16 or 64 KiB.
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 512..=64 << 10;
/// Values of etcd have 1.5 MiB, and a page some of them.
const MOST_PAGE: u64 = 64 << 20;

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What is in it.
    #[error("its database is damaged: {0}")]
    Damaged(&'static str),
}

/// A database in a file.
pub struct Database<'a, F> {
    file: &'a mut F,
    pages: u64,
    page_size: u64,
    root: u64,
}

/// What is told of each key of a bucket: whether it is a bucket itself, the key, the value.
type Visit<'a> = &'a mut dyn FnMut(bool, &[u8], &[u8]);

impl<'a, F: Read + Seek> Database<'a, F> {
    /// The database in the first `size` bytes of `file`.
    pub fn open(file: &'a mut F, size: u64) -> Result<Self, Error> {
        let mut page = [0; 80];
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut page)?;
        let meta = Fields(page.get(HEADER..).unwrap_or_default());
        let is_whole =
            meta.u32(0) == Some(MAGIC) && meta.u32(4) == Some(VERSION) && meta.u64(56) == Some(meta.sum(56));
        let (Some(page_size), Some(root), true) = (meta.u32(8), meta.u64(16), is_whole) else {
            return Err(Error::Damaged("its first page is none"));
        };
        if !page_size.is_power_of_two() || !PAGE_SIZES.contains(&page_size) {
            return Err(Error::Damaged("its pages have a size that there is not"));
        }
        let page_size = u64::from(page_size);
        Ok(Self { file, pages: size / page_size, page_size, root })
    }

    /// Visits the keys of the bucket `name`, in order; there are none where there is no such bucket.
    pub fn visit(&mut self, name: &[u8], visit: Visit<'_>) -> Result<(), Error> {
        let mut bucket = None;
        self.walk(self.root, &mut |is_bucket, key, value| {
            if is_bucket && key == name {
                bucket = Some(value.to_vec());
            }
        })?;
        let Some(bucket) = bucket else { return Ok(()) };
        match Fields(&bucket).u64(0) {
            // A small bucket is a page within its parent's.
            Some(0) => leaf(bucket.get(HEADER..).unwrap_or_default(), visit),
            Some(root) => self.walk(root, visit),
            None => Err(Error::Damaged("a bucket has no beginning")),
        }
    }

    fn walk(&mut self, root: u64, visit: Visit<'_>) -> Result<(), Error> {
        let mut seen = vec![0u64; usize::try_from(self.pages / 64 + 1).unwrap_or_default()];
        let mut ahead = vec![root];
        while let Some(number) = ahead.pop() {
            let mark = usize::try_from(number / 64).ok().and_then(|at| seen.get_mut(at));
            let mark = mark.ok_or(Error::Damaged("a page is beyond its end"))?;
            if *mark & 1 << (number % 64) != 0 {
                return Err(Error::Damaged("a page is in two places"));
            }
            *mark |= 1 << (number % 64);
            let page = self.page(number)?;
            match Fields(&page).u16(8) {
                Some(LEAF) => leaf(&page, visit)?,
                // The first is to come first.
                Some(BRANCH) => ahead.extend(children(&page)?.into_iter().rev()),
                _ => return Err(Error::Damaged("a page of a tree is of another kind")),
            }
        }
        Ok(())
    }

    /// The page `number`, with those that it goes on in.
    fn page(&mut self, number: u64) -> Result<Vec<u8>, Error> {
        let mut header = [0; HEADER];
        let beyond = || Error::Damaged("a page is beyond its end");
        self.file.seek(SeekFrom::Start(number.checked_mul(self.page_size).ok_or_else(beyond)?))?;
        if number >= self.pages {
            return Err(beyond());
        }
        self.file.read_exact(&mut header)?;
        let more = Fields(&header).u32(12).map_or(0, u64::from);
        if Fields(&header).u64(0) != Some(number) {
            return Err(Error::Damaged("a page is not where it should be"));
        }
        let length = (more + 1) * self.page_size;
        if more >= self.pages - number || length > MOST_PAGE {
            return Err(Error::Damaged("a page is longer than can be"));
        }
        let mut page = vec![0; usize::try_from(length).map_err(|_| beyond())?];
        let (begin, rest) = page.split_at_mut(HEADER);
        begin.copy_from_slice(&header);
        self.file.read_exact(rest)?;
        Ok(page)
    }
}

/// The pages that a branch leads to, in order.
fn children(page: &[u8]) -> Result<Vec<u64>, Error> {
    let count = usize::from(Fields(page).u16(10).unwrap_or_default());
    let child = |index| Fields(page).u64(HEADER + index * ELEMENT + 8);
    (0..count).map(child).collect::<Option<_>>().ok_or(Error::Damaged("a page has more than fits in"))
}

/// Visits what a leaf has.
fn leaf(page: &[u8], visit: Visit<'_>) -> Result<(), Error> {
    let count = usize::from(Fields(page).u16(10).unwrap_or_default());
    for index in 0..count {
        let at = HEADER + index * ELEMENT;
        let field = |offset| Fields(page).u32(at + offset).and_then(|number| usize::try_from(number).ok());
        let parts = || {
            let key = at.checked_add(field(4)?)?;
            let value = key.checked_add(field(8)?)?;
            Some((page.get(key..value)?, page.get(value..value.checked_add(field(12)?)?)?))
        };
        let (key, value) = parts().ok_or(Error::Damaged("a key or value is not in its page"))?;
        visit(field(0) == Some(BUCKET as usize), key, value);
    }
    Ok(())
}

/// Numbers at their places.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// FNV-1a of what is before `end`.
    fn sum(&self, end: usize) -> u64 {
        let bytes = self.0.get(..end).unwrap_or_default();
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        })
    }
}
