//! An inode: 128 bytes of old, then fields that came later, then room for extended attributes.
//!
//! <https://docs.kernel.org/filesystems/ext4/inodes.html>

mod times;

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

use crate::{
    FileType,
    checksum::{crc32c, inode_seed},
};

/// The root directory, and the inode that owns the reserved descriptor blocks.
pub(crate) const ROOT_INODE: u32 = 2;
pub(crate) const RESIZE_INODE: u32 = 7;

/// Bytes of a symbolic link's target that fit into `i_block` with a byte to spare.
pub(crate) const FAST_SYMLINK: usize = 59;

/// `i_flags`: the directory has an index.
pub(crate) const FLAG_INDEX: u32 = 0x1000;
/// `i_flags`: `i_blocks` counts file system blocks.
pub(crate) const FLAG_HUGE_FILE: u32 = 0x4_0000;
/// `i_flags`: `i_block` holds an extent tree.
pub(crate) const FLAG_EXTENTS: u32 = 0x8_0000;
/// `i_flags`: the file's bytes lie in the inode.
pub(crate) const FLAG_INLINE_DATA: u32 = 0x1000_0000;

/// Bytes of the old inode, and of the fields behind it that this editor knows.
const CORE_SIZE: usize = 128;
/// `i_extra_isize` of new inodes: all fields up to `i_projid`.
const EXTRA_SIZE: u16 = 32;

const EXTRA_ISIZE: usize = 0x80;
const CHECKSUM_HI: usize = 0x82;

/// The first 128 bytes.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Core {
    pub(crate) i_mode: U16,
    pub(crate) i_uid: U16,
    pub(crate) i_size_lo: U32,
    pub(crate) i_atime: U32,
    pub(crate) i_ctime: U32,
    pub(crate) i_mtime: U32,
    pub(crate) i_dtime: U32,
    pub(crate) i_gid: U16,
    pub(crate) i_links_count: U16,
    pub(crate) i_blocks_lo: U32,
    pub(crate) i_flags: U32,
    pub(crate) i_version: U32,
    pub(crate) i_block: [u8; 60],
    pub(crate) i_generation: U32,
    pub(crate) i_file_acl_lo: U32,
    pub(crate) i_size_high: U32,
    pub(crate) i_obso_faddr: U32,
    pub(crate) i_blocks_high: U16,
    pub(crate) i_file_acl_high: U16,
    pub(crate) i_uid_high: U16,
    pub(crate) i_gid_high: U16,
    pub(crate) i_checksum_lo: U16,
    pub(crate) i_reserved: U16,
}

const _: () = assert!(size_of::<Core>() == CORE_SIZE);

/// The upper four bits of `i_mode`, kind by kind.
const TYPES: [(u16, FileType); 7] = [
    (0x1000, FileType::Fifo),
    (0x2000, FileType::CharDevice),
    (0x4000, FileType::Directory),
    (0x6000, FileType::BlockDevice),
    (0x8000, FileType::Regular),
    (0xa000, FileType::Symlink),
    (0xc000, FileType::Socket),
];

/// One inode. All bytes that the editor does not know travel along.
#[derive(Debug, Clone)]
pub(crate) struct Inode {
    pub(crate) core: Core,
    /// What follows the first 128 bytes.
    rest: Vec<u8>,
}

/// Why the bytes are no inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    Checksum,
    ExtraSize(u16),
}

impl Inode {
    /// A zeroed inode, as an unused slot of `size` bytes holds it.
    pub(crate) fn vacant(size: u32) -> Self {
        let core = zerocopy::transmute!([0u8; CORE_SIZE]);
        Self { core, rest: vec![0; (size as usize).saturating_sub(CORE_SIZE)] }
    }

    /// A new inode of `size` bytes with one link and no blocks.
    pub(crate) fn new(size: u32, file_type: FileType, time: i64) -> Self {
        let mut inode = Self::vacant(size);
        let kind = TYPES.iter().find(|(_, each)| *each == file_type).map_or(0, |(bits, _)| *bits);
        inode.core.i_mode.set(kind);
        inode.core.i_links_count.set(1);
        if inode.rest.len() >= usize::from(EXTRA_SIZE) {
            inode.rest[..2].copy_from_slice(&EXTRA_SIZE.to_le_bytes());
        }
        inode.set_atime(time);
        inode.set_ctime(time);
        inode.set_mtime(time);
        inode.set_crtime(time);
        inode
    }

    /// Reads the inode `number` from its slot of the table. `seed` is the file system's, if it has checksums.
    pub(crate) fn decode(bytes: &[u8], number: u32, seed: Option<u32>) -> Result<Self, Damage> {
        let (core, rest) = bytes.split_at_checked(CORE_SIZE).ok_or(Damage::ExtraSize(0))?;
        let core = Core::read_from_bytes(core).map_err(|_| Damage::ExtraSize(0))?;
        let inode = Self { core, rest: rest.to_vec() };
        if let Some(seed) = seed.filter(|_| !inode.is_vacant()) {
            let (low, high) = inode.checksum(number, seed);
            if low != inode.core.i_checksum_lo.get() || high.unwrap_or(0) != inode.checksum_hi() {
                return Err(Damage::Checksum);
            }
        }
        let extra = inode.extra_size();
        if usize::from(extra) > inode.rest.len() || !extra.is_multiple_of(4) {
            return Err(Damage::ExtraSize(extra));
        }
        Ok(inode)
    }

