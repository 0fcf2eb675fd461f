//! The two checksums of ext4, in the form the kernel uses them: no final inversion, the seed carried along.
//!
//! <https://docs.kernel.org/filesystems/ext4/overview.html#checksums>

/// CRC-32C over `data`, continuing from `seed`.
pub(crate) fn crc32c(seed: u32, data: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, data)
}

/// CRC-16 (polynomial 0x8005, reflected) over `data`, continuing from `seed`: what `uninit_bg` puts into descriptors.
pub(crate) fn crc16(seed: u16, data: &[u8]) -> u16 {
    data.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xa001 } else { 0 })
    })
}

/// The seed of everything that belongs to one inode.
pub(crate) fn inode_seed(seed: u32, inode: u32, generation: u32) -> u32 {
    crc32c(crc32c(seed, &inode.to_le_bytes()), &generation.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogue() {
        // "123456789" is the check input of the CRC catalogue: CRC-32/ISCSI inverts at the end, CRC-16/ARC does not.
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
    }

    #[test]
    fn parts_continue() {
        assert_eq!(crc32c(crc32c(7, b"1234"), b"56789"), crc32c(7, b"123456789"));
    }
}
