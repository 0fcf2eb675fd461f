//! The blocks of a whole directory: one linear block, or leaves sorted by hash under an index.
//!
//! <https://docs.kernel.org/filesystems/ext4/directory.html#hash-tree-directories>
//!
//! A linear directory is read from its beginning to find one name. An index makes that two or three blocks, however
//! many names there are. It sorts by a hash of the name and not by the name itself, because hashes are all of one
//! size: an index entry is always 8 bytes, a hash and the number of a block *within the directory*. The first entry's
//! hash would be 0 in any case, so limit and count (two bytes each) stand in its place.
//!
//! An example with blocks of 64 bytes and names of up to four letters, of which a leaf holds five (12 bytes each), and
//! the legacy hash:
//!
//! ```text
//! block 0, the root              limit 4, count 2
//!   .  ..  root_info │ below a1fae759: block 1 │ from a1fae759: block 2
//!                               │                        │
//!            block 1 ───────────┘                        └─────── block 2
//!              0548526e yak                                         a1fae758 cwsp
//!              5d4875da seal                                        a47a4fa4 ant
//!              66a3b394 cow                                         cfef75b0 dog
//!              9623e036 cat
//!              a1fae758 casp
//! ```
//!
//! `dog` is looked up by its hash, cfef75b0: the last entry that is not above it leads to block 2. `cwsp` and `casp`
//! have the same hash, and the leaf was full between them. Hashes are even, so the odd one in the index says that names
//! of the hash before it continue here: whoever looks for `cwsp` is led to block 1, does not find it, and goes on.
//!
//! Old software sees a linear directory all the same. In the root `..` claims the rest of its block, and with it
//! `root_info` (8 bytes) and the entries; a block between root and leaves looks like one unused name. When the root's
//! entries do not suffice, such blocks come between: root, all inner nodes, all leaves, in this order. With
//! `metadata_csum` the last 8 bytes of root and nodes are a tail: reserved, checksum.
//!
//! A directory is never changed in place. It is laid out anew, its leaves filled in the order of hashes, so that the
//! same names give the same bytes, however they came.

use crate::{
    FileType,
    checksum::crc32c,
    directory_block::{self, Target, put_header, record_size, usable},
    hash::Hasher,
};

/// Bytes before the index entries: two entries of twelve and `root_info`; one unused entry.
const ROOT_HEADER: usize = 32;
const NODE_HEADER: usize = 8;
const INDEX_ENTRY: usize = 8;
const TAIL: usize = 8;

/// How the directories of a file system are laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    /// Bytes.
    pub(crate) block_size: usize,
    /// How names are hashed; `None` without `dir_index`.
    pub(crate) hasher: Option<Hasher>,
    /// The directory inode's seed; `None` without `metadata_csum`.
    pub(crate) seed: Option<u32>,
}

/// A directory as it goes to disk.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The blocks in order.
    pub(crate) blocks: Vec<Vec<u8>>,
    /// Whether the first one is an index root.
    pub(crate) indexed: bool,
}

/// What leads from one level of the index to the next: the lowest hash and the block.
type IndexEntry = (u32, u32);

/// A name and what it stands for.
type Name<'a> = (&'a [u8], Target);

