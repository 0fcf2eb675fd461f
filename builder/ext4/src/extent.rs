//! Extent trees: which blocks of the device hold which blocks of a file.
//!
//! <https://docs.kernel.org/filesystems/ext4/ifork.html#extent-tree>
//!
//! Every node is a header of 12 bytes and entries of 12 bytes. The root lies in the 60 bytes of `i_block`; other nodes
//! take a block, with a checksum behind the last possible entry.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

use crate::checksum::crc32c;

const MAGIC: u16 = 0xf30a;
const ENTRY_SIZE: usize = 12;
/// Entries of the root.
const ROOT_CAPACITY: usize = 4;
/// Levels below the root that the kernel accepts.
pub(crate) const MAX_DEPTH: u16 = 5;
/// Blocks of one extent; a larger length marks an extent that is allocated but reads as zero.
pub(crate) const MAX_LENGTH: u16 = 0x8000;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    eh_magic: U16,
    eh_entries: U16,
    eh_max: U16,
    eh_depth: U16,
    eh_generation: U32,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawExtent {
    ee_block: U32,
    ee_len: U16,
    ee_start_hi: U16,
    ee_start_lo: U32,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawIndex {
    ei_block: U32,
    ei_leaf_lo: U32,
    ei_leaf_hi: U16,
    ei_unused: U16,
}

/// Consecutive blocks of a file on consecutive blocks of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// First block in the file.
    pub(crate) logical: u32,
    /// First block on the device.
    pub(crate) physical: u64,
    /// Blocks.
    pub(crate) length: u32,
    /// Whether the blocks were written; if not, they read as zero.
    pub(crate) written: bool,
}

impl Extent {
    /// One past the last block in the file.
    pub(crate) fn end(&self) -> u64 {
        u64::from(self.logical) + u64::from(self.length)
    }
}

/// A node of the tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Leaf(Vec<Extent>),
    /// First block in the file and block on the device of each child.
    Index {
        depth: u16,
        children: Vec<(u32, u64)>,
    },
}

/// Reads a node from `i_block` or from a block.
pub(crate) fn decode(bytes: &[u8]) -> Result<Node, &'static str> {
    let (header, entries) = Header::read_from_prefix(bytes).map_err(|_| "node too short")?;
    if header.eh_magic != MAGIC {
        return Err("wrong magic number");
    }
    let (count, capacity) = (usize::from(header.eh_entries.get()), usize::from(header.eh_max.get()));
    if count > capacity || capacity > entries.len() / ENTRY_SIZE {
        return Err("more entries than fit");
    }
    let depth = header.eh_depth.get();
    if depth > MAX_DEPTH {
        return Err("too deep");
    }
    if depth > 0 && count == 0 {
        return Err("index without entries");
    }
    let entries = entries.chunks_exact(ENTRY_SIZE).take(count);
    if depth == 0 {
        Ok(Node::Leaf(
            entries.filter_map(|entry| RawExtent::read_from_bytes(entry).ok()).map(from_raw).collect(),
        ))
    } else {
        let children = entries.filter_map(|entry| RawIndex::read_from_bytes(entry).ok());
        let child = |raw: RawIndex| {
            (raw.ei_block.get(), u64::from(raw.ei_leaf_lo.get()) | u64::from(raw.ei_leaf_hi.get()) << 32)
        };
        Ok(Node::Index { depth, children: children.map(child).collect() })
    }
}

fn from_raw(raw: RawExtent) -> Extent {
    let length = raw.ee_len.get();
    Extent {
        logical: raw.ee_block.get(),
        physical: u64::from(raw.ee_start_lo.get()) | u64::from(raw.ee_start_hi.get()) << 32,
        length: u32::from(if length > MAX_LENGTH { length - MAX_LENGTH } else { length }),
        written: length <= MAX_LENGTH,
    }
}

