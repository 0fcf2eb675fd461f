//! Extended attributes: entries in the room behind an inode's fields, then in one block, which inodes may share.
//!
//! <https://docs.kernel.org/filesystems/ext4/attributes.html>

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

use crate::{Xattrs, checksum::crc32c};

const MAGIC: u32 = 0xea02_0000;
/// Values and entries are aligned to this many bytes.
const ALIGNMENT: usize = 4;

/// Prefixes of names and the index that stands for each on disk. Longer ones first where one begins with another.
const PREFIXES: [(u8, &[u8]); 7] = [
    (1, b"user."),
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
    (8, b"system.richacl"),
    (7, b"system."),
];

#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct BlockHeader {
    h_magic: U32,
    h_refcount: U32,
    h_blocks: U32,
    h_hash: U32,
    h_checksum: U32,
    h_reserved: [U32; 3],
}

#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawEntry {
    e_name_len: u8,
    e_name_index: u8,
    e_value_offs: U16,
    e_value_inum: U32,
    e_value_size: U32,
    e_hash: U32,
}

const HEADER_SIZE: usize = size_of::<BlockHeader>();
const ENTRY_SIZE: usize = size_of::<RawEntry>();

/// One attribute: index of the prefix, rest of the name, value. Ordered as on disk.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute<'a> {
    index: u8,
    name_length: usize,
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// `None` if ext4 has no place for the name.
    fn new(full_name: &'a [u8], value: &'a [u8]) -> Option<Self> {
        let (index, name) =
            PREFIXES.iter().find_map(|(index, prefix)| Some((*index, full_name.strip_prefix(*prefix)?)))?;
        let whole = matches!(index, 2 | 3 | 8);
        (name.is_empty() == whole && name.len() <= 255).then_some(Self {
            index,
            name_length: name.len(),
            name,
            value,
        })
    }

    fn entry_size(&self) -> usize {
        (ENTRY_SIZE + self.name_length).next_multiple_of(ALIGNMENT)
    }

    fn size(&self) -> usize {
        self.entry_size() + self.value.len().next_multiple_of(ALIGNMENT)
    }

    fn hash(&self) -> u32 {
        let name = self.name.iter().fold(0u32, |hash, byte| hash.rotate_left(5) ^ u32::from(*byte));
        self.value.chunks(4).fold(name, |hash, chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            hash.rotate_left(16) ^ u32::from_le_bytes(word)
        })
    }
}

/// Attributes divided between inode and block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The bytes of the room behind the inode's fields.
    pub(crate) inode: Vec<u8>,
    /// The bytes of the block, not sealed; `None` if the inode holds all.
    pub(crate) block: Option<Vec<u8>>,
}

/// Why attributes cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// No prefix of ext4 fits the name.
    Name(Vec<u8>),
    /// More than inode and block can hold.
    Size,
}

/// Divides `xattrs` between `room` bytes in the inode and a block of `block_size` bytes.
pub(crate) fn place(xattrs: &Xattrs, room: usize, block_size: usize) -> Result<Placement, Misfit> {
    let mut attributes = Vec::new();
    for (name, value) in xattrs {
        attributes.push(Attribute::new(name, value).ok_or_else(|| Misfit::Name(name.clone()))?);
    }
    attributes.sort();
    // Each area ends its list with four zero bytes.
    let mut left = room.saturating_sub(2 * ALIGNMENT);
    let (inside, outside): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|attribute| {
        let fits = attribute.size() <= left;
        left -= if fits { attribute.size() } else { 0 };
        fits
    });
    if outside.iter().map(Attribute::size).sum::<usize>() > block_size - HEADER_SIZE - ALIGNMENT {
        return Err(Misfit::Size);
    }
    let mut inode = vec![0; room];
    if !inside.is_empty() {
        inode[..4].copy_from_slice(&MAGIC.to_le_bytes());
        encode_entries(&inside, &mut inode[4..], 0);
    }
    let block = (!outside.is_empty()).then(|| encode_block(&outside, block_size));
    Ok(Placement { inode, block })
}

