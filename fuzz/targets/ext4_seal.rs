//! Puts right the checksums of a damaged ext4 image, so that the damage behind them is met: the layout by the kernel's
//! documentation, written without the editor's own code. What makes no sense is left as it is.

use imgforge_ext4::Device;

/// Bounds on what a damaged superblock can ask for.
const MAX_GROUPS: u64 = 16;
const MAX_INODES: u64 = 512;
const MAX_BLOCKS: u64 = 64;

/// What the superblock says.
struct Shape {
    block_size: u64,
    /// CRC-32C of the UUID, or `s_checksum_seed`.
    seed: u32,
    first_block: u64,
    blocks_per_group: u64,
    inodes_per_group: u64,
    inode_size: u64,
    descriptor_size: u64,
    groups: u64,
}

/// Seals every structure that can be reached, if the file system has `metadata_csum`.
pub fn reseal<D: Device>(device: &mut D) {
    if let Some(shape) = shape(device) {
        for group in 0..shape.groups {
            reseal_group(device, &shape, group);
        }
        if let Some(bytes) = read(device, 1024, 1020) {
            write(device, 2044, &crc32c(!0, &bytes).to_le_bytes());
        }
    }
}

fn shape<D: Device>(device: &D) -> Option<Shape> {
    let bytes = read(device, 1024, 1024)?;
    let (incompat, ro_compat) = (word(&bytes, 0x60), word(&bytes, 0x64));
    if ro_compat & 0x400 == 0 {
        return None;
    }
    let first_block = u64::from(word(&bytes, 0x14));
    let blocks_per_group = u64::from(word(&bytes, 0x20)).max(8);
    let blocks = u64::from(word(&bytes, 0x04)).saturating_sub(first_block);
    Some(Shape {
        block_size: 1024 << word(&bytes, 0x18).min(2),
        seed: if incompat & 0x2000 != 0 { word(&bytes, 0x270) } else { crc32c(!0, &bytes[0x68..0x78]) },
        first_block,
        blocks_per_group,
        inodes_per_group: u64::from(word(&bytes, 0x28)),
        inode_size: u64::from(half(&bytes, 0x58)).clamp(128, 1024),
        descriptor_size: if incompat & 0x80 != 0 { 64 } else { 32 },
        groups: blocks.div_ceil(blocks_per_group).min(MAX_GROUPS),
    })
}

fn reseal_group<D: Device>(device: &mut D, shape: &Shape, group: u64) {
    let at = (shape.first_block + 1) * shape.block_size + group * shape.descriptor_size;
    let Some(mut descriptor) = read(device, at, shape.descriptor_size) else { return };
    let table = u64::from(word(&descriptor, 8)).saturating_mul(shape.block_size);
    for index in 0..shape.inodes_per_group.min(MAX_INODES) {
        let number = group * shape.inodes_per_group + index + 1;
        reseal_inode(device, shape, table.saturating_add(index * shape.inode_size), number as u32);
    }
    for (uninit, place, low, high, bits) in
        [(2, 0, 0x18, 0x38, shape.blocks_per_group), (1, 4, 0x1a, 0x3a, shape.inodes_per_group)]
    {
        if half(&descriptor, 0x12) & uninit != 0 {
            continue;
        }
        let block = u64::from(word(&descriptor, place)).saturating_mul(shape.block_size);
        let Some(bitmap) = read(device, block, bits.min(shape.block_size * 8) / 8) else { continue };
        let sum = crc32c(shape.seed, &bitmap).to_le_bytes();
        descriptor[low..low + 2].copy_from_slice(&sum[..2]);
        if shape.descriptor_size == 64 {
            descriptor[high..high + 2].copy_from_slice(&sum[2..]);
        }
    }
    descriptor[0x1e..0x20].fill(0);
    let sum = crc32c(crc32c(shape.seed, &(group as u32).to_le_bytes()), &descriptor);
    descriptor[0x1e..0x20].copy_from_slice(&sum.to_le_bytes()[..2]);
    write(device, at, &descriptor);
}

