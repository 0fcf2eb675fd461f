//! The file system as it reads with all edits applied: checked access to blocks, inodes, descriptors and mappings.

use std::{cell::RefCell, collections::BTreeMap, ops::Range};

use crate::{
    Device, Superblock, Xattrs,
    checksum::inode_seed,
    directory::Directories,
    error::{CorruptKind, Error, Result},
    features,
    geometry::Geometry,
    group_descriptor::{BLOCK_UNINIT, GroupDescriptor, INODE_UNINIT},
    hash::{Algorithm, Hasher},
    htree::Format,
    inode::{Damage, FLAG_INLINE_DATA, Inode},
    superblock::{SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE},
    xattr,
};

/// A file system on a device, under the edits that are not written yet.
#[derive(Debug)]
pub(crate) struct Volume<D> {
    pub(crate) device: D,
    pub(crate) superblock: Superblock,
    pub(crate) geometry: Geometry,
    /// The seed of all metadata checksums, if the file system has them.
    pub(crate) seed: Option<u32>,
    pub(crate) groups: Vec<GroupDescriptor>,
    /// Blocks of the file system's own structures, ascending and disjoint: no file may hold them.
    pub(crate) system: Vec<Range<u64>>,
    /// Blocks to be written.
    pub(crate) blocks: BTreeMap<u64, Vec<u8>>,
    /// Inodes to be written.
    pub(crate) inodes: BTreeMap<u32, Inode>,
    /// Directories that were read, changed or made.
    pub(crate) directories: RefCell<Directories>,
}

impl<D: Device> Volume<D> {
    /// Reads and checks superblock and descriptors; refuses what must not be edited.
    pub(crate) fn open(device: D) -> Result<Self> {
        let mut bytes = [0; SUPERBLOCK_SIZE];
        if device.size() < SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE as u64 {
            return Err(Error::NotExt4 { magic: 0 });
        }
        device.read_at(SUPERBLOCK_OFFSET, &mut bytes)?;
        let superblock = Superblock::decode(&bytes)?;
        let geometry = Geometry::of(&superblock);
        let (blocks, block_size) = (geometry.blocks_count, u64::from(geometry.block_size));
        if device.size() / block_size < blocks {
            return Err(CorruptKind::DeviceTooSmall { blocks, block_size, device: device.size() }.into());
        }
        let mut volume = Self {
            device,
            seed: superblock.checksum_seed(),
            superblock,
            geometry,
            groups: Vec::new(),
            system: Vec::new(),
            blocks: BTreeMap::new(),
            inodes: BTreeMap::new(),
            directories: RefCell::default(),
        };
        volume.read_descriptors()?;
        volume.system = volume.system_blocks();
        volume.check_journal()?;
        Ok(volume)
    }

    fn read_descriptors(&mut self) -> Result<()> {
        let geometry = &self.geometry;
        let size = geometry.descriptor_size as usize;
        let seal = self.superblock.descriptor_seal();
        let head = geometry.superblock_blocks(0);
        if head.end > geometry.group_blocks(0).end {
            return Err(CorruptKind::Superblock { field: "s_reserved_gdt_blocks", value: head.end }.into());
        }
        let mut bytes = vec![0; geometry.groups as usize * size];
        self.device.read_at(geometry.byte(head.start + 1), &mut bytes)?;
        for (group, slot) in (0..).zip(bytes.chunks_exact(size)) {
            let descriptor = GroupDescriptor::decode(slot, group, seal)
                .ok_or(CorruptKind::DescriptorChecksum { group })?;
            self.check_descriptor(group, &descriptor)?;
            self.groups.push(descriptor);
        }
        Ok(())
    }

