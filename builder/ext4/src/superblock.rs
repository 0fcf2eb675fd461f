//! The superblock: 1024 bytes at byte 1024 of the file system, with copies at the head of some groups.
//!
//! <https://docs.kernel.org/filesystems/ext4/super.html>

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use crate::{
    checksum::crc32c,
    error::{CorruptKind, Error, Result},
    features::{self, Feature, FeatureWords},
};

/// Where the primary superblock begins, and how long each copy is, in bytes.
pub(crate) const SUPERBLOCK_OFFSET: u64 = 1024;
pub(crate) const SUPERBLOCK_SIZE: usize = 1024;

const MAGIC: u16 = 0xef53;
/// `s_state`: cleanly unmounted; errors were found.
const STATE_CLEAN: u16 = 1;
const STATE_ERRORS: u16 = 2;
/// `s_flags`: directory hashes take bytes as unsigned.
const FLAG_UNSIGNED_HASH: u32 = 2;
/// Dynamic revision: inode size, first inode and features are fields.
const REVISION_DYNAMIC: u32 = 1;
const CHECKSUM_CRC32C: u8 = 1;
/// `s_creator_os`: the one whose inodes have other fields than Linux's.
const CREATOR_HURD: u32 = 1;

/// The superblock. Every field keeps its name, order and width of the kernel's documentation; fields of no concern to
/// the editor travel along in byte arrays.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Superblock {
    pub(crate) s_inodes_count: U32,
    pub(crate) s_blocks_count_lo: U32,
    pub(crate) s_r_blocks_count_lo: U32,
    pub(crate) s_free_blocks_count_lo: U32,
    pub(crate) s_free_inodes_count: U32,
    pub(crate) s_first_data_block: U32,
    pub(crate) s_log_block_size: U32,
    pub(crate) s_log_cluster_size: U32,
    pub(crate) s_blocks_per_group: U32,
    pub(crate) s_clusters_per_group: U32,
    pub(crate) s_inodes_per_group: U32,
    pub(crate) s_mtime: U32,
    pub(crate) s_wtime: U32,
    pub(crate) s_mnt_count: U16,
    pub(crate) s_max_mnt_count: U16,
    pub(crate) s_magic: U16,
    pub(crate) s_state: U16,
    pub(crate) s_errors: U16,
    pub(crate) s_minor_rev_level: U16,
    pub(crate) s_lastcheck: U32,
    pub(crate) s_checkinterval: U32,
    pub(crate) s_creator_os: U32,
    pub(crate) s_rev_level: U32,
    pub(crate) s_def_resuid: U16,
    pub(crate) s_def_resgid: U16,
    pub(crate) s_first_ino: U32,
    pub(crate) s_inode_size: U16,
    pub(crate) s_block_group_nr: U16,
    pub(crate) s_feature_compat: U32,
    pub(crate) s_feature_incompat: U32,
    pub(crate) s_feature_ro_compat: U32,
    pub(crate) s_uuid: [u8; 16],
    pub(crate) s_volume_name: [u8; 16],
    pub(crate) s_last_mounted: [u8; 64],
    pub(crate) s_algorithm_usage_bitmap: U32,
    pub(crate) s_prealloc_blocks: u8,
    pub(crate) s_prealloc_dir_blocks: u8,
    pub(crate) s_reserved_gdt_blocks: U16,
    pub(crate) s_journal_uuid: [u8; 16],
    pub(crate) s_journal_inum: U32,
    pub(crate) s_journal_dev: U32,
    pub(crate) s_last_orphan: U32,
    pub(crate) s_hash_seed: [U32; 4],
    pub(crate) s_def_hash_version: u8,
    pub(crate) s_jnl_backup_type: u8,
    pub(crate) s_desc_size: U16,
    pub(crate) s_default_mount_opts: U32,
    pub(crate) s_first_meta_bg: U32,
    pub(crate) s_mkfs_time: U32,
    pub(crate) s_jnl_blocks: [U32; 17],
    pub(crate) s_blocks_count_hi: U32,
    pub(crate) s_r_blocks_count_hi: U32,
    pub(crate) s_free_blocks_count_hi: U32,
    pub(crate) s_min_extra_isize: U16,
    pub(crate) s_want_extra_isize: U16,
    pub(crate) s_flags: U32,
    pub(crate) s_raid_stride: U16,
    pub(crate) s_mmp_interval: U16,
    pub(crate) s_mmp_block: U64,
    pub(crate) s_raid_stripe_width: U32,
    pub(crate) s_log_groups_per_flex: u8,
    pub(crate) s_checksum_type: u8,
    pub(crate) s_encryption_level: u8,
    pub(crate) s_reserved_pad: u8,
    pub(crate) s_kbytes_written: U64,
    /// `s_snapshot_inum` to `s_snapshot_list`.
    pub(crate) s_snapshot: [u8; 20],
    pub(crate) s_error_count: U32,
    /// `s_first_error_time` to `s_last_error_func`.
    pub(crate) s_error_records: [u8; 104],
    pub(crate) s_mount_opts: [u8; 64],
    pub(crate) s_usr_quota_inum: U32,
    pub(crate) s_grp_quota_inum: U32,
    pub(crate) s_overhead_blocks: U32,
    pub(crate) s_backup_bgs: [U32; 2],
    pub(crate) s_encrypt_algos: [u8; 4],
    pub(crate) s_encrypt_pw_salt: [u8; 16],
    pub(crate) s_lpf_ino: U32,
    pub(crate) s_prj_quota_inum: U32,
    pub(crate) s_checksum_seed: U32,
    pub(crate) s_wtime_hi: u8,
    /// `s_mtime_hi` to `s_last_error_errcode`.
    pub(crate) s_times_hi: [u8; 7],
    pub(crate) s_encoding: U16,
    pub(crate) s_encoding_flags: U16,
    pub(crate) s_orphan_file_inum: U32,
    pub(crate) s_reserved: [U32; 94],
    pub(crate) s_checksum: U32,
}

