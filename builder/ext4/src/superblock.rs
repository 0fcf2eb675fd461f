//! placeholder
/// Superblock.
#[derive(Debug)]
pub struct Superblock {}
#[allow(missing_docs)]
impl Superblock {
    pub fn label(&self) -> &[u8] { &[] }
    pub fn uuid(&self) -> [u8; 16] { [0; 16] }
    /// bytes
    pub fn block_size(&self) -> u32 { 0 }
    pub fn blocks_count(&self) -> u64 { 0 }
    pub fn inodes_count(&self) -> u32 { 0 }
    pub fn inode_size(&self) -> u16 { 0 }
    pub fn descriptor_size(&self) -> u16 { 0 }
    pub fn groups_count(&self) -> u32 { 0 }
    /// names of the features as mke2fs -O spells them
    pub fn features(&self) -> Vec<&'static str> { vec![] }
}