    fn check_descriptor(&self, group: u32, descriptor: &GroupDescriptor) -> Result<()> {
        let geometry = &self.geometry;
        let places = [
            ("bg_block_bitmap", descriptor.block_bitmap, 1),
            ("bg_inode_bitmap", descriptor.inode_bitmap, 1),
            ("bg_inode_table", descriptor.inode_table, geometry.inode_table_blocks()),
        ];
        for (field, value, length) in places {
            if value <= geometry.first_data_block || value.saturating_add(length) > geometry.blocks_count {
                return Err(CorruptKind::Descriptor { group, field, value }.into());
            }
        }
        let blocks = geometry.group_blocks(group);
        let inodes = geometry.inodes_per_group;
        let counts = [
            ("bg_free_blocks_count", descriptor.free_blocks_count, (blocks.end - blocks.start) as u32),
            ("bg_free_inodes_count", descriptor.free_inodes_count, inodes),
            ("bg_used_dirs_count", descriptor.used_dirs_count, inodes),
            ("bg_itable_unused", descriptor.itable_unused, inodes),
            ("bg_flags", u32::from(descriptor.flags & (INODE_UNINIT | BLOCK_UNINIT)), self.uninit_flags()),
        ];
        match counts.into_iter().find(|(_, value, most)| value > most) {
            Some((field, value, _)) => {
                Err(CorruptKind::Descriptor { group, field, value: value.into() }.into())
            }
            None => Ok(()),
        }
    }

    /// The flags that descriptors may carry to leave bitmaps uninitialised.
    fn uninit_flags(&self) -> u32 {
        if self.superblock.has_uninit() { u32::from(INODE_UNINIT | BLOCK_UNINIT) } else { 0 }
    }

    /// The blocks of superblocks, descriptors, bitmaps and inode tables.
    pub(crate) fn system_blocks(&self) -> Vec<Range<u64>> {
        let table = self.geometry.inode_table_blocks();
        let mut ranges: Vec<Range<u64>> = (0..)
            .zip(&self.groups)
            .flat_map(|(group, descriptor)| {
                [
                    self.geometry.superblock_blocks(group),
                    descriptor.block_bitmap..descriptor.block_bitmap + 1,
                    descriptor.inode_bitmap..descriptor.inode_bitmap + 1,
                    descriptor.inode_table..descriptor.inode_table + table,
                ]
            })
            .filter(|range| !range.is_empty())
            .collect();
        ranges.sort_by_key(|range| (range.start, range.end));
        ranges.dedup_by(|next, last| {
            let touches = next.start <= last.end;
            if touches {
                last.end = last.end.max(next.end);
            }
            touches
        });
        ranges
    }

    /// The system's blocks that overlap `range`.
    pub(crate) fn system_within(&self, range: &Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let from = self.system.partition_point(|each| each.end <= range.start);
        let (start, end) = (range.start, range.end);
        self.system
            .iter()
            .skip(from)
            .take_while(move |each| each.start < end)
            .map(move |each| each.start.max(start)..each.end.min(end))
    }

    /// Refuses a block number outside the file system.
    fn check_block(&self, block: u64) -> Result<()> {
        if (self.geometry.first_data_block..self.geometry.blocks_count).contains(&block) {
            Ok(())
        } else {
            Err(CorruptKind::BlockRange { block }.into())
        }
    }

    /// The bytes of a block of metadata.
    pub(crate) fn read_block(&self, block: u64) -> Result<Vec<u8>> {
        self.check_block(block)?;
        if let Some(bytes) = self.blocks.get(&block) {
            return Ok(bytes.clone());
        }
        let mut bytes = vec![0; self.geometry.block_size as usize];
        self.device.read_at(self.geometry.byte(block), &mut bytes)?;
        Ok(bytes)
    }

    /// Keeps the bytes of a block of metadata until they are written.
    pub(crate) fn write_block(&mut self, block: u64, bytes: Vec<u8>) {
        self.blocks.insert(block, bytes);
    }

    /// The descriptor of `group`.
    pub(crate) fn group(&self, group: u32) -> Result<&GroupDescriptor> {
        let missing = CorruptKind::GroupRange { group, groups: self.groups.len() as u32 };
        Ok(self.groups.get(group as usize).ok_or(missing)?)
    }

    /// The descriptor of `group`, to be changed.
    pub(crate) fn group_mut(&mut self, group: u32) -> Result<&mut GroupDescriptor> {
        let missing = CorruptKind::GroupRange { group, groups: self.groups.len() as u32 };
        Ok(self.groups.get_mut(group as usize).ok_or(missing)?)
    }

