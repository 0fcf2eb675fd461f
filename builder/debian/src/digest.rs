//! SHA-256 sums, as Debian's indexes write them, and readers that hold a file to its sum.

use std::io::{self, Read};

pub use imgforge_spec::{Hasher, Sha256};

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("{read} bytes with sum {sum}, expected {size} bytes with sum {expected}")]
    Mismatch { read: u64, sum: Sha256, size: u64, expected: Sha256 },
    #[error("longer than {size} bytes")]
    TooLong { size: u64 },
}

/// Passes bytes on, and fails at their end unless size and sum are as expected.
///
/// Whoever reads to the end has verified bytes; nothing before the end may be believed.
#[derive(Debug)]
pub struct Checked<R> {
    reader: R,
    hash: Hasher,
    read: u64,
    size: u64,
    expected: Sha256,
}

impl<R: Read> Checked<R> {
    /// Expects `size` bytes with the sum `expected`.
    pub fn new(reader: R, size: u64, expected: Sha256) -> Self {
        Checked { reader, hash: Hasher::default(), read: 0, size, expected }
    }

    fn check_end(&self) -> Result<(), Kind> {
        let sum = self.hash.clone().finish();
        let &Checked { read, size, expected, .. } = self;
        if read == size && sum == expected {
            Ok(())
        } else {
            Err(Kind::Mismatch { read, sum, size, expected })
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.read += count as u64;
        let invalid = |kind| io::Error::new(io::ErrorKind::InvalidData, kind);
        if self.read > self.size {
            return Err(invalid(Kind::TooLong { size: self.size }));
        }
        if count == 0 && !buffer.is_empty() {
            self.check_end().map_err(invalid)?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_the_expected_one_fails_at_its_end() {
        let read = |bytes: &[u8], size| {
            let mut text = String::new();
            Checked::new(bytes, size, Sha256::of(b"abc")).read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(read(b"abc", 3).unwrap(), "abc");
        assert!(read(b"abd", 3).is_err());
        assert!(read(b"ab", 3).is_err());
        assert!(read(b"abcd", 3).is_err());
        assert!(read(b"abc", 4).is_err());
    }
}
