//! What lies in a partition or an image, told by the marks that file systems and containers carry. Pure over bytes.
//!
//! The marks are those that `blkid` knows (<https://github.com/util-linux/util-linux/tree/master/libblkid/src/superblocks>);
//! each row of the table tells where else they are written down. A mark says what something wants to be, not that it is
//! sound. What has its mark at the end of a partition (MD RAID 0.90 and 1.0) is taken for what it contains.

use std::{io, ops::Range};

use imgforge_ext4::Content;

/// Bytes from the beginning that [`probe`] looks at; the farthest mark is btrfs's.
pub const LENGTH: usize = 68 << 10;

/// Defines [`Contents`] and its marks: a row for each kind. Each line of marks has to be there as a whole; one line is enough.
macro_rules! contents {
    ($($(#[$source:meta])* $kind:ident, $name:literal: $([$(($at:expr, $mark:literal)),+])+;)+) => {
        /// What lies in a partition or an image.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Contents {
            $($(#[$source])* $kind,)+
            /// Nothing but zeros where marks are looked for.
            Zeros,
        }

        impl Contents {
            /// What people call it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                    Self::Zeros => "zeros",
                }
            }
        }

        const MARKS: &[(Contents, &[&[(usize, &[u8])]])] =
            &[$((Contents::$kind, &[$(&[$(($at, $mark)),+]),+])),+];
    };
}

// In the order of precedence: what contains others first, then what has the longer mark.
contents! {
    /// LUKS version 1, encrypted (<https://gitlab.com/cryptsetup/cryptsetup/-/wikis/LUKS-standard/on-disk-format.pdf>).
    Luks1, "LUKS1": [(0, b"LUKS\xBA\xBE\0\x01")];
    /// LUKS version 2, encrypted (<https://gitlab.com/cryptsetup/LUKS2-docs>).
    Luks2, "LUKS2": [(0, b"LUKS\xBA\xBE\0\x02")];
    /// BitLocker, encrypted (<https://github.com/libyal/libbde/tree/main/documentation>).
    BitLocker, "BitLocker": [(3, b"-FVE-FS-")];
    /// A physical volume of LVM2: a label in one of the first four sectors (lib/label/label.h of LVM2).
    Lvm2, "LVM2 physical volume": [(0, b"LABELONE"), (24, b"LVM2 001")] [(0x200, b"LABELONE"), (0x218, b"LVM2 001")]
        [(0x400, b"LABELONE"), (0x418, b"LVM2 001")] [(0x600, b"LABELONE"), (0x618, b"LVM2 001")];
    /// A member of an MD RAID, version 1.1 or 1.2 (<https://raid.wiki.kernel.org/index.php/RAID_superblock_formats>).
    MdRaid, "MD RAID member": [(0, b"\xFC\x4E\x2B\xA9\x01\0\0\0")] [(0x1000, b"\xFC\x4E\x2B\xA9\x01\0\0\0")];
    /// A backing or cache device of bcache (include/uapi/linux/bcache.h of Linux 5.15).
    Bcache, "bcache": [(0x1018, b"\xC6\x85\x73\xF6\x4E\x1A\x45\xCA\x82\x65\xF5\x7F\x48\xBA\x6D\x81")];
    /// bcachefs (fs/bcachefs/bcachefs_format.h of Linux 6.7).
    Bcachefs, "bcachefs": [(0x1018, b"\xC6\x85\x73\xF6\x66\xCE\x90\xA9\xD9\x6A\x60\xCF\x80\x3D\xF7\xEF")];
    /// btrfs (<https://btrfs.readthedocs.io/en/latest/dev/On-disk-format.html>).
    Btrfs, "btrfs": [(0x1_0040, b"_BHRfS_M")];
    /// XFS (fs/xfs/libxfs/xfs_format.h of Linux).
    Xfs, "XFS": [(0, b"XFSB")];
    /// F2FS (include/linux/f2fs_fs.h of Linux).
    F2fs, "F2FS": [(0x400, b"\x10\x20\xF5\xF2")];
    /// SquashFS (fs/squashfs/squashfs_fs.h of Linux).
    Squashfs, "SquashFS": [(0, b"hsqs")] [(0, b"sqsh")];
    /// EROFS (fs/erofs/erofs_fs.h of Linux).
    Erofs, "EROFS": [(0x400, b"\xE2\xE1\xF5\xE0")];
    /// cramfs (include/uapi/linux/cramfs_fs.h of Linux).
    Cramfs, "cramfs": [(0, b"\x45\x3D\xCD\x28")] [(0, b"\x28\xCD\x3D\x45")];
    /// JFS (fs/jfs/jfs_superblock.h of Linux).
    Jfs, "JFS": [(0x8000, b"JFS1")];
    /// ReiserFS (fs/reiserfs/reiserfs.h of Linux 6.12).
    Reiserfs, "ReiserFS": [(0x1_0034, b"ReIsEr")];
    /// ISO 9660 (ECMA-119, section 8.1).
    Iso9660, "ISO 9660": [(0x8001, b"CD001")];
    /// UBI, for bare flash (drivers/mtd/ubi/ubi-media.h of Linux).
    Ubi, "UBI": [(0, b"UBI#")];
    /// APFS (<https://developer.apple.com/support/downloads/Apple-File-System-Reference.pdf>).
    Apfs, "APFS": [(32, b"NXSB")];
    /// HFS+ (Apple's technical note TN1150).
    HfsPlus, "HFS+": [(0x400, b"H+\0\x04")] [(0x400, b"HX\0\x05")];
    /// exFAT (<https://learn.microsoft.com/windows/win32/fileio/exfat-specification>).
    ExFat, "exFAT": [(3, b"EXFAT   ")];
    /// NTFS (fs/ntfs3/ntfs.h of Linux).
    Ntfs, "NTFS": [(3, b"NTFS    ")];
    /// Swap space in pages of 4, 16 or 64 KiB (include/linux/swap.h of Linux).
    Swap, "swap space": [(0xFF6, b"SWAPSPACE2")] [(0x3FF6, b"SWAPSPACE2")] [(0xFFF6, b"SWAPSPACE2")];
    /// ext2, ext3 or ext4 (<https://docs.kernel.org/filesystems/ext4/super.html>).
    Ext, "ext2/3/4": [(0x438, b"\x53\xEF")];
    /// FAT12, FAT16 or FAT32 (Microsoft's FAT32 File System Specification, 1.03).
    Fat, "FAT": [(510, b"\x55\xAA"), (54, b"FAT")] [(510, b"\x55\xAA"), (82, b"FAT32")];
    /// An Android boot image (system/tools/mkbootimg of Android).
    AndroidBoot, "Android boot image": [(0, b"ANDROID!")];
    /// A flattened device tree, or U-Boot's FIT image in that form (<https://www.devicetree.org/specifications>).
    DeviceTree, "device tree or FIT image": [(0, b"\xD0\x0D\xFE\xED")];
}

/// What begins with `start`, of which [`LENGTH`] bytes should be given; nothing if it is not known.
pub fn probe(start: &[u8]) -> Option<Contents> {
    let is_there =
        |(at, mark): &(usize, &[u8])| start.get(*at..).is_some_and(|bytes| bytes.starts_with(mark));
    let known = MARKS.iter().find(|(_, any)| any.iter().any(|all| all.iter().all(is_there)));
    match known {
        Some((contents, _)) => Some(*contents),
        None => (!start.is_empty() && start.iter().all(|byte| *byte == 0)).then_some(Contents::Zeros),
    }
}

/// What begins at `range.start` of `content` and ends at `range.end`.
pub fn probe_in(content: &dyn Content, range: Range<u64>) -> io::Result<Option<Contents>> {
    let length = range.end.min(content.len()).saturating_sub(range.start).min(LENGTH as u64);
    let mut start = vec![0; length as usize];
    content.read_at(range.start, &mut start)?;
    Ok(probe(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_lies_where_it_is_looked_for_and_is_found() {
        for (contents, any) in MARKS {
            for all in *any {
                let mut start = vec![0; LENGTH];
                for (at, mark) in *all {
                    start[*at..at + mark.len()].copy_from_slice(mark);
                }
                assert_eq!(probe(&start), Some(*contents), "{all:?}");
            }
        }
    }

    #[test]
    fn names_are_told_apart() {
        let names: std::collections::BTreeSet<_> =
            MARKS.iter().map(|(contents, _)| contents.name()).collect();
        assert_eq!(names.len(), MARKS.len());
    }

    #[test]
    fn what_has_no_mark_is_unknown_and_zeros_are_zeros() {
        assert_eq!(probe(&[]), None);
        assert_eq!(probe(&[0; 512]), Some(Contents::Zeros));
        assert_eq!(probe(&[7; LENGTH]), None);
        assert_eq!(probe(b"XFS"), None);
    }
}
