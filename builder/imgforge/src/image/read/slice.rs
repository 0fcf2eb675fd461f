//! A partition's window of an image, read-only, in the shapes the reading libraries want.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    sync::Arc,
};

use imgforge_ext4::Content;

/// A range of bytes of some content.
#[derive(Debug, Clone)]
pub struct Slice {
    content: Arc<dyn Content>,
    range: Range<u64>,
    position: u64,
}

impl Slice {
    /// The bytes `range` of `content`; an error where they reach beyond its end.
    pub fn new(content: Arc<dyn Content>, range: Range<u64>) -> io::Result<Self> {
        if range.start > range.end || range.end > content.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { content, range, position: 0 })
    }

    fn length(&self) -> u64 {
        self.range.end - self.range.start
    }
}

impl Content for Slice {
    fn len(&self) -> u64 {
        self.length()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.length());
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.content.read_at(self.range.start + offset, buf)
    }
}

impl Read for Slice {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.length().saturating_sub(self.position);
        let step = left.min(buf.len() as u64) as usize;
        self.read_at(self.position, &mut buf[..step])?;
        self.position += step as u64;
        Ok(step)
    }
}

impl Seek for Slice {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// fatfs asks for a writer even to read.
impl Write for Slice {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
