//! Where the bitmaps and inode tables of new groups go.

use crate::geometry::Geometry;

/// First blocks of one group's structures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GroupPlace {
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) inode_table: u64,
}

/// Places the groups from `first` on; `None` if there is no room even group by group.
pub(super) fn place_groups(geometry: &Geometry, first: u32) -> Option<Vec<GroupPlace>> {
    place_in_bands(geometry, first, geometry.groups_per_flex).or_else(|| place_in_bands(geometry, first, 1))
}

/// Places groups in bands of `width`, each of which holds what belongs to its groups.
fn place_in_bands(geometry: &Geometry, first: u32, width: u32) -> Option<Vec<GroupPlace>> {
    let mut places = Vec::new();
    let mut start = first;
    while start < geometry.groups {
        let end = (start / width + 1).saturating_mul(width).min(geometry.groups);
        places.extend(place_band(geometry, start, end)?);
        start = end;
    }
    Some(places)
}

/// All block bitmaps, then all inode bitmaps, then all inode tables of the groups `start..end`.
fn place_band(geometry: &Geometry, start: u32, end: u32) -> Option<Vec<GroupPlace>> {
    let mut cursor = geometry.group_blocks(start).start;
    let limit = geometry.group_blocks(end - 1).end;
    let mut take = |length| {
        let at = past_superblocks(geometry, cursor, length);
        cursor = at + length;
        (cursor <= limit).then_some(at)
    };
    let mut places = vec![GroupPlace::default(); (end - start) as usize];
    for place in &mut places {
        place.block_bitmap = take(1)?;
    }
    for place in &mut places {
        place.inode_bitmap = take(1)?;
    }
    for place in &mut places {
        place.inode_table = take(geometry.inode_table_blocks())?;
    }
    Some(places)
}

/// The first block from `cursor` on at which `length` blocks touch no superblock, descriptor or reserved block.
fn past_superblocks(geometry: &Geometry, cursor: u64, length: u64) -> u64 {
    let mut at = cursor;
    loop {
        let groups = geometry.group_of_block(at)..=geometry.group_of_block(at + length - 1);
        let in_the_way = groups
            .map(|group| geometry.superblock_blocks(group))
            .find(|head| head.start < at + length && at < head.end);
        match in_the_way {
            Some(head) => at = head.end,
            None => return at,
        }
    }
}
