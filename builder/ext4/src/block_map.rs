//! Block maps: the way of ext2 and ext3 to say which blocks hold a file. Read and taken apart here, never made.
//!
//! <https://docs.kernel.org/filesystems/ext4/ifork.html#direct-indirect-block-addressing>

use zerocopy::{FromBytes, little_endian::U32};

use crate::{error::Result, extent::Extent};

/// Pointers of `i_block` to blocks of the file; three more point to maps of one, two and three levels.
const DIRECT: usize = 12;

/// Which blocks hold a file, and which its map.
#[derive(Debug, Default)]
pub(crate) struct BlockMap {
    /// Ascending in the file; neighbours are not joined.
    pub(crate) extents: Vec<Extent>,
    /// Blocks of the map itself.
    pub(crate) nodes: Vec<u64>,
    /// The first block of the file that is not decided yet.
    next: u64,
}

impl BlockMap {
    /// Reads the map that begins in `i_block`.
    ///
    /// `read` gives the bytes of a block of the map, and errs on a block that cannot be one; it is also asked to
    /// count, so that a map that points at itself ends. `block_size` is in bytes.
    pub(crate) fn read(
        i_block: &[u8; 60],
        block_size: u32,
        mut read: impl FnMut(u64) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let mut map = Self::default();
        let pointers = pointers(i_block);
        for (i, pointer) in pointers.into_iter().enumerate() {
            map.descend(pointer, (i + 1).saturating_sub(DIRECT) as u32, block_size, &mut read)?;
        }
        Ok(map)
    }

    /// Takes in what `pointer` leads to through `levels` of map blocks.
    fn descend(
        &mut self,
        pointer: u64,
        levels: u32,
        block_size: u32,
        read: &mut impl FnMut(u64) -> Result<Vec<u8>>,
    ) -> Result<()> {
        if pointer == 0 {
            self.next += u64::from(block_size / 4).pow(levels);
        } else if levels == 0 {
            // Blocks past the 32-bit range cannot be reached by any file; they are left out, not wrapped.
            if let Ok(logical) = u32::try_from(self.next) {
                self.extents.push(Extent { logical, physical: pointer, length: 1, written: true });
            }
            self.next += 1;
        } else {
            let bytes = read(pointer)?;
            self.nodes.push(pointer);
            for below in pointers(&bytes) {
                self.descend(below, levels - 1, block_size, read)?;
            }
        }
        Ok(())
    }
}

fn pointers(bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks_exact(4)
        .filter_map(|word| U32::read_from_bytes(word).ok())
        .map(|word| word.get().into())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(pointers: &[u32]) -> Vec<u8> {
        let mut bytes: Vec<u8> = pointers.iter().flat_map(|pointer| pointer.to_le_bytes()).collect();
        bytes.resize(1024, 0);
        bytes
    }

    #[test]
    fn three_levels_are_followed_and_holes_skipped() {
        let mut i_block = [0; 60];
        for (at, pointer) in [(0, 7u32), (11, 8), (12, 20), (13, 21)] {
            i_block[4 * at..4 * at + 4].copy_from_slice(&pointer.to_le_bytes());
        }
        let map = BlockMap::read(&i_block, 1024, |number| {
            Ok(match number {
                20 => block(&[0, 9]),
                21 => block(&[0, 22]),
                22 => block(&[10]),
                _ => panic!("block {number} is no map"),
            })
        });
        let map = map.unwrap();
        let found: Vec<_> = map.extents.iter().map(|extent| (extent.logical, extent.physical)).collect();
        assert_eq!(found, [(0, 7), (11, 8), (13, 9), (12 + 256 + 256, 10)]);
        assert_eq!(map.nodes, [20, 21, 22]);
    }
}
