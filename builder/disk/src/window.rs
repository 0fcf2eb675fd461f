//! A part of a disk, seen as a device and as a stream.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    ops::{Deref, DerefMut, Range},
    sync::Arc,
};

use imgforge_ext4::{Content, Device};

use crate::disk::Disk;

/// The bytes of one range of a disk: offset 0 is the range's first byte, and nothing outside it can be reached.
///
/// Made by [`Disk::window`]. It is a [`Device`] for the ext4 editor and `Read + Write + Seek` for crates that take a
/// stream. Over an `Arc<Disk>` it is [`Content`], too.
#[derive(Debug, Clone)]
pub struct Window<D> {
    pub(crate) disk: D,
    range: Range<u64>,
    position: u64,
}

impl<D: Deref<Target = Disk>> Window<D> {
    pub(crate) fn new(disk: D, range: Range<u64>) -> io::Result<Self> {
        if range.start > range.end || range.end > disk.size() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the range {range:?} is not inside the disk of {} bytes", disk.size()),
            ));
        }
        Ok(Self { disk, range, position: 0 })
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Fills `buf` with the window's bytes from `offset` on; a range beyond its end is an error.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(self.outer(offset, buf.len() as u64)?, buf)
    }

    /// The offset on the disk of `length` bytes at `offset` of the window.
    fn outer(&self, offset: u64, length: u64) -> io::Result<u64> {
        match offset.checked_add(length) {
            Some(end) if end <= self.size() => Ok(self.range.start + offset),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{length} bytes at {offset} reach beyond the window of {} bytes", self.size()),
            )),
        }
    }

    /// How many of `wanted` bytes there are from the position on.
    fn available(&self, wanted: usize) -> usize {
        self.size().saturating_sub(self.position).min(wanted as u64) as usize
    }
}

impl<D: DerefMut<Target = Disk>> Device for Window<D> {
    fn size(&self) -> u64 {
        Self::size(self)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        Self::read_at(self, offset, buf)
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = self.outer(offset, data.len() as u64)?;
        self.disk.write_at(at, data)
    }

    fn zero(&mut self, offset: u64, length: u64) -> io::Result<()> {
        let at = self.outer(offset, length)?;
        self.disk.zero(at, length)
    }

    fn place(&mut self, offset: u64, content: &Arc<dyn Content>, from: u64, length: u64) -> io::Result<()> {
        let at = self.outer(offset, length)?;
        self.disk.place(at, content, from, length)
    }
}

impl Content for Window<Arc<Disk>> {
    fn len(&self) -> u64 {
        self.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        Self::read_at(self, offset, buf)
    }
}

impl<D: Deref<Target = Disk>> Read for Window<D> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.available(buf.len());
        if let Some(part) = buf.get_mut(..count).filter(|part| !part.is_empty()) {
            Self::read_at(self, self.position, part)?;
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl<D: DerefMut<Target = Disk>> Write for Window<D> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.available(data.len());
        if let Some(part) = data.get(..count).filter(|part| !part.is_empty()) {
            Device::write_at(self, self.position, part)?;
        }
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<D: Deref<Target = Disk>> Seek for Window<D> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.size().checked_add_signed(by),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_stream_of_its_range_only() {
        let mut disk = Disk::new(Arc::new(vec![0; 100]));
        let mut window = Disk::window(&mut disk, 10..20).unwrap();
        window.write_all(&[1; 10]).unwrap();
        assert_eq!(window.write(&[2]).unwrap(), 0);
        window.seek(SeekFrom::End(-1)).unwrap();
        let mut tail = Vec::new();
        window.read_to_end(&mut tail).unwrap();
        assert_eq!(tail, [1]);
        assert!(Device::write_at(&mut window, 9, &[3, 3]).is_err());
        let mut all = [0; 100];
        disk.read_at(0, &mut all).unwrap();
        assert_eq!(all.iter().filter(|byte| **byte == 1).count(), 10);
        assert_eq!((all[9], all[10], all[19], all[20]), (0, 1, 1, 0));
    }

    #[test]
    fn a_window_beyond_the_disk_is_refused() {
        let disk = Disk::new(Arc::new(vec![0; 100]));
        assert!(Disk::window(&disk, 50..101).is_err());
    }
}
