//! SHA-256 sums, as Debian's indexes write them, and readers that hold a file to its sum.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::error::{Detail, Error};
use crate::hex::{self, Hex};

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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The sum of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Sha256(sha2::Sha256::digest(bytes).into())
    }

    pub(crate) fn finish(hash: sha2::Sha256) -> Self {
        Sha256(hash.finalize().into())
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
        let sum = hex::decode(text).map(Sha256);
        sum.ok_or_else(|| Error::Malformed(Detail::new(Kind::Syntax(text.to_owned()))))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(sum: Sha256) -> Self {
        sum.to_string()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
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
        let sum = Sha256::finish(self.hash.clone());
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
