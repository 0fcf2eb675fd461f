//! The outer container of a `.deb`: a common-format `ar` archive, read front to back.
//!
//! <https://manpages.debian.org/bookworm/dpkg-dev/deb.5>, `ar(5)`. Every member has this 60-byte header:
//!
//! | bytes | field |
//! |------:|-------|
//! |  0–15 | `ar_name`, padded with blanks, an optional `/` at its end |
//! | 16–47 | date, uid, gid, mode: of no interest |
//! | 48–57 | `ar_size`, decimal, in bytes |
//! | 58–59 | `ar_fmag`, always `` `\n `` |

use std::io::{self, Read};

use super::Kind;
use crate::error::Result;

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER_LENGTH: usize = 60;

/// A member's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    /// Bytes, without the padding to an even offset.
    pub(super) size: u64,
}

impl Header {
    fn decode(bytes: &[u8; HEADER_LENGTH]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii())?;
        let name = text.get(..16)?.trim_end_matches(' ');
        let size = text.get(48..58)?.trim_end_matches(' ');
        let valid = text.ends_with("`\n") && size.bytes().all(|byte| byte.is_ascii_digit());
        let name = name.strip_suffix('/').unwrap_or(name).to_owned();
        Some(Header { name, size: size.parse().ok().filter(|_| valid)? })
    }
}

/// Reads members one after another.
#[derive(Debug)]
pub(super) struct Ar<R> {
    reader: R,
    /// Whether a padding byte precedes the next header.
    padded: bool,
}

impl<R: Read> Ar<R> {
    pub(super) fn new(mut reader: R) -> Result<Self> {
        let mut magic = [0; MAGIC.len()];
        reader.read_exact(&mut magic).map_err(|_| Kind::NotAr)?;
        if &magic == MAGIC { Ok(Ar { reader, padded: false }) } else { Err(Kind::NotAr.into()) }
    }

    /// The next header; `None` at the end. The member before it must have been read whole.
    pub(super) fn next_header(&mut self) -> Result<Option<Header>> {
        let mut bytes = Vec::new();
        let padding = usize::from(self.padded);
        self.reader.by_ref().take((HEADER_LENGTH + padding) as u64).read_to_end(&mut bytes)?;
        let header = bytes.get(padding..).unwrap_or_default();
        if header.is_empty() {
            return Ok(None);
        }
        let header = header.try_into().ok().and_then(Header::decode).ok_or(Kind::ArHeader)?;
        self.padded = header.size % 2 == 1;
        Ok(Some(header))
    }

    /// The bytes of the member whose header was read last; ending early is an error of the reader.
    pub(super) fn content(&mut self, header: &Header) -> Exact<&mut R> {
        Exact { reader: &mut self.reader, left: header.size }
    }
}

/// Reads exactly so many bytes, and takes an earlier end for the error it is.
#[derive(Debug)]
pub(super) struct Exact<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.reader.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        if count == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(name: &str, size: &str, content: &[u8]) -> Vec<u8> {
        let header = format!("{name:<16}{:<32}{size:<10}`\n", "");
        [MAGIC, header.as_bytes(), content].concat()
    }

    #[test]
    fn reads_a_member_and_skips_its_padding() {
        let bytes = [archive("debian-binary/", "3", b"2.0\n"), archive("x", "0", b"")[8..].to_vec()].concat();
        let mut ar = Ar::new(bytes.as_slice()).unwrap();
        let header = ar.next_header().unwrap().unwrap();
        assert_eq!(header, Header { name: "debian-binary".into(), size: 3 });
        let mut content = String::new();
        ar.content(&header).read_to_string(&mut content).unwrap();
        assert_eq!(content, "2.0");
        assert_eq!(ar.next_header().unwrap().unwrap().name, "x");
        assert_eq!(ar.next_header().unwrap(), None);
    }

    #[test]
    fn broken_headers_and_early_ends_are_errors() {
        assert!(Ar::new(&b"!<arch>"[..]).is_err());
        for size in ["", "-1", "1x", "99999999999"] {
            let bytes = archive("a", size, b"");
            assert!(Ar::new(bytes.as_slice()).unwrap().next_header().is_err(), "{size}");
        }
        let bytes = archive("a", "5", b"1234");
        let mut ar = Ar::new(bytes.as_slice()).unwrap();
        let header = ar.next_header().unwrap().unwrap();
        assert!(ar.content(&header).read_to_end(&mut Vec::new()).is_err());
    }
}