/// A block of names: the hash of the first one, marked if it continues, and the names.
type Leaf<'a> = (u32, &'a [Name<'a>]);

impl Format {
    /// Lays out a directory; `None` if it has more names than an index of two levels can hold.
    ///
    /// `entries` are without `.` and `..` and in the order that a linear directory shall have.
    pub(crate) fn lay_out(&self, own: u32, parent: u32, entries: &[Name<'_>]) -> Option<Layout> {
        let dots = [(&b"."[..], directory(own)), (b"..", directory(parent))];
        let all: Vec<_> = dots.iter().chain(entries).copied().collect();
        let linear = self.pack(&all, |_| 0);
        match &self.hasher {
            Some(hasher) if linear.len() > 1 => self.index(hasher, own, parent, entries),
            _ => {
                let blocks = linear.iter().map(|(_, part)| self.leaf(part)).collect();
                Some(Layout { blocks, indexed: false })
            }
        }
    }

    /// How many blocks [`lay_out`](Self::lay_out) may need for names whose records take `bytes` in all.
    pub(crate) fn blocks_at_most(&self, bytes: usize) -> u64 {
        let room = usable(self.block_size, self.seed.is_some());
        if bytes + 2 * record_size(2) <= room {
            return 1;
        }
        // A leaf is left when the next record does not fit, so it wastes less than the longest record.
        let longest = record_size(directory_block::MAX_NAME);
        let leaves = bytes.div_ceil(room - longest) + 1;
        (1 + leaves + leaves.div_ceil(self.limit(NODE_HEADER))) as u64
    }

    fn leaf(&self, entries: &[Name<'_>]) -> Vec<u8> {
        directory_block::encode(entries, self.block_size, self.seed)
    }

    /// Cuts `entries` into blocks, in order, each with the hash of its first entry.
    fn pack<'a>(&self, entries: &'a [Name<'a>], hash: impl Fn(usize) -> u32) -> Vec<Leaf<'a>> {
        let room = usable(self.block_size, self.seed.is_some());
        let mut blocks = Vec::new();
        let (mut from, mut used) = (0, 0);
        for (at, (name, _)) in entries.iter().enumerate() {
            let size = record_size(name.len());
            if used + size > room {
                blocks.push((hash(from), &entries[from..at]));
                (from, used) = (at, 0);
            }
            used += size;
        }
        blocks.push((hash(from), &entries[from..]));
        blocks
    }

    fn index(&self, hasher: &Hasher, own: u32, parent: u32, entries: &[Name<'_>]) -> Option<Layout> {
        let mut hashed: Vec<_> = entries.iter().map(|entry| (hasher.hash(entry.0), *entry)).collect();
        hashed.sort_by(|a, b| (a.0, a.1.0).cmp(&(b.0, b.1.0)));
        let sorted: Vec<_> = hashed.iter().map(|(_, entry)| *entry).collect();
        // The lowest bit says that entries of this hash begin in the block before.
        let first_hash = |at: usize| {
            let of = |at: usize| hashed.get(at).map(|(hash, _)| hash.0);
            let continued = at > 0 && of(at - 1) == of(at);
            of(at).unwrap_or(0) | u32::from(continued)
        };
        let leaves = self.pack(&sorted, first_hash);
        let root_limit = self.limit(ROOT_HEADER);
        let inner =
            if leaves.len() > root_limit { leaves.len().div_ceil(self.limit(NODE_HEADER)) } else { 0 };
        if inner > root_limit {
            return None;
        }
        // Root, inner nodes, leaves.
        let to_leaves: Vec<IndexEntry> =
            (1 + inner as u32..).zip(&leaves).map(|(block, leaf)| (leaf.0, block)).collect();
        let nodes: Vec<_> =
            if inner > 0 { to_leaves.chunks(self.limit(NODE_HEADER)).collect() } else { vec![] };
        let to_nodes: Vec<IndexEntry> =
            (1..).zip(&nodes).map(|(block, part)| (part.first().map_or(0, |entry| entry.0), block)).collect();
        let top = if inner > 0 { &to_nodes } else { &to_leaves };
        let mut blocks = vec![self.root(hasher, own, parent, u8::from(inner > 0), top)];
        blocks.extend(nodes.iter().map(|part| self.node(part)));
        blocks.extend(leaves.iter().map(|(_, part)| self.leaf(part)));
        Some(Layout { blocks, indexed: true })
    }

    /// Index entries that fit behind a header.
    fn limit(&self, header: usize) -> usize {
        (self.block_size - header - if self.seed.is_some() { TAIL } else { 0 }) / INDEX_ENTRY
    }

    fn root(&self, hasher: &Hasher, own: u32, parent: u32, levels: u8, entries: &[IndexEntry]) -> Vec<u8> {
        const DIRECTORY: u8 = 2;
        let mut bytes = Vec::with_capacity(self.block_size);
        put_header(&mut bytes, own, 12, 1, DIRECTORY);
        bytes.extend_from_slice(b".\0\0\0");
        put_header(&mut bytes, parent, self.block_size - 12, 2, DIRECTORY);
        bytes.extend_from_slice(b"..\0\0");
        // root_info: reserved, hash version, length of root_info, levels below, flags.
        bytes.extend_from_slice(&[0, 0, 0, 0, hasher.algorithm.number(), 8, levels, 0]);
        self.finish(bytes, entries)
    }

    fn node(&self, entries: &[IndexEntry]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.block_size);
        put_header(&mut bytes, 0, self.block_size, 0, 0);
        self.finish(bytes, entries)
    }

    /// Puts the index entries behind the header that `bytes` hold, and the tail.
    fn finish(&self, mut bytes: Vec<u8>, entries: &[IndexEntry]) -> Vec<u8> {
        let limit = self.limit(bytes.len());
        let tail_at = bytes.len() + limit * INDEX_ENTRY;
        let limit_and_count = limit as u32 | (entries.len() as u32) << 16;
        for (i, (hash, block)) in entries.iter().enumerate() {
            bytes.extend_from_slice(&if i == 0 { limit_and_count } else { *hash }.to_le_bytes());
            bytes.extend_from_slice(&block.to_le_bytes());
        }
        let used = bytes.len();
        bytes.resize(self.block_size, 0);
        if let Some(seed) = self.seed {
            // Over the used entries and the tail, whose checksum counts as zero.
            let sum = crc32c(crc32c(seed, &bytes[..used]), &[0; TAIL]);
            bytes[tail_at + 4..tail_at + 8].copy_from_slice(&sum.to_le_bytes());
        }
        bytes
    }
}

/// Whether `block` of an indexed directory holds index entries whose checksum matches; `None` if it holds names.
/// `seed` is the inode's.
pub(crate) fn verify_index(bytes: &[u8], block: u32, seed: u32) -> Option<bool> {
    let header = if block == 0 {
        ROOT_HEADER
    } else {
        let unused_to_the_end = [&[0; 4][..], &(bytes.len() as u16).to_le_bytes(), &[0, 0]].concat();
        bytes.starts_with(&unused_to_the_end).then_some(NODE_HEADER)?
    };
    let word =
        |at: usize| bytes.get(at..)?.first_chunk::<2>().map(|word| usize::from(u16::from_le_bytes(*word)));
    let (Some(limit), Some(count)) = (word(header), word(header + 2)) else { return Some(false) };
    let (used, tail) = (header + count * INDEX_ENTRY, header + limit * INDEX_ENTRY);
    if used > tail || tail + TAIL > bytes.len() {
        return Some(false);
    }
    let sum = [&bytes[..used], &bytes[tail..tail + 4], &[0; 4]].into_iter().fold(seed, crc32c);
    Some(bytes[tail + 4..tail + 8] == sum.to_le_bytes())
}

fn directory(inode: u32) -> Target {
    Target { inode, file_type: FileType::Directory }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Algorithm;

    fn format(hasher: Option<Hasher>) -> Format {
        Format { block_size: 1024, hasher, seed: Some(3) }
    }

    fn hasher() -> Hasher {
        Hasher { algorithm: Algorithm::HalfMd4, unsigned: false, seed: [1, 2, 3, 4] }
    }

    fn names(count: u32) -> Vec<Vec<u8>> {
        (0..count).map(|i| format!("file-{i}").into_bytes()).collect()
    }

    fn lay_out(format: &Format, names: &[Vec<u8>]) -> Layout {
        let file = Target { inode: 20, file_type: FileType::Regular };
        let entries: Vec<_> = names.iter().map(|name| (&name[..], file)).collect();
        format.lay_out(12, 2, &entries).unwrap()
    }

    fn read(layout: &Layout) -> Vec<Vec<u8>> {
        let entries = layout.blocks.iter().flat_map(|block| directory_block::decode(block).unwrap());
        let mut names: Vec<_> = entries.map(|entry| entry.name.to_vec()).collect();
        names.sort();
        names
    }

    /// The example of the module's documentation.
    #[test]
    fn a_root_over_two_leaves_that_share_a_hash() {
        let hasher = Hasher { algorithm: Algorithm::Legacy, unsigned: false, seed: [0; 4] };
        let format = Format { block_size: 64, hasher: Some(hasher), seed: None };
        let sorted = [
            (0x0548_526e, "yak"),
            (0x5d48_75da, "seal"),
            (0x66a3_b394, "cow"),
            (0x9623_e036, "cat"),
            (0xa1fa_e758, "casp"),
            (0xa1fa_e758, "cwsp"),
            (0xa47a_4fa4, "ant"),
            (0xcfef_75b0, "dog"),
        ];
        for (hash, name) in sorted {
            assert_eq!(hasher.hash(name.as_bytes()).0, hash, "{name}");
        }
        let mut names = sorted.map(|(_, name)| name.as_bytes().to_vec());
        names.sort();
        let layout = lay_out(&format, &names);

        let words: Vec<u32> =
            layout.blocks[0].chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(words[8..12], [4 | 2 << 16, 1, 0xa1fa_e759, 2]);
        for (block, leaf) in layout.blocks[1..].iter().zip([&sorted[..5], &sorted[5..]]) {
            let names: Vec<_> = directory_block::decode(block).unwrap().iter().map(|e| e.name).collect();
            assert_eq!(names, leaf.iter().map(|(_, name)| name.as_bytes()).collect::<Vec<_>>());
        }
        let seen_by_old_software: Vec<_> =
            directory_block::decode(&layout.blocks[0]).unwrap().iter().map(|e| e.name).collect();
        assert_eq!(seen_by_old_software, [&b"."[..], b".."]);
    }

    #[test]
    fn every_name_is_there_once_at_any_size() {
        for count in [0, 1, 40, 200, 5_000, 20_000] {
            for format in [format(Some(hasher())), format(None)] {
                let mut expected = names(count);
                let layout = lay_out(&format, &expected);
                expected.extend([b".".to_vec(), b"..".to_vec()]);
                expected.sort();
                assert_eq!(read(&layout), expected);
                assert_eq!(layout.indexed, layout.blocks.len() > 1 && format.hasher.is_some());
            }
        }
    }

    #[test]
    fn blocks_are_sealed_as_what_they_are() {
        let layout = lay_out(&format(Some(hasher())), &names(20_000));
        let kinds: Vec<_> = (0..).zip(&layout.blocks).map(|(i, block)| verify_index(block, i, 3)).collect();
        let leaves = kinds.iter().filter(|kind| kind.is_none()).count();
        assert!(kinds.iter().all(|kind| *kind != Some(false)));
        assert!(kinds.len() - leaves > 2, "root and several inner nodes");
        let names = layout.blocks.iter().zip(kinds).filter(|(_, kind)| kind.is_none());
        assert!(names.into_iter().all(|(block, _)| directory_block::verify(block, 3)));
    }

    #[test]
    fn the_bound_on_blocks_holds() {
        for count in [0, 30, 31, 32, 33, 34, 500, 20_000] {
            let names = names(count);
            let bytes = names.iter().map(|name| record_size(name.len())).sum();
            for format in [format(Some(hasher())), format(None)] {
                assert!(lay_out(&format, &names).blocks.len() as u64 <= format.blocks_at_most(bytes));
            }
        }
    }

    #[test]
    fn too_many_names_for_two_levels_are_refused() {
        let name = |i: u32| format!("{i:0>255}").into_bytes();
        let names: Vec<_> = (0..50_000).map(name).collect();
        let file = Target { inode: 20, file_type: FileType::Regular };
        let entries: Vec<_> = names.iter().map(|name| (&name[..], file)).collect();
        assert!(format(Some(hasher())).lay_out(12, 2, &entries).is_none());
    }
}