const _: () = assert!(size_of::<Superblock>() == SUPERBLOCK_SIZE);

/// How group descriptors are sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DescriptorSeal {
    /// Neither `uninit_bg` nor `metadata_csum`.
    None,
    /// `uninit_bg`: CRC-16 from the UUID.
    Crc16([u8; 16]),
    /// `metadata_csum`: CRC-32C from this seed.
    Crc32c(u32),
}

impl Superblock {
    /// Reads a superblock, and refuses one that is damaged or of a file system the editor must not touch.
    pub(crate) fn decode(bytes: &[u8; SUPERBLOCK_SIZE]) -> Result<Self> {
        let superblock: Self = zerocopy::transmute!(*bytes);
        if superblock.s_magic != MAGIC {
            return Err(Error::NotExt4 { magic: superblock.s_magic.get() });
        }
        if superblock.s_rev_level.get() != REVISION_DYNAMIC {
            return Err(Error::Unsupported(format!("revision {}", superblock.s_rev_level)));
        }
        if superblock.has(features::METADATA_CSUM) {
            superblock.check_checksum()?;
        }
        if superblock.s_creator_os == CREATOR_HURD {
            return Err(Error::Unsupported("a file system of the Hurd, whose inodes differ".to_owned()));
        }
        if superblock.has(features::NEEDS_RECOVERY) {
            let objection = "a journal that was not replayed (needs_recovery): run e2fsck first";
            return Err(Error::Unsupported(objection.to_owned()));
        }
        if let Some(objection) = superblock.feature_words().objection() {
            return Err(Error::Unsupported(objection));
        }
        superblock.check_state()?;
        superblock.check_shape()?;
        Ok(superblock)
    }

    /// The bytes of the copy that lies in `group`, sealed.
    pub(crate) fn encode(&self, group: u32) -> [u8; SUPERBLOCK_SIZE] {
        let mut copy = self.clone();
        copy.s_block_group_nr.set(group as u16);
        if copy.has(features::METADATA_CSUM) {
            copy.s_checksum.set(copy.computed_checksum());
        }
        zerocopy::transmute!(copy)
    }

    fn computed_checksum(&self) -> u32 {
        crc32c(!0, &self.as_bytes()[..SUPERBLOCK_SIZE - 4])
    }

