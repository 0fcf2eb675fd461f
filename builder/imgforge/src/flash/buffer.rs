//! Memory that a device takes bytes from, and puts bytes into, without the kernel's page cache between (open(2), O_DIRECT).

use std::ops::{Deref, DerefMut};

/// Bytes whose place in memory, and place on the device, is a multiple of this: no device asks for more.
pub(super) const ALIGNMENT: u64 = 4096;

/// Bytes at an aligned place in memory.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Buffer {
    /// Zeros, `length` bytes.
    pub(super) fn zeros(length: usize) -> Self {
        let memory = vec![0; length + ALIGNMENT as usize];
        // It cannot tell in const contexts only; then nothing is aligned, and the kernel says so.
        let start = memory.as_ptr().align_offset(ALIGNMENT as usize).min(ALIGNMENT as usize);
        Self { memory, start, length }
    }

    /// Keeps the first `length` bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.length).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start..self.start + self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_lies_where_devices_want_it() {
        for length in [0, 1, 4096, 1 << 20] {
            let mut buffer = Buffer::zeros(length);
            assert_eq!(buffer.as_ptr().align_offset(ALIGNMENT as usize), 0);
            assert_eq!(buffer.len(), length);
            buffer.truncate(512);
            assert_eq!(buffer.len(), length.min(512));
        }
    }
}
