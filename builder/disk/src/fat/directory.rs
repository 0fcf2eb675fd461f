//! Directory entries: 32 bytes each, long names in slots before the entry they belong to.
//!
//! Offsets (FAT specification, "FAT Directory Structure"): 0 Name (11 bytes), 11 Attr, 20 FstClusHI, 26 FstClusLO,
//! 28 FileSize.

use super::{le16, le32};

/// Length of an entry in bytes.
pub(super) const ENTRY: usize = 32;
const ATTR_DIRECTORY: u8 = 0x10;
const ATTR_VOLUME_ID: u8 = 0x08;
const ATTR_LONG_NAME: u8 = 0x0F;
const DELETED: u8 = 0xE5;
const DOT: &[u8; 11] = b".          ";
const DOT_DOT: &[u8; 11] = b"..         ";

/// A file or directory, as its short entry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The 8.3 name, for messages.
    pub(super) name: String,
    pub(super) directory: bool,
    pub(super) first_cluster: u32,
    pub(super) size: u32,
}

/// The files and directories of a directory's bytes, without its dot entries and the volume's label.
pub(super) fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry> {
    let slots = bytes.chunks_exact(ENTRY).take_while(|slot| slot.first() != Some(&0));
    let used = slots.filter(|slot| {
        let attributes = slot.get(11).copied().unwrap_or_default();
        slot.first() != Some(&DELETED)
            && attributes & ATTR_VOLUME_ID == 0
            && !slot.starts_with(DOT)
            && !slot.starts_with(DOT_DOT)
    });
    used.map(|slot| {
        let name = slot.get(..11).unwrap_or_default();
        let (base, extension) = name.split_at(name.len().min(8));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let (base, extension) = (text(base), text(extension));
        Entry {
            name: if extension.is_empty() { base } else { format!("{base}.{extension}") },
            directory: slot.get(11).is_some_and(|attributes| attributes & ATTR_DIRECTORY != 0),
            first_cluster: u32::from(le16(slot, 20)) << 16 | u32::from(le16(slot, 26)),
            size: le32(slot, 28),
        }
    })
}

/// The four slots of a new directory as they should be, if they are as fatfs 0.3.6 makes them.
///
/// It gives `.` and `..` long names, which they must not have, and lets the `..` of a directory in the root of a FAT32
/// volume name the root's cluster where 0 is right. `root` is that cluster.
pub(super) fn repaired(slots: &[u8; 4 * ENTRY], root: Option<u32>) -> Option<[u8; 4 * ENTRY]> {
    let slot = |index: usize| slots.chunks_exact(ENTRY).nth(index);
    let (dot, dot_dot) = (slot(1)?, slot(3)?);
    let long_name = |slot: &[u8]| slot.get(11) == Some(&ATTR_LONG_NAME);
    if !long_name(slot(0)?) || !dot.starts_with(DOT) || !long_name(slot(2)?) || !dot_dot.starts_with(DOT_DOT)
    {
        return None;
    }
    let mut repaired = [0; 4 * ENTRY];
    let both = [dot, dot_dot].concat();
    repaired.iter_mut().zip(both).for_each(|(to, from)| *to = from);
    let parent = u32::from(le16(dot_dot, 20)) << 16 | u32::from(le16(dot_dot, 26));
    if Some(parent) == root {
        for at in [20, 21, 26, 27] {
            repaired[ENTRY + at] = 0;
        }
    }
    Some(repaired)
}