    fn check_checksum(&self) -> Result<()> {
        if self.s_checksum_type != CHECKSUM_CRC32C {
            return Err(Error::Unsupported(format!("checksum type {}", self.s_checksum_type)));
        }
        if self.s_checksum.get() != self.computed_checksum() {
            return Err(CorruptKind::SuperblockChecksum.into());
        }
        Ok(())
    }

    fn check_state(&self) -> Result<()> {
        let state = self.s_state.get();
        let objection = if state & STATE_ERRORS != 0 {
            "a file system marked as having errors: run e2fsck first".to_owned()
        } else if state & STATE_CLEAN == 0 {
            "a file system that was not unmounted cleanly: run e2fsck first".to_owned()
        } else if self.s_last_orphan.get() != 0 {
            format!("a file system with orphan inodes (first: {}): run e2fsck first", self.s_last_orphan)
        } else {
            return Ok(());
        };
        Err(Error::Unsupported(objection))
    }

    /// Limits of every field that later arithmetic relies on.
    fn check_shape(&self) -> Result<()> {
        let corrupt = |field, value: u64| Err(CorruptKind::Superblock { field, value }.into());
        let log = self.s_log_block_size.get();
        if log > 2 {
            let size = 1024u64.checked_shl(log).unwrap_or(0);
            return Err(Error::Unsupported(format!("block size {size} (s_log_block_size {log})")));
        }
        let (block_size, bits) = (self.block_size(), self.block_size() * 8);
        let inode_size = u32::from(self.s_inode_size.get());
        if !(128..=block_size).contains(&inode_size) || !inode_size.is_power_of_two() {
            return corrupt("s_inode_size", inode_size.into());
        }
        if !matches!((self.has(features::BITS_64), self.s_desc_size.get()), (false, _) | (true, 64)) {
            return Err(Error::Unsupported(format!("group descriptors of {} bytes", self.s_desc_size)));
        }
        if self.s_first_data_block.get() != u32::from(block_size == 1024) {
            return corrupt("s_first_data_block", self.s_first_data_block.get().into());
        }
        let blocks_per_group = self.s_blocks_per_group.get();
        if blocks_per_group < 8 || blocks_per_group > bits || !blocks_per_group.is_multiple_of(8) {
            return corrupt("s_blocks_per_group", blocks_per_group.into());
        }
        let inodes_per_group = self.s_inodes_per_group.get();
        if inodes_per_group == 0 || inodes_per_group > bits || !inodes_per_group.is_multiple_of(8) {
            return corrupt("s_inodes_per_group", inodes_per_group.into());
        }
        let blocks = self.blocks_count();
        if blocks <= u64::from(self.s_first_data_block.get()) || blocks >= 1 << 48 {
            return corrupt("s_blocks_count", blocks);
        }
        let groups = (blocks - u64::from(self.s_first_data_block.get())).div_ceil(blocks_per_group.into());
        if groups.checked_mul(inodes_per_group.into()) != Some(self.s_inodes_count.get().into()) {
            return corrupt("s_inodes_count", self.s_inodes_count.get().into());
        }
        let first_inode = self.s_first_ino.get();
        if first_inode < 11 || first_inode > self.s_inodes_count.get() {
            return corrupt("s_first_ino", first_inode.into());
        }
        if self.s_def_hash_version > 5 {
            return corrupt("s_def_hash_version", self.s_def_hash_version.into());
        }
        if u32::from(self.s_reserved_gdt_blocks.get()) > block_size / 4 {
            return corrupt("s_reserved_gdt_blocks", self.s_reserved_gdt_blocks.get().into());
        }
        if self.s_log_groups_per_flex > 31 {
            return corrupt("s_log_groups_per_flex", self.s_log_groups_per_flex.into());
        }
        Ok(())
    }

