//! What the editor stands on: a device of bytes it may read and write, and content it may place on it.
//!
//! The editor never owns file data. A file's bytes come as [`Content`] and go to [`Device::place`], so that a device
//! which can refer to content elsewhere (a store, another file) keeps a reference instead of a copy.

use std::{fmt, io, ops::Range, sync::Arc};

/// Bytes of known length that can be read at any offset: a package member in a store, a file, a byte string.
pub trait Content: fmt::Debug + Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` with the bytes from `offset` on. A range beyond [`len`](Self::len) is an error.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// The byte ranges that are not holes: ascending, disjoint, within [`len`](Self::len). Bytes outside them read
    /// as zero and take no blocks in a file.
    ///
    /// The default is one range of everything.
    fn data(&self) -> Vec<Range<u64>> {
        std::iter::once(0..self.len()).collect()
    }
}

impl Content for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let range =
            usize::try_from(offset).ok().and_then(|from| self.get(from..from.checked_add(buf.len())?));
        buf.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A device of bytes that holds one file system: a partition's window of a disk, a file, a buffer.
pub trait Device {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on. A range beyond [`size`](Self::size) is an error.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Writes `data` at `offset`. A range beyond [`size`](Self::size) is an error.
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Makes `length` bytes from `offset` on read as zero.
    fn zero(&mut self, offset: u64, length: u64) -> io::Result<()> {
        let zeros = [0; 4096];
        let mut at = 0;
        while at < length {
            let step = (length - at).min(zeros.len() as u64);
            self.write_at(offset + at, &zeros[..step as usize])?;
            at += step;
        }
        Ok(())
    }

    /// Puts `length` bytes of `content`, beginning at its byte `from`, at `offset` of the device.
    ///
    /// This default copies them; a device that can keep a reference does so instead.
    fn place(&mut self, offset: u64, content: &Arc<dyn Content>, from: u64, length: u64) -> io::Result<()> {
        let mut buf = vec![0; length.min(1 << 20) as usize];
        let mut at = 0;
        while at < length {
            let step = (length - at).min(buf.len() as u64);
            let part = &mut buf[..step as usize];
            content.read_at(from + at, part)?;
            self.write_at(offset + at, part)?;
            at += step;
        }
        Ok(())
    }
}

impl Device for Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        Content::read_at(self, offset, buf)
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let range =
            usize::try_from(offset).ok().and_then(|from| self.get_mut(from..from.checked_add(data.len())?));
        range.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }
}