    /// The byte on the device at which the slot of an inode begins.
    pub(crate) fn inode_byte(&self, number: u32) -> Result<u64> {
        let (group, index) = if number == 0 { (u32::MAX, 0) } else { self.geometry.place_of_inode(number) };
        let descriptor = self.groups.get(group as usize).ok_or(CorruptKind::InodeRange { inode: number })?;
        let within = u64::from(index) * u64::from(self.geometry.inode_size);
        Ok(self.geometry.byte(descriptor.inode_table) + within)
    }

    /// The inode, which must be in use.
    pub(crate) fn inode(&self, number: u32) -> Result<Inode> {
        let at = self.inode_byte(number)?;
        let inode = match self.inodes.get(&number) {
            Some(inode) => inode.clone(),
            None => {
                let mut bytes = vec![0; self.geometry.inode_size as usize];
                self.device.read_at(at, &mut bytes)?;
                Inode::decode(&bytes, number, self.seed).map_err(|damage| match damage {
                    Damage::Checksum => CorruptKind::InodeChecksum { inode: number },
                    Damage::ExtraSize(value) => {
                        CorruptKind::Inode { inode: number, field: "i_extra_isize", value: value.into() }
                    }
                })?
            }
        };
        if inode.core.i_links_count == 0 && inode.core.i_mode == 0 {
            return Err(CorruptKind::InodeNotInUse { inode: number }.into());
        }
        if inode.has_flag(FLAG_INLINE_DATA) {
            let value = inode.core.i_flags.get().into();
            return Err(CorruptKind::Inode { inode: number, field: "i_flags", value }.into());
        }
        // Blocks of a file have 32-bit numbers.
        if inode.size() > self.geometry.byte(1 << 32) {
            return Err(CorruptKind::Inode { inode: number, field: "i_size", value: inode.size() }.into());
        }
        Ok(inode)
    }

    /// The seed of what belongs to one inode.
    pub(crate) fn inode_seed(&self, number: u32, inode: &Inode) -> Option<u32> {
        self.seed.map(|seed| inode_seed(seed, number, inode.core.i_generation.get()))
    }

    /// The bytes of a block of extended attributes.
    pub(crate) fn xattr_block(&self, number: u32, block: u64) -> Result<Vec<u8>> {
        if !self.may_hold_data(&(block..block + 1)) {
            return Err(
                CorruptKind::Xattr { inode: number, reason: "block where no file may have any" }.into()
            );
        }
        let bytes = self.read_block(block)?;
        if self.seed.is_some_and(|seed| !xattr::verify(&bytes, block, seed)) {
            return Err(
                CorruptKind::Xattr { inode: number, reason: "checksum of the block does not match" }.into()
            );
        }
        Ok(bytes)
    }

    /// All extended attributes of an inode.
    pub(crate) fn xattrs(&self, number: u32, inode: &Inode) -> Result<Xattrs> {
        let corrupt = |reason| CorruptKind::Xattr { inode: number, reason };
        let mut xattrs = Xattrs::new();
        xattr::decode_inode(inode.xattr_area(), &mut xattrs).map_err(corrupt)?;
        if inode.file_acl() != 0 {
            xattr::decode_block(&self.xattr_block(number, inode.file_acl())?, &mut xattrs)
                .map_err(corrupt)?;
        }
        Ok(xattrs)
    }

    /// How the blocks of a directory are laid out.
    pub(crate) fn directory_format(&self, number: u32, inode: &Inode) -> Format {
        let algorithm = Algorithm::from_number(self.superblock.s_def_hash_version);
        let hasher = algorithm.filter(|_| self.superblock.has(features::DIR_INDEX)).map(|algorithm| Hasher {
            algorithm,
            unsigned: self.superblock.hash_is_unsigned(),
            seed: self.superblock.s_hash_seed.map(|word| word.get()),
        });
        Format { block_size: self.geometry.block_size as usize, hasher, seed: self.inode_seed(number, inode) }
    }
}