    pub(crate) fn feature_words(&self) -> FeatureWords {
        FeatureWords {
            compat: self.s_feature_compat.get(),
            incompat: self.s_feature_incompat.get(),
            ro_compat: self.s_feature_ro_compat.get(),
        }
    }

    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.feature_words().has(feature)
    }

    /// The seed of all metadata checksums; `None` without `metadata_csum`.
    pub(crate) fn checksum_seed(&self) -> Option<u32> {
        self.has(features::METADATA_CSUM).then(|| {
            if self.has(features::METADATA_CSUM_SEED) {
                self.s_checksum_seed.get()
            } else {
                crc32c(!0, &self.s_uuid)
            }
        })
    }

    pub(crate) fn descriptor_seal(&self) -> DescriptorSeal {
        match self.checksum_seed() {
            Some(seed) => DescriptorSeal::Crc32c(seed),
            None if self.has(features::UNINIT_BG) => DescriptorSeal::Crc16(self.s_uuid),
            None => DescriptorSeal::None,
        }
    }

    /// Whether descriptors may leave bitmaps and inode tables uninitialised.
    pub(crate) fn has_uninit(&self) -> bool {
        self.has(features::METADATA_CSUM) || self.has(features::UNINIT_BG)
    }

    pub(crate) fn hash_is_unsigned(&self) -> bool {
        self.s_flags.get() & FLAG_UNSIGNED_HASH != 0
    }

    pub(crate) fn r_blocks_count(&self) -> u64 {
        wide(self.s_r_blocks_count_lo, self.s_r_blocks_count_hi, self.has(features::BITS_64))
    }

    pub(crate) fn set_r_blocks_count(&mut self, blocks: u64) {
        self.s_r_blocks_count_lo.set(blocks as u32);
        self.s_r_blocks_count_hi.set((blocks >> 32) as u32);
    }

    pub(crate) fn set_blocks_count(&mut self, blocks: u64) {
        self.s_blocks_count_lo.set(blocks as u32);
        self.s_blocks_count_hi.set((blocks >> 32) as u32);
    }

    pub(crate) fn free_blocks_count(&self) -> u64 {
        wide(self.s_free_blocks_count_lo, self.s_free_blocks_count_hi, self.has(features::BITS_64))
    }

    pub(crate) fn set_free_blocks_count(&mut self, blocks: u64) {
        self.s_free_blocks_count_lo.set(blocks as u32);
        self.s_free_blocks_count_hi.set((blocks >> 32) as u32);
    }

    /// The time of the last write, seconds since 1970.
    pub fn wtime(&self) -> i64 {
        i64::from(self.s_wtime.get()) | i64::from(self.s_wtime_hi) << 32
    }

    /// Sets the time of the last write, seconds since 1970 (40 bits).
    pub(crate) fn set_wtime(&mut self, seconds: i64) {
        self.s_wtime.set(seconds as u32);
        self.s_wtime_hi = (seconds >> 32) as u8;
    }

    /// The volume label, without its padding.
    pub fn label(&self) -> &[u8] {
        let end = self.s_volume_name.iter().position(|byte| *byte == 0).unwrap_or(self.s_volume_name.len());
        &self.s_volume_name[..end]
    }

    /// The UUID of the file system.
    pub fn uuid(&self) -> [u8; 16] {
        self.s_uuid
    }

    /// Bytes per block: 1024, 2048 or 4096.
    pub fn block_size(&self) -> u32 {
        1024 << self.s_log_block_size.get().min(2)
    }

    /// Blocks of the file system.
    pub fn blocks_count(&self) -> u64 {
        wide(self.s_blocks_count_lo, self.s_blocks_count_hi, self.has(features::BITS_64))
    }

    /// Inodes of the file system, used and free.
    pub fn inodes_count(&self) -> u32 {
        self.s_inodes_count.get()
    }

    /// Bytes per inode.
    pub fn inode_size(&self) -> u16 {
        self.s_inode_size.get()
    }

    /// Bytes per group descriptor: 32 or 64.
    pub fn descriptor_size(&self) -> u16 {
        if self.has(features::BITS_64) { 64 } else { 32 }
    }

    /// Block groups of the file system.
    pub fn groups_count(&self) -> u32 {
        let blocks = self.blocks_count() - u64::from(self.s_first_data_block.get());
        blocks.div_ceil(self.s_blocks_per_group.get().into()) as u32
    }

    /// Names of the features, as `mke2fs -O` spells them.
    pub fn features(&self) -> Vec<&'static str> {
        self.feature_words().names()
    }
}

fn wide(low: U32, high: U32, has_high: bool) -> u64 {
    u64::from(low.get()) | if has_high { u64::from(high.get()) << 32 } else { 0 }
}