fn to_raw(extent: &Extent) -> RawExtent {
    let length = extent.length as u16;
    RawExtent {
        ee_block: extent.logical.into(),
        ee_len: if extent.written { length } else { length | MAX_LENGTH }.into(),
        ee_start_hi: ((extent.physical >> 32) as u16).into(),
        ee_start_lo: (extent.physical as u32).into(),
    }
}

/// Joins neighbours and cuts what is longer than an extent may be. `extents` are ascending.
pub(crate) fn normalize(extents: impl IntoIterator<Item = Extent>) -> Vec<Extent> {
    let mut joined: Vec<Extent> = Vec::new();
    for extent in extents {
        match joined.last_mut() {
            Some(last)
                if last.end() == u64::from(extent.logical)
                    && last.physical + u64::from(last.length) == extent.physical
                    && last.written == extent.written =>
            {
                last.length += extent.length;
            }
            _ => joined.push(extent),
        }
    }
    joined.into_iter().flat_map(cut).collect()
}

fn cut(extent: Extent) -> impl Iterator<Item = Extent> {
    // An unwritten extent is one shorter: its length with the mark must not be the mark alone.
    let most = u32::from(MAX_LENGTH) - u32::from(!extent.written);
    (0..extent.length).step_by(most as usize).map(move |from| Extent {
        logical: extent.logical + from,
        physical: extent.physical + u64::from(from),
        length: (extent.length - from).min(most),
        ..extent
    })
}

/// Entries of a node that takes a block of `block_size` bytes.
fn capacity(block_size: u32) -> usize {
    (block_size as usize - ENTRY_SIZE) / ENTRY_SIZE
}

/// How many blocks the nodes of a tree over `extents` extents take, the root not counted.
pub(crate) fn tree_blocks(extents: usize, block_size: u32) -> usize {
    let mut level = extents;
    let mut blocks = 0;
    while level > ROOT_CAPACITY {
        level = level.div_ceil(capacity(block_size));
        blocks += level;
    }
    blocks
}

/// The tree over normalized `extents`: `i_block`, and every other node with the block it goes to.
///
/// `blocks` are as many as [`tree_blocks`] says. `seed` is the inode's, if the file system has checksums.
pub(crate) fn encode(
    extents: &[Extent],
    block_size: u32,
    blocks: &[u64],
    seed: Option<u32>,
) -> ([u8; 60], Vec<(u64, Vec<u8>)>) {
    let mut entries: Vec<(u32, [u8; ENTRY_SIZE])> =
        extents.iter().map(|extent| (extent.logical, zerocopy::transmute!(to_raw(extent)))).collect();
    let mut nodes = Vec::new();
    let mut free = blocks.iter();
    let mut depth = 0;
    while entries.len() > ROOT_CAPACITY {
        let children: Vec<_> = entries.chunks(capacity(block_size)).zip(&mut free).collect();
        let mut parents = Vec::new();
        for (part, block) in children {
            let mut bytes = vec![0; block_size as usize];
            encode_node(part, capacity(block_size), depth, &mut bytes);
            seal(&mut bytes, seed);
            nodes.push((*block, bytes));
            let index = RawIndex {
                ei_block: part.first().map_or(0, |entry| entry.0).into(),
                ei_leaf_lo: (*block as u32).into(),
                ei_leaf_hi: ((*block >> 32) as u16).into(),
                ei_unused: 0.into(),
            };
            parents.push((index.ei_block.get(), zerocopy::transmute!(index)));
        }
        entries = parents;
        depth += 1;
    }
    let mut root = [0; 60];
    encode_node(&entries, ROOT_CAPACITY, depth, &mut root);
    (root, nodes)
}