    /// The bytes of the inode's slot, sealed. A vacant inode is all zero.
    pub(crate) fn encode(&self, number: u32, seed: Option<u32>) -> Vec<u8> {
        let mut sealed = self.clone();
        if let Some(seed) = seed.filter(|_| !self.is_vacant()) {
            let (low, high) = self.checksum(number, seed);
            sealed.core.i_checksum_lo.set(low);
            if let Some(high) = high {
                sealed.put(CHECKSUM_HI, &high.to_le_bytes());
            }
        }
        [sealed.core.as_bytes(), &sealed.rest].concat()
    }

    /// Whether nothing uses the inode.
    pub(crate) fn is_vacant(&self) -> bool {
        self.core.i_mode == 0 && self.core.i_links_count == 0
    }

    /// Low and, where the inode has room for it, high half of the checksum; its own fields count as zero.
    fn checksum(&self, number: u32, seed: u32) -> (u16, Option<u16>) {
        let mut plain = self.clone();
        plain.core.i_checksum_lo.set(0);
        let has_high = self.has(CHECKSUM_HI, 2);
        if has_high {
            plain.put(CHECKSUM_HI, &[0, 0]);
        }
        let seed = inode_seed(seed, number, self.core.i_generation.get());
        let sum = crc32c(crc32c(seed, plain.core.as_bytes()), &plain.rest);
        (sum as u16, has_high.then_some((sum >> 16) as u16))
    }

    fn checksum_hi(&self) -> u16 {
        self.extra(CHECKSUM_HI).map_or(0, u16::from_le_bytes)
    }

    fn extra_size(&self) -> u16 {
        self.rest.first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
    }

    /// Whether the field of `length` bytes at `offset` of the inode lies within `i_extra_isize`.
    fn has(&self, offset: usize, length: usize) -> bool {
        offset + length <= EXTRA_ISIZE + usize::from(self.extra_size())
    }

    fn extra<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.has(offset, N).then(|| self.rest.get(offset - CORE_SIZE..)?.first_chunk().copied()).flatten()
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        let from = offset - CORE_SIZE;
        if let Some(slot) = self.rest.get_mut(from..from + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
    }

    /// Puts the field if the inode has it.
    fn put_extra(&mut self, offset: usize, value: u32) {
        if self.has(offset, 4) {
            self.put(offset, &value.to_le_bytes());
        }
    }

    /// The room for extended attributes behind the known fields.
    pub(crate) fn xattr_area(&self) -> &[u8] {
        self.rest.get(usize::from(self.extra_size())..).filter(|_| self.extra_size() > 0).unwrap_or(&[])
    }

    /// The same room, to be written.
    pub(crate) fn xattr_area_mut(&mut self) -> &mut [u8] {
        match self.extra_size() {
            0 => &mut [],
            size => self.rest.get_mut(usize::from(size)..).unwrap_or(&mut []),
        }
    }

    /// `None` if the type bits of `i_mode` mean nothing.
    pub(crate) fn file_type(&self) -> Option<FileType> {
        let bits = self.core.i_mode.get() & 0xf000;
        TYPES.iter().find(|(each, _)| *each == bits).map(|(_, file_type)| *file_type)
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.file_type() == Some(FileType::Directory)
    }

    pub(crate) fn is_regular(&self) -> bool {
        self.file_type() == Some(FileType::Regular)
    }

    /// Whether `i_block` says where data lies. Device numbers and short link targets take its place.
    pub(crate) fn has_mapping(&self) -> bool {
        match self.file_type() {
            Some(FileType::Regular | FileType::Directory) => true,
            Some(FileType::Symlink) => self.has_flag(FLAG_EXTENTS) || self.size() > FAST_SYMLINK as u64,
            _ => false,
        }
    }

    pub(crate) fn permissions(&self) -> u16 {
        self.core.i_mode.get() & 0o7777
    }

    pub(crate) fn set_permissions(&mut self, mode: u16) {
        let kind = self.core.i_mode.get() & 0xf000;
        self.core.i_mode.set(kind | mode & 0o7777);
    }

    pub(crate) fn uid(&self) -> u32 {
        u32::from(self.core.i_uid.get()) | u32::from(self.core.i_uid_high.get()) << 16
    }

    pub(crate) fn set_uid(&mut self, uid: u32) {
        self.core.i_uid.set(uid as u16);
        self.core.i_uid_high.set((uid >> 16) as u16);
    }

