//! SHA-256 sums, as Debian's indexes write them, and readers that hold a file to its sum.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::Digest as _;

use crate::error::{Detail, Error};

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("{0:?} is no SHA-256 sum")]
    Syntax(String),
    #[error("{read} bytes with sum {sum}, expected {size} bytes with sum {expected}")]
    Mismatch { read: u64, sum: Sha256, size: u64, expected: Sha256 },
    #[error("longer than {size} bytes")]
    TooLong { size: u64 },
}

/// A SHA-256 sum, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The sum of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Sha256(sha2::Sha256::digest(bytes).into())
    }

    /// The sum's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Sha256 {
    type Err = Error;

    /// # Errors
    /// [`Error::Malformed`] unless it is 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
        let bytes = digits.map(|digits| {
            digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit)).collect()
        });
        let sum = bytes.and_then(|bytes: Vec<u8>| bytes.try_into().ok()).filter(|_| text.len() == 64);
        sum.map(Sha256).ok_or_else(|| Error::Malformed(Detail::new(Kind::Syntax(text.to_owned()))))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Passes bytes on, and fails at their end unless size and sum are as expected.
///
/// Whoever reads to the end has verified bytes; nothing before the end may be believed.
#[derive(Debug)]
pub struct Checked<R> {
    reader: R,
    hash: sha2::Sha256,
    read: u64,
    size: u64,
    expected: Sha256,
}

impl<R: Read> Checked<R> {
    /// Expects `size` bytes with the sum `expected`.
    pub fn new(reader: R, size: u64, expected: Sha256) -> Self {
        Checked { reader, hash: sha2::Sha256::new(), read: 0, size, expected }
    }

    fn check_end(&self) -> Result<(), Kind> {
        let sum = Sha256(self.hash.clone().finalize().into());
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

    /// As `printf abc | sha256sum` prints it.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn sums_are_read_and_written() {
        assert_eq!(Sha256::of(b"abc").to_string(), ABC);
        assert_eq!(ABC.parse::<Sha256>().unwrap(), Sha256::of(b"abc"));
        for text in ["", "ba78", &ABC[1..], &format!("{ABC}0"), &ABC.replace('b', "g"), &"é".repeat(32)] {
            assert!(text.parse::<Sha256>().is_err(), "{text}");
        }
    }

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