fn encode_block(attributes: &[Attribute<'_>], block_size: usize) -> Vec<u8> {
    let hash = attributes.iter().map(Attribute::hash).try_fold(0u32, |hash, entry| {
        // One entry without a hash makes the block unfit for sharing, which zero says.
        (entry != 0).then_some(hash.rotate_left(16) ^ entry)
    });
    let header = BlockHeader {
        h_magic: MAGIC.into(),
        h_refcount: 1.into(),
        h_blocks: 1.into(),
        h_hash: hash.unwrap_or(0).into(),
        h_checksum: 0.into(),
        h_reserved: [0.into(); 3],
    };
    let mut bytes = vec![0; block_size];
    bytes[..HEADER_SIZE].copy_from_slice(header.as_bytes());
    encode_entries(attributes, &mut bytes[HEADER_SIZE..], HEADER_SIZE);
    bytes
}

/// Entries from the front of `area`, values from its back. Offsets of values count from `base` bytes before `area`.
fn encode_entries(attributes: &[Attribute<'_>], area: &mut [u8], base: usize) {
    let (mut front, mut back) = (0, area.len());
    for attribute in attributes {
        back -= attribute.value.len().next_multiple_of(ALIGNMENT);
        area[back..back + attribute.value.len()].copy_from_slice(attribute.value);
        let raw = RawEntry {
            e_name_len: attribute.name_length as u8,
            e_name_index: attribute.index,
            e_value_offs: if attribute.value.is_empty() { 0 } else { (base + back) as u16 }.into(),
            e_value_inum: 0.into(),
            e_value_size: (attribute.value.len() as u32).into(),
            e_hash: attribute.hash().into(),
        };
        area[front..front + ENTRY_SIZE].copy_from_slice(raw.as_bytes());
        area[front + ENTRY_SIZE..front + ENTRY_SIZE + attribute.name_length].copy_from_slice(attribute.name);
        front += attribute.entry_size();
    }
}

/// Adds the attributes in the room behind an inode's fields to `xattrs`.
pub(crate) fn decode_inode(area: &[u8], xattrs: &mut Xattrs) -> Result<(), &'static str> {
    match area.split_first_chunk() {
        Some((magic, entries)) if u32::from_le_bytes(*magic) == MAGIC => {
            decode_entries(entries, entries, xattrs)
        }
        _ => Ok(()),
    }
}

/// Adds the attributes of a block to `xattrs`.
pub(crate) fn decode_block(bytes: &[u8], xattrs: &mut Xattrs) -> Result<(), &'static str> {
    reference_count(bytes)?;
    decode_entries(bytes.get(HEADER_SIZE..).unwrap_or(&[]), bytes, xattrs)
}

/// How many inodes share a block.
pub(crate) fn reference_count(bytes: &[u8]) -> Result<u32, &'static str> {
    let (header, _) = BlockHeader::read_from_prefix(bytes).map_err(|_| "block too short")?;
    match (header.h_magic.get(), header.h_blocks.get(), header.h_refcount.get()) {
        (MAGIC, 1, count @ 1..) => Ok(count),
        (MAGIC, 1, 0) => Err("block that nobody refers to"),
        (MAGIC, ..) => Err("wrong count of blocks"),
        _ => Err("wrong magic number"),
    }
}

/// Changes how many inodes share a block. The block is not sealed afterwards.
pub(crate) fn set_reference_count(bytes: &mut [u8], count: u32) {
    bytes[4..8].copy_from_slice(&count.to_le_bytes());
}

