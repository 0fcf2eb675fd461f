//! The resize inode: a file of the reserved descriptor blocks, so that nothing else takes them.
//!
//! It is block-mapped. Its double-indirect block points at each reserved block behind the primary descriptors; that
//! block in turn is the indirect block whose pointers are the same reserved block behind each backup. A reserved block
//! takes the pointer of its number among all descriptor blocks, modulo the pointers of a block.
//!
//! <https://docs.kernel.org/filesystems/ext4/special_inodes.html> (inode 7)

use super::resize_inode_error;
use crate::{Device, Editor, Result, inode::RESIZE_INODE};

/// Where `i_block` points at the double-indirect block, in bytes.
const DOUBLE_INDIRECT: std::ops::Range<usize> = 52..56;

impl<D: Device> Editor<D> {
    /// Makes the resize inode own the reserved blocks of the present geometry.
    pub(super) fn rebuild_resize_inode(&mut self) -> Result<()> {
        let geometry = self.volume.geometry.clone();
        let mut inode = self.volume.inode(RESIZE_INODE)?;
        let map = self.double_indirect_block(&inode.core.i_block)?;
        let pointers = u64::from(geometry.block_size / 4);
        let descriptors = geometry.descriptor_blocks();
        let table = geometry.superblock_blocks(0).start + 1;
        let backups: Vec<u64> = geometry.backup_groups().map(u64::from).collect();
        let mut double_indirect = vec![0; geometry.block_size as usize];
        for number in descriptors..descriptors + u64::from(geometry.reserved_gdt_blocks) {
            let primary = table + number;
            put_pointer(&mut double_indirect, number % pointers, primary)?;
            let mut indirect = vec![0; geometry.block_size as usize];
            for (i, group) in (0..).zip(&backups) {
                put_pointer(&mut indirect, i, primary + group * u64::from(geometry.blocks_per_group))?;
            }
            self.volume.write_block(primary, indirect);
        }
        self.volume.write_block(map, double_indirect);
        let per_reserved = 1 + backups.len() as u64;
        inode.set_blocks(1 + u64::from(geometry.reserved_gdt_blocks) * per_reserved, geometry.block_size);
        self.volume.inodes.insert(RESIZE_INODE, inode);
        Ok(())
    }

    /// The only block that `i_block` may point at.
    fn double_indirect_block(&self, i_block: &[u8; 60]) -> Result<u64> {
        let mut others = *i_block;
        others[DOUBLE_INDIRECT].fill(0);
        let pointer = i_block[DOUBLE_INDIRECT].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let block = u64::from(pointer);
        if others != [0; 60] || pointer == 0 {
            return Err(resize_inode_error("not made of one double-indirect block"));
        }
        if !self.volume.may_hold_data(&(block..block + 1)) {
            return Err(resize_inode_error("double-indirect block where no file may have any"));
        }
        Ok(block)
    }
}

fn put_pointer(block: &mut [u8], index: u64, pointer: u64) -> Result<()> {
    let slot = block.chunks_exact_mut(4).nth(index as usize);
    let slot = slot.ok_or_else(|| resize_inode_error("more backups than one block can point at"))?;
    slot.copy_from_slice(&(pointer as u32).to_le_bytes());
    Ok(())
}
