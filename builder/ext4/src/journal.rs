//! The superblock of the journal: the first 1024 bytes of its file, big-endian.
//!
//! <https://docs.kernel.org/filesystems/ext4/journal.html#super-block>
//!
//! The editor writes past the journal, so it must be whole and empty: one that holds transactions would be replayed
//! over the edits, and one that is damaged the next mount refuses. The checks are those of e2fsck.

use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    big_endian::{U16, U32},
};

use crate::{
    Device,
    checksum::crc32c,
    error::{CorruptKind, Error, Result},
    features,
    volume::Volume,
};

const SIZE: usize = 1024;
const MAGIC: u32 = 0xc03b_3998;
/// `h_blocktype`: a superblock without and with feature words.
const SUPERBLOCK_V1: u32 = 3;
const SUPERBLOCK_V2: u32 = 4;
/// Blocks of a journal at least.
const LEAST_BLOCKS: u64 = 1024;
/// Feature words: block checksums in one of three forms, and all bits that are known.
const COMPAT_CHECKSUM: u32 = 1;
const INCOMPAT_CSUM_V2: u32 = 0x08;
const INCOMPAT_CSUM_V3: u32 = 0x10;
const INCOMPAT_KNOWN: u32 = 0x3f;
const CHECKSUM_CRC32C: u8 = 4;
const CHECKSUM_OFFSET: usize = 0xfc;

#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Raw {
    h_magic: U32,
    h_blocktype: U32,
    h_sequence: U32,
    s_blocksize: U32,
    s_maxlen: U32,
    s_first: U32,
    s_sequence: U32,
    s_start: U32,
    s_errno: U32,
    s_feature_compat: U32,
    s_feature_incompat: U32,
    s_feature_ro_compat: U32,
    s_uuid: [u8; 16],
    s_nr_users: U32,
    s_dynsuper: U32,
    s_max_transaction: U32,
    s_max_trans_data: U32,
    s_checksum_type: u8,
    s_padding: u8,
    s_reserved: U16,
    s_num_fc_blks: U32,
    s_head: U32,
    s_unused: [U32; 40],
    s_checksum: U32,
    s_users: [u8; 768],
}

const _: () = assert!(size_of::<Raw>() == SIZE);

impl<D: Device> Volume<D> {
    /// Refuses a journal that is damaged, or that still holds transactions.
    pub(crate) fn check_journal(&self) -> Result<()> {
        if !self.superblock.has(features::HAS_JOURNAL) {
            return Ok(());
        }
        let number = self.superblock.s_journal_inum.get();
        if number == 0 {
            return Err(Error::Unsupported("a journal on another device".to_owned()));
        }
        let inode = self.inode(number)?;
        if !inode.is_regular() {
            let value = inode.core.i_mode.get().into();
            return Err(CorruptKind::Journal { field: "i_mode", value }.into());
        }
        let blocks = inode.size() / u64::from(self.geometry.block_size);
        let extents = self.mapping(number, &inode)?.extents;
        let mapped: u64 = extents.iter().map(|extent| u64::from(extent.length)).sum();
        let end = extents.last().map_or(0, |extent| extent.end());
        let whole = blocks >= LEAST_BLOCKS && mapped >= blocks && mapped == end;
        if !whole {
            return Err(CorruptKind::Journal { field: "blocks", value: mapped.min(blocks) }.into());
        }
        let mut bytes = [0; SIZE];
        self.read_data(number, &inode, 0, &mut bytes)?;
        check(&bytes, self.geometry.block_size, blocks)
    }
}

/// Refuses the superblock of a journal of `blocks` blocks of `block_size` bytes.
fn check(bytes: &[u8; SIZE], block_size: u32, blocks: u64) -> Result<()> {
    let raw: Raw = zerocopy::transmute!(*bytes);
    let corrupt = |field, value: u32| Err(CorruptKind::Journal { field, value: value.into() }.into());
    if raw.h_magic != MAGIC {
        return corrupt("h_magic", raw.h_magic.get());
    }
    let (compat, incompat) = match raw.h_blocktype.get() {
        SUPERBLOCK_V1 => (0, 0),
        SUPERBLOCK_V2 => (raw.s_feature_compat.get(), raw.s_feature_incompat.get()),
        other => return corrupt("h_blocktype", other),
    };
    let unknown = incompat & !INCOMPAT_KNOWN;
    if unknown != 0 {
        return Err(Error::Unsupported(format!("unknown feature bits {unknown:#x} of the journal")));
    }
    let (csum_v2, csum_v3) = (incompat & INCOMPAT_CSUM_V2 != 0, incompat & INCOMPAT_CSUM_V3 != 0);
    let forms = [compat & COMPAT_CHECKSUM != 0, csum_v2, csum_v3];
    if forms.into_iter().filter(|form| *form).count() > 1 {
        return corrupt("s_feature_incompat", incompat);
    }
    if csum_v2 || csum_v3 {
        if raw.s_checksum_type != CHECKSUM_CRC32C {
            return corrupt("s_checksum_type", raw.s_checksum_type.into());
        }
        let mut plain = *bytes;
        plain[CHECKSUM_OFFSET..CHECKSUM_OFFSET + 4].fill(0);
        if raw.s_checksum != crc32c(!0, &plain) {
            return corrupt("s_checksum", raw.s_checksum.get());
        }
    }
    if raw.s_blocksize != block_size {
        return corrupt("s_blocksize", raw.s_blocksize.get());
    }
    if u64::from(raw.s_maxlen.get()) > blocks {
        return corrupt("s_maxlen", raw.s_maxlen.get());
    }
    if raw.s_first == 0 || raw.s_first >= raw.s_maxlen {
        return corrupt("s_first", raw.s_first.get());
    }
    if raw.s_errno != 0 {
        return Err(Error::Unsupported(format!("a journal with error {}: run e2fsck first", raw.s_errno)));
    }
    if raw.s_start != 0 {
        return Err(Error::Unsupported("a journal that is not empty: run e2fsck first".to_owned()));
    }
    Ok(())
}
