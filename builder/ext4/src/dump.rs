//! The file system in words, for people and for snapshot tests. One line per fact, the same for the same file system.

use std::{fmt::Write, ops::RangeInclusive};

use crate::{
    Device, Editor, Error, FileType, Result, Superblock,
    group_descriptor::{BLOCK_UNINIT, INODE_UNINIT, INODE_ZEROED},
    inode::FLAG_INDEX,
};

/// The superblock.
pub fn superblock(superblock: &Superblock) -> String {
    let uuid: String = superblock.uuid().iter().map(|byte| format!("{byte:02x}")).collect();
    lines([
        ("label", superblock.label().escape_ascii().to_string()),
        ("uuid", uuid),
        ("features", superblock.features().join(" ")),
        ("block size", superblock.block_size().to_string()),
        ("blocks", superblock.blocks_count().to_string()),
        ("blocks free", superblock.free_blocks_count().to_string()),
        ("blocks reserved", superblock.r_blocks_count().to_string()),
        ("blocks per group", superblock.s_blocks_per_group.to_string()),
        ("inodes", superblock.inodes_count().to_string()),
        ("inodes free", superblock.s_free_inodes_count.to_string()),
        ("inodes per group", superblock.s_inodes_per_group.to_string()),
        ("inode size", superblock.inode_size().to_string()),
        ("groups", superblock.groups_count().to_string()),
        ("descriptor size", superblock.descriptor_size().to_string()),
        ("reserved descriptor blocks", superblock.s_reserved_gdt_blocks.to_string()),
        ("hash version", superblock.s_def_hash_version.to_string()),
        ("written", superblock.wtime().to_string()),
    ])
}

/// The groups with their places and what is free in them, as edited so far.
pub fn groups<D: Device>(editor: &Editor<D>) -> String {
    let geometry = &editor.volume.geometry;
    let flags =
        [(INODE_UNINIT, "INODE_UNINIT"), (BLOCK_UNINIT, "BLOCK_UNINIT"), (INODE_ZEROED, "ITABLE_ZEROED")];
    let mut text = String::new();
    for (group, descriptor) in (0..).zip(&editor.volume.groups) {
        let blocks = geometry.group_blocks(group);
        let names: Vec<_> =
            flags.iter().filter(|(flag, _)| descriptor.has_flag(*flag)).map(|(_, name)| *name).collect();
        let table = descriptor.inode_table..=descriptor.inode_table + geometry.inode_table_blocks() - 1;
        push(
            &mut text,
            format_args!(
                "group {group}: blocks {} [{}]",
                span(blocks.start..=blocks.end - 1),
                names.join(" ")
            ),
        );
        if geometry.has_superblock(group) {
            let head = geometry.superblock_blocks(group);
            let reserved = geometry.reserved_gdt_blocks;
            push(
                &mut text,
                format_args!(
                    "  superblock and descriptors {} ({reserved} reserved)",
                    span(head.start..=head.end - 1)
                ),
            );
        }
        push(
            &mut text,
            format_args!(
                "  block bitmap {}, inode bitmap {}",
                descriptor.block_bitmap, descriptor.inode_bitmap
            ),
        );
        push(
            &mut text,
            format_args!("  inode table {} ({} never used)", span(table), descriptor.itable_unused),
        );
        push(
            &mut text,
            format_args!(
                "  {} blocks free, {} inodes free, {} directories",
                descriptor.free_blocks_count, descriptor.free_inodes_count, descriptor.used_dirs_count
            ),
        );
    }
    text
}

/// What is at `path`: attributes, mapping, extended attributes.
pub fn inode<D: Device>(editor: &Editor<D>, path: &[u8]) -> Result<String> {
    let metadata = editor.metadata(path)?.ok_or_else(|| Error::NotFound(path.to_vec()))?;
    let mut text = lines([
        ("inode", metadata.inode.to_string()),
        ("type", kind(metadata.file_type).to_owned()),
        ("mode", format!("{:04o}", metadata.mode)),
        ("owner", format!("{}:{}", metadata.uid, metadata.gid)),
        ("size", metadata.size.to_string()),
        ("links", metadata.links.to_string()),
        ("sectors", metadata.sectors.to_string()),
        ("flags", format!("{:#x}", metadata.flags)),
        ("modified", format!("{}.{:09}", metadata.mtime, metadata.mtime_nanoseconds)),
    ]);
    let inode = editor.volume.inode(metadata.inode)?;
    if let Some((major, minor)) = metadata.device {
        push(&mut text, format_args!("device: {major}:{minor}"));
    }
    if metadata.file_type == FileType::Symlink {
        push(&mut text, format_args!("target: {}", editor.read_link(path)?.escape_ascii()));
    }
    if inode.has_mapping() {
        let mapping = editor.volume.mapping(metadata.inode, &inode)?;
        for node in mapping.nodes {
            push(&mut text, format_args!("map block: {node}"));
        }
        for extent in mapping.extents {
            let file = span(u64::from(extent.logical)..=extent.end() - 1);
            let device = span(extent.physical..=extent.physical + u64::from(extent.length) - 1);
            push(
                &mut text,
                format_args!("extent: {file} at {device}{}", if extent.written { "" } else { ", unwritten" }),
            );
        }
    }
    for (name, value) in editor.xattrs(path)? {
        push(&mut text, format_args!("xattr: {}={}", name.escape_ascii(), value.escape_ascii()));
    }
    Ok(text)
}

/// The directory at `path`: how it lies on disk, then its entries by name.
pub fn directory<D: Device>(editor: &Editor<D>, path: &[u8]) -> Result<String> {
    let entries = editor.read_directory(path)?;
    let (number, inode) = editor.volume.find(path)?;
    let layout = if inode.has_flag(FLAG_INDEX) { "indexed" } else { "linear" };
    let blocks = inode.size() / u64::from(editor.volume.geometry.block_size);
    let mut text = String::new();
    push(&mut text, format_args!("directory {number}: {} entries, {blocks} blocks, {layout}", entries.len()));
    for entry in entries {
        push(
            &mut text,
            format_args!("{:>10} {} {}", entry.inode, kind(entry.file_type), entry.name.escape_ascii()),
        );
    }
    Ok(text)
}

fn kind(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Regular => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharDevice => "character-device",
        FileType::BlockDevice => "block-device",
    }
}

fn span(blocks: RangeInclusive<u64>) -> String {
    format!("{}-{}", blocks.start(), blocks.end())
}

fn lines<const N: usize>(facts: [(&str, String); N]) -> String {
    facts.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