fn reseal_inode<D: Device>(device: &mut D, shape: &Shape, at: u64, number: u32) {
    let Some(mut inode) = read(device, at, shape.inode_size) else { return };
    if half(&inode, 0) == 0 && half(&inode, 0x1a) == 0 {
        return;
    }
    let seed = crc32c(crc32c(shape.seed, &number.to_le_bytes()), &inode[0x64..0x68]);
    let flags = word(&inode, 0x20);
    if flags & 0x8_0000 != 0 {
        let is_directory = half(&inode, 0) & 0xf000 == 0x4000;
        let indexed = is_directory.then_some(flags & 0x1000 != 0);
        reseal_extents(device, shape, seed, &inode[0x28..0x64], indexed, 2);
    }
    let block = u64::from(word(&inode, 0x68));
    if let Some(mut bytes) = read(device, block.saturating_mul(shape.block_size), shape.block_size)
        && block != 0
    {
        bytes[0x10..0x14].fill(0);
        let sum = crc32c(crc32c(shape.seed, &block.to_le_bytes()), &bytes);
        write(device, block * shape.block_size + 0x10, &sum.to_le_bytes());
    }
    let has_high = inode.len() > 0x84 && half(&inode, 0x80) >= 4;
    inode[0x7c..0x7e].fill(0);
    if has_high {
        inode[0x82..0x84].fill(0);
    }
    let sum = crc32c(seed, &inode).to_le_bytes();
    inode[0x7c..0x7e].copy_from_slice(&sum[..2]);
    if has_high {
        inode[0x82..0x84].copy_from_slice(&sum[2..]);
    }
    write(device, at, &inode);
}

/// Seals the nodes below `node`, and blocks of names below them; `indexed` says whether a directory has an index.
fn reseal_extents<D: Device>(
    device: &mut D,
    shape: &Shape,
    seed: u32,
    node: &[u8],
    indexed: Option<bool>,
    levels: u32,
) {
    let depth = half(node, 6);
    for entry in node[12..].chunks_exact(12).take(usize::from(half(node, 2)).min(84)) {
        if depth == 0 {
            let (logical, length) = (word(entry, 0), u64::from(half(entry, 4)).min(MAX_BLOCKS));
            let first = u64::from(word(entry, 8));
            for block in 0..if indexed.is_some() { length } else { 0 } {
                let at = first.saturating_add(block).saturating_mul(shape.block_size);
                let root = indexed == Some(true) && u64::from(logical) + block == 0;
                reseal_names(device, shape, seed, at, root, indexed == Some(true));
            }
        } else if levels > 0 {
            let at = u64::from(word(entry, 4)).saturating_mul(shape.block_size);
            let Some(child) = read(device, at, shape.block_size) else { continue };
            reseal_extents(device, shape, seed, &child, indexed, levels - 1);
            let tail = 12 + 12 * u64::from(half(&child, 4));
            if tail + 4 <= shape.block_size {
                write(device, at + tail, &crc32c(seed, &child[..tail as usize]).to_le_bytes());
            }
        }
    }
}

/// Seals a block of a directory: index entries, or names.
fn reseal_names<D: Device>(device: &mut D, shape: &Shape, seed: u32, at: u64, root: bool, indexed: bool) {
    let Some(bytes) = read(device, at, shape.block_size) else { return };
    let node = indexed && bytes[..4] == [0; 4] && u64::from(half(&bytes, 4)) == shape.block_size;
    if root || node {
        let header = if root { 32 } else { 8 };
        let used = header + usize::from(half(&bytes, header + 2)) * 8;
        let tail = header + usize::from(half(&bytes, header)) * 8;
        if used <= tail && tail + 8 <= bytes.len() {
            let sum = [&bytes[..used], &bytes[tail..tail + 4], &[0; 4]].into_iter().fold(seed, crc32c);
            write(device, at + tail as u64 + 4, &sum.to_le_bytes());
        }
        return;
    }
    let sum = crc32c(seed, &bytes[..bytes.len() - 12]).to_le_bytes();
    let tail = [0, 0, 0, 0, 12, 0, 0, 0xde, sum[0], sum[1], sum[2], sum[3]];
    write(device, at + shape.block_size - 12, &tail);
}

fn read<D: Device>(device: &D, at: u64, length: u64) -> Option<Vec<u8>> {
    at.checked_add(length).filter(|end| *end <= device.size())?;
    let mut bytes = vec![0; length as usize];
    device.read_at(at, &mut bytes).ok()?;
    Some(bytes)
}

fn write<D: Device>(device: &mut D, at: u64, bytes: &[u8]) {
    // Beyond the end there is nothing to seal.
    let _ = device.write_at(at, bytes);
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// CRC-32C without the final inversion.
fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, byte| {
        let low = (crc ^ u32::from(*byte)) & 0xff;
        let folded = (0..8).fold(low, |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 });
        (crc >> 8) ^ folded
    })
}
