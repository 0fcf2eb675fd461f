//! SHA-256 digests: what a published file, an image or a file in it is known by.

use std::{fmt, str::FromStr};

use sha2::Digest as _;

use crate::{Hex, text::as_text};

/// A SHA-256 digest. Written as 64 lower-case hexadecimal digits, as `sha256sum` does; read in either case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// A text that is no SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits")]
pub struct InvalidSha256;

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A digest in the making.
#[derive(Debug, Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Takes in `bytes`, which come behind those taken in before.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken in.
    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
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

impl FromStr for Sha256 {
    type Err = InvalidSha256;

    fn from_str(digits: &str) -> Result<Self, InvalidSha256> {
        Hex::decode(digits).map(Self).ok_or(InvalidSha256)
    }
}

as_text!(Sha256, "a SHA-256 in hexadecimal digits");

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4, example of one block.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_digest_of_abc_is_the_one_of_fips_180() {
        assert_eq!(Sha256::of(b"abc").to_string(), ABC);
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        hasher.update("bc");
        assert_eq!(hasher.finish(), Sha256::of(b"abc"));
    }

    #[test]
    fn it_is_read_in_either_case_and_nothing_else_is_read() {
        for text in [ABC, &ABC.to_uppercase()] {
            assert_eq!(text.parse(), Ok(Sha256::of(b"abc")));
        }
        for text in ["", "ba78", &ABC[1..], &format!("{ABC}0"), &ABC.replace('a', "g"), &"é".repeat(32)] {
            assert_eq!(text.parse::<Sha256>(), Err(InvalidSha256), "{text}");
        }
    }

    #[test]
    fn in_files_it_is_its_digits() {
        let json = serde_json::to_string(&Sha256::of(b"abc")).unwrap();
        assert_eq!(json, format!("\"{ABC}\""));
        assert_eq!(serde_json::from_str::<Sha256>(&json).unwrap(), Sha256::of(b"abc"));
        let message = serde_json::from_str::<Sha256>("\"ba78\"").unwrap_err().to_string();
        assert_eq!(message, "a SHA-256 has 64 hexadecimal digits at line 1 column 6");
    }
}