fn decode_entries(entries: &[u8], values: &[u8], xattrs: &mut Xattrs) -> Result<(), &'static str> {
    let mut rest = entries;
    let mut first_value = values.len();
    while rest.first_chunk().is_some_and(|bytes| *bytes != [0; ALIGNMENT]) {
        let (raw, after) = RawEntry::read_from_prefix(rest).map_err(|_| "entry cut off")?;
        let name = after.get(..usize::from(raw.e_name_len)).ok_or("name cut off")?;
        if name.contains(&0) {
            return Err("NUL byte in a name");
        }
        if raw.e_value_inum != 0 {
            return Err("value in an inode of its own");
        }
        let from = usize::from(raw.e_value_offs.get());
        let size = usize::try_from(raw.e_value_size.get()).map_err(|_| "value cut off")?;
        let end = from.checked_add(size).ok_or("value cut off")?;
        let value = if size == 0 { &[] } else { values.get(from..end).ok_or("value cut off")? };
        if size > 0 {
            first_value = first_value.min(from);
        }
        let prefix =
            PREFIXES.iter().find(|(index, _)| *index == raw.e_name_index).ok_or("unknown name index")?.1;
        xattrs.insert([prefix, name].concat(), value.to_vec());
        let size = (ENTRY_SIZE + name.len()).next_multiple_of(ALIGNMENT);
        rest = rest.get(size..).ok_or("entry cut off")?;
    }
    // Entries grow from the front, values from the back: they must not meet.
    if values.len() - rest.len() > first_value { Err("value among the entries") } else { Ok(()) }
}

/// `h_checksum` of the block at number `block`; the field itself counts as zero. `seed` is the file system's.
fn checksum(bytes: &[u8], block: u64, seed: u32) -> u32 {
    [&block.to_le_bytes()[..], &bytes[..0x10], &[0; 4], &bytes[0x14..]].into_iter().fold(seed, crc32c)
}

/// Writes the checksum into a block that goes to number `block`.
pub(crate) fn seal(bytes: &mut [u8], block: u64, seed: Option<u32>) {
    if let Some(seed) = seed {
        let sum = checksum(bytes, block, seed);
        bytes[0x10..0x14].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Whether the checksum of a block matches.
pub(crate) fn verify(bytes: &[u8], block: u64, seed: u32) -> bool {
    bytes.len() >= HEADER_SIZE && bytes[0x10..0x14] == checksum(bytes, block, seed).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xattrs(pairs: &[(&str, usize)]) -> Xattrs {
        pairs.iter().map(|(name, size)| (name.as_bytes().to_vec(), vec![b'v'; *size])).collect()
    }

    fn read(placement: &Placement) -> Xattrs {
        let mut found = Xattrs::new();
        decode_inode(&placement.inode, &mut found).unwrap();
        placement.block.iter().for_each(|block| decode_block(block, &mut found).unwrap());
        found
    }

    #[test]
    fn attributes_fill_the_inode_then_the_block() {
        let small = xattrs(&[("security.capability", 20), ("user.a", 0), ("system.posix_acl_access", 28)]);
        let large = xattrs(&[("user.a", 3), ("user.large", 900), ("trusted.b", 5)]);
        for (given, has_block) in [(Xattrs::new(), false), (small, false), (large, true)] {
            let placement = place(&given, 96 + 32, 1024).unwrap();
            assert_eq!(placement.block.is_some(), has_block);
            assert_eq!(read(&placement), given);
        }
    }

    #[test]
    fn what_has_no_place_is_refused() {
        assert_eq!(place(&xattrs(&[("os2.x", 1)]), 96, 1024), Err(Misfit::Name(b"os2.x".to_vec())));
        assert_eq!(place(&xattrs(&[("user.", 1)]), 96, 1024), Err(Misfit::Name(b"user.".to_vec())));
        assert_eq!(place(&xattrs(&[("user.a", 1000)]), 96, 1024), Err(Misfit::Size));
    }

    #[test]
    fn a_sealed_block_belongs_to_its_number() {
        let mut block = place(&xattrs(&[("user.a", 300)]), 0, 1024).unwrap().block.unwrap();
        seal(&mut block, 77, Some(5));
        assert!(verify(&block, 77, 5));
        assert!(!verify(&block, 78, 5));
        assert_eq!(reference_count(&block), Ok(1));
        set_reference_count(&mut block, 0);
        assert_eq!(reference_count(&block), Err("block that nobody refers to"));
    }

    #[test]
    fn values_outside_are_refused() {
        let mut block = place(&xattrs(&[("user.a", 300)]), 0, 1024).unwrap().block.unwrap();
        block[HEADER_SIZE + 8..HEADER_SIZE + 12].copy_from_slice(&5000u32.to_le_bytes());
        assert_eq!(decode_block(&block, &mut Xattrs::new()), Err("value cut off"));
    }
}
