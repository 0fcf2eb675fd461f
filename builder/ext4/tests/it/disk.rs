//! A sparse device in memory: pages of zeros are not kept, clones share the others.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use imgforge_ext4::Device;

/// Bytes in a page, the unit of sharing.
pub const PAGE: usize = 4096;

type Page = [u8; PAGE];

/// A device of `size` bytes. Two disks are equal when all their bytes are.
#[derive(Clone, PartialEq, Eq)]
pub struct Disk {
    size: u64,
    /// By number; a page that is absent reads as zeros, a page of zeros is absent.
    pages: BTreeMap<u64, Arc<Page>>,
    /// Bytes that came through [`Device::write_at`]; what was placed or zeroed does not count.
    pub written: u64,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk({} bytes, {} pages)", self.size, self.pages.len())
    }
}

impl Disk {
    /// A disk of zeros.
    pub fn zeros(size: u64) -> Self {
        Self { size, pages: BTreeMap::new(), written: 0 }
    }

    /// Reads a disk image from a file.
    pub fn load(path: &Path) -> Self {
        let mut file = File::open(path).unwrap();
        let mut disk = Self::zeros(file.metadata().unwrap().len());
        let mut page = [0; PAGE];
        for number in 0..disk.size.div_ceil(PAGE as u64) {
            let length = (disk.size - number * PAGE as u64).min(PAGE as u64) as usize;
            page.fill(0);
            file.read_exact(&mut page[..length]).unwrap();
            disk.set_page(number, page);
        }
        disk
    }

    /// Writes the disk into a new sparse file.
    pub fn store(&self, path: &Path) {
        let mut file = File::create(path).unwrap();
        file.set_len(self.size).unwrap();
        for (number, page) in &self.pages {
            let at = number * PAGE as u64;
            let length = (self.size - at).min(PAGE as u64) as usize;
            file.write_all_at(&page[..length], at).unwrap();
        }
        file.flush().unwrap();
    }

    /// The same disk with room added at its end.
    pub fn enlarged(mut self, size: u64) -> Self {
        assert!(size >= self.size, "a disk only grows");
        self.size = size;
        self
    }

    /// Bytes from `offset` on.
    pub fn bytes(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read_at(offset, &mut bytes).unwrap();
        bytes
    }

    /// Changes one byte in place.
    pub fn alter(&mut self, offset: u64, change: impl FnOnce(u8) -> u8) {
        let old = self.bytes(offset, 1)[0];
        self.write_at(offset, &[change(old)]).unwrap();
    }

    /// Where `pattern` stands, if anywhere. A pattern that straddles two pages is not found.
    pub fn find(&self, pattern: &[u8]) -> Option<u64> {
        self.pages.iter().find_map(|(number, page)| {
            let within = page.windows(pattern.len()).position(|window| window == pattern)?;
            Some(number * PAGE as u64 + within as u64)
        })
    }

    /// Numbers of the pages that are not all zeros.
    pub fn pages(&self) -> impl Iterator<Item = u64> + '_ {
        self.pages.keys().copied()
    }

    /// Numbers of the pages in which two disks differ.
    pub fn differences<'a>(&'a self, other: &'a Self) -> Vec<u64> {
        let both = self.pages.keys().chain(other.pages.keys());
        let mut numbers: Vec<u64> =
            both.copied().filter(|number| self.pages.get(number) != other.pages.get(number)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn set_page(&mut self, number: u64, page: Page) {
        if page == [0; PAGE] {
            self.pages.remove(&number);
        } else {
            self.pages.insert(number, Arc::new(page));
        }
    }

    /// Splits a range of bytes at page borders: page number and range within the page.
    fn split(&self, offset: u64, length: usize) -> io::Result<Vec<(u64, Range<usize>)>> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut parts = Vec::new();
        let mut at = offset;
        while at < end {
            let within = (at % PAGE as u64) as usize;
            let step = (end - at).min((PAGE - within) as u64) as usize;
            parts.push((at / PAGE as u64, within..within + step));
            at += step as u64;
        }
        Ok(parts)
    }

    fn replace(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut rest = data;
        for (number, within) in self.split(offset, data.len())? {
            let (part, tail) = rest.split_at(within.len());
            rest = tail;
            let mut page = self.pages.get(&number).map_or([0; PAGE], |page| **page);
            page[within].copy_from_slice(part);
            self.set_page(number, page);
        }
        Ok(())
    }
}

impl Device for Disk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut rest = &mut buf[..];
        for (number, within) in self.split(offset, rest.len())? {
            let (part, tail) = rest.split_at_mut(within.len());
            rest = tail;
            match self.pages.get(&number) {
                Some(page) => part.copy_from_slice(&page[within]),
                None => part.fill(0),
            }
        }
        Ok(())
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.written += data.len() as u64;
        self.replace(offset, data)
    }

    fn zero(&mut self, offset: u64, length: u64) -> io::Result<()> {
        self.replace(offset, &vec![0; length as usize])
    }

    fn place(
        &mut self,
        offset: u64,
        content: &Arc<dyn imgforge_ext4::Content>,
        from: u64,
        length: u64,
    ) -> io::Result<()> {
        let mut data = vec![0; length as usize];
        content.read_at(from, &mut data)?;
        self.replace(offset, &data)
    }
}

impl ext4_view::Ext4Read for Disk {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.read_at(start_byte, dst)?)
    }
}

impl mkext4::reader::ReadAt for &Disk {
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, buf)
    }
}
