//! What ext4-view and gpt take of the crate `crc`, by the processor's own instructions: forty times as fast as its table.
//!
//! Every block of a directory and every inode that ext4-view reads has a CRC-32C, and reading an image back took most of its time
//! for them. The workspace's manifest puts this crate in the other's place (`[patch.crates-io]`); without that all works as well,
//! and slower.

pub use crc_catalog::{Algorithm, CRC_32_ISCSI, CRC_32_ISO_HDLC};

/// A checksum of 32 bits, bits reflected.
#[derive(Debug, Clone)]
pub struct Crc<W: crc_catalog::Width> {
    algorithm: &'static Algorithm<W>,
}

/// A checksum in the making.
#[derive(Debug, Clone)]
pub struct Digest<'a, W: crc_catalog::Width> {
    crc: &'a Crc<W>,
    /// The register, not inverted yet.
    value: u32,
}

impl Crc<u32> {
    /// The checksum that `algorithm` describes.
    pub const fn new(algorithm: &'static Algorithm<u32>) -> Self {
        Self { algorithm }
    }

    /// A checksum of nothing yet.
    pub fn digest(&self) -> Digest<'_, u32> {
        self.digest_with_initial(self.algorithm.init)
    }

    /// The same with another initial value of the register, its bits not reflected.
    pub fn digest_with_initial(&self, initial: u32) -> Digest<'_, u32> {
        Digest { crc: self, value: initial.reverse_bits() }
    }

    /// The checksum of `bytes`.
    pub fn checksum(&self, bytes: &[u8]) -> u32 {
        let mut digest = self.digest();
        digest.update(bytes);
        digest.finalize()
    }
}

impl Digest<'_, u32> {
    /// Takes `bytes` into account.
    pub fn update(&mut self, bytes: &[u8]) {
        // Both libraries take and give the value inverted, as it is at the end.
        self.value = !match self.crc.algorithm.poly {
            poly if poly == CRC_32_ISCSI.poly => crc32c::crc32c_append(!self.value, bytes),
            _ => {
                let mut hasher = crc32fast::Hasher::new_with_initial(!self.value);
                hasher.update(bytes);
                hasher.finalize()
            }
        };
    }

    /// The checksum.
    pub fn finalize(self) -> u32 {
        self.value ^ self.crc.algorithm.xorout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the catalogue: that of these nine digits.
    const DIGITS: &[u8] = b"123456789";

    #[test]
    fn the_catalogues_check_values_come_out() {
        for algorithm in [&CRC_32_ISCSI, &CRC_32_ISO_HDLC] {
            let crc = Crc::<u32>::new(algorithm);
            assert_eq!(crc.checksum(DIGITS), algorithm.check);
            let mut digest = crc.digest();
            DIGITS.iter().for_each(|digit| digest.update(&[*digit]));
            assert_eq!(digest.finalize(), algorithm.check);
        }
    }

    #[test]
    fn a_digest_goes_on_from_any_register() {
        let crc = Crc::<u32>::new(&CRC_32_ISCSI);
        let (first, second) = DIGITS.split_at(4);
        let mut digest = crc.digest();
        digest.update(first);
        let register = digest.finalize() ^ CRC_32_ISCSI.xorout;
        let mut rest = crc.digest_with_initial(register.reverse_bits());
        rest.update(second);
        assert_eq!(rest.finalize(), CRC_32_ISCSI.check);
    }
}