fn encode_node(entries: &[(u32, [u8; ENTRY_SIZE])], capacity: usize, depth: u16, bytes: &mut [u8]) {
    let header = Header {
        eh_magic: MAGIC.into(),
        eh_entries: (entries.len() as u16).into(),
        eh_max: (capacity as u16).into(),
        eh_depth: depth.into(),
        eh_generation: 0.into(),
    };
    let all = std::iter::once(header.as_bytes()).chain(entries.iter().map(|entry| &entry.1[..]));
    for (slot, entry) in bytes.chunks_exact_mut(ENTRY_SIZE).zip(all) {
        slot.copy_from_slice(entry);
    }
}

/// Where the checksum of a node in a block lies: behind the last possible entry.
fn checksum_offset(bytes: &[u8]) -> Option<usize> {
    let (header, _) = Header::read_from_prefix(bytes).ok()?;
    let offset = ENTRY_SIZE * (1 + usize::from(header.eh_max.get()));
    (offset + 4 <= bytes.len()).then_some(offset)
}

fn seal(bytes: &mut [u8], seed: Option<u32>) {
    if let (Some(seed), Some(offset)) = (seed, checksum_offset(bytes)) {
        let sum = crc32c(seed, &bytes[..offset]);
        bytes[offset..offset + 4].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Whether the checksum of a node in a block matches. `seed` is the inode's.
pub(crate) fn verify(bytes: &[u8], seed: u32) -> bool {
    checksum_offset(bytes)
        .is_some_and(|offset| bytes[offset..offset + 4] == crc32c(seed, &bytes[..offset]).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scattered(count: u32) -> Vec<Extent> {
        (0..count)
            .map(|i| Extent {
                logical: 2 * i,
                physical: 1 << 33 | u64::from(3 * i),
                length: 1,
                written: i % 3 != 0,
            })
            .collect()
    }

    /// Walks a tree of encoded nodes.
    fn walk(bytes: &[u8], nodes: &[(u64, Vec<u8>)], seed: u32) -> Vec<Extent> {
        match decode(bytes).unwrap() {
            Node::Leaf(extents) => extents,
            Node::Index { children, .. } => children
                .iter()
                .flat_map(|(logical, block)| {
                    let bytes = &nodes.iter().find(|node| node.0 == *block).unwrap().1;
                    assert!(verify(bytes, seed));
                    let below = walk(bytes, nodes, seed);
                    assert_eq!(below[0].logical, *logical);
                    below
                })
                .collect(),
        }
    }

    #[test]
    fn trees_of_every_depth_round_trip() {
        for count in [0, 1, 4, 5, 84, 85, 336, 337, 4 * 84 * 84 + 1] {
            let extents = scattered(count);
            let blocks: Vec<u64> = (0..tree_blocks(extents.len(), 1024) as u64).map(|i| 100 + i).collect();
            let (root, nodes) = encode(&extents, 1024, &blocks, Some(7));
            assert_eq!(nodes.len(), blocks.len());
            assert_eq!(walk(&root, &nodes, 7), extents);
        }
    }

    #[test]
    fn neighbours_join_and_long_runs_are_cut() {
        let run = |logical, physical, length| Extent { logical, physical, length, written: true };
        let joined = normalize([run(0, 10, 5), run(5, 15, 40_000), run(50_000, 70_000, 1)]);
        assert_eq!(joined, [run(0, 10, 32_768), run(32_768, 32_778, 7_237), run(50_000, 70_000, 1)]);
    }

    #[test]
    fn damaged_nodes_are_refused() {
        let (root, _) = encode(&scattered(2), 1024, &[], None);
        let damaged = |at: usize, value: u8| {
            let mut bytes = root;
            bytes[at] = value;
            decode(&bytes)
        };
        assert_eq!(damaged(0, 0), Err("wrong magic number"));
        assert_eq!(damaged(2, 5), Err("more entries than fit"));
        assert_eq!(damaged(4, 6), Err("more entries than fit").or_else(|_| damaged(4, 5)));
        assert_eq!(damaged(6, 6), Err("too deep"));
        assert_eq!(decode(&[]), Err("node too short"));
    }
}