    pub(crate) fn gid(&self) -> u32 {
        u32::from(self.core.i_gid.get()) | u32::from(self.core.i_gid_high.get()) << 16
    }

    pub(crate) fn set_gid(&mut self, gid: u32) {
        self.core.i_gid.set(gid as u16);
        self.core.i_gid_high.set((gid >> 16) as u16);
    }

    /// Bytes.
    pub(crate) fn size(&self) -> u64 {
        u64::from(self.core.i_size_lo.get()) | u64::from(self.core.i_size_high.get()) << 32
    }

    pub(crate) fn set_size(&mut self, size: u64) {
        self.core.i_size_lo.set(size as u32);
        self.core.i_size_high.set((size >> 32) as u32);
    }

    /// Blocks in use, in units of 512 bytes. `block_size` in bytes.
    pub(crate) fn sectors(&self, block_size: u32) -> u64 {
        let count = u64::from(self.core.i_blocks_lo.get()) | u64::from(self.core.i_blocks_high.get()) << 32;
        if self.has_flag(FLAG_HUGE_FILE) { count * u64::from(block_size / 512) } else { count }
    }

    /// Sets the blocks in use, in file system blocks. Below 2^48 sectors the count is in sectors.
    pub(crate) fn set_blocks(&mut self, blocks: u64, block_size: u32) {
        let sectors = blocks * u64::from(block_size / 512);
        let huge = sectors >= 1 << 48;
        let count = if huge { blocks } else { sectors };
        self.set_flag(FLAG_HUGE_FILE, huge);
        self.core.i_blocks_lo.set(count as u32);
        self.core.i_blocks_high.set((count >> 32) as u16);
    }

    /// The block of extended attributes; 0 is none.
    pub(crate) fn file_acl(&self) -> u64 {
        u64::from(self.core.i_file_acl_lo.get()) | u64::from(self.core.i_file_acl_high.get()) << 32
    }

    pub(crate) fn set_file_acl(&mut self, block: u64) {
        self.core.i_file_acl_lo.set(block as u32);
        self.core.i_file_acl_high.set((block >> 32) as u16);
    }

    pub(crate) fn has_flag(&self, flag: u32) -> bool {
        self.core.i_flags.get() & flag != 0
    }

    pub(crate) fn set_flag(&mut self, flag: u32, on: bool) {
        let flags = self.core.i_flags.get();
        self.core.i_flags.set(if on { flags | flag } else { flags & !flag });
    }

    /// Major and minor number of a device node.
    pub(crate) fn device(&self) -> (u32, u32) {
        let [old, new] = [0, 4].map(|at| {
            self.core
                .i_block
                .get(at..)
                .and_then(|rest| rest.first_chunk())
                .map_or(0, |b| u32::from_le_bytes(*b))
        });
        if old != 0 {
            (old >> 8 & 0xff, old & 0xff)
        } else {
            (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xf_ff00)
        }
    }

    /// Numbers below 256 take the old form; larger ones (12 bits of major, 20 of minor) the new.
    pub(crate) fn set_device(&mut self, major: u32, minor: u32) {
        let words = if major < 256 && minor < 256 {
            [major << 8 | minor, 0]
        } else {
            [0, minor & 0xff | major << 8 | (minor & !0xff) << 12]
        };
        self.core.i_block = [0; 60];
        self.core.i_block[..4].copy_from_slice(&words[0].to_le_bytes());
        self.core.i_block[4..8].copy_from_slice(&words[1].to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip_sealed() {
        for size in [128, 256, 512] {
            let mut inode = Inode::new(size, FileType::Regular, 1_700_000_000);
            inode.set_uid(70_000);
            inode.set_size(5 << 32 | 6);
            let bytes = inode.encode(12, Some(99));
            assert_eq!(bytes.len(), size as usize);
            let decoded = Inode::decode(&bytes, 12, Some(99)).unwrap();
            assert_eq!(
                (decoded.uid(), decoded.size(), decoded.mtime()),
                (70_000, 5 << 32 | 6, (1_700_000_000, 0))
            );
            assert_eq!(decoded.encode(12, Some(99)), bytes);
            assert_eq!(Inode::decode(&bytes, 13, Some(99)).unwrap_err(), Damage::Checksum);
        }
    }

    #[test]
    fn device_numbers_take_both_forms() {
        let mut inode = Inode::new(256, FileType::BlockDevice, 0);
        for device in [(8, 1), (0, 0), (255, 255), (259, 3), (4, 300), (4095, 0xf_ffff)] {
            inode.set_device(device.0, device.1);
            assert_eq!(inode.device(), device);
        }
    }

    #[test]
    fn huge_files_count_in_blocks() {
        let mut inode = Inode::new(256, FileType::Regular, 0);
        for blocks in [0, 3, 1 << 40, 1 << 46] {
            inode.set_blocks(blocks, 4096);
            assert_eq!(inode.sectors(4096), blocks * 8);
        }
        assert!(inode.has_flag(FLAG_HUGE_FILE));
    }
}
