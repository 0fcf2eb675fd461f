//! Damage, one kind at a time: the error names the structure, and nothing hangs, panics or eats memory.

use std::collections::BTreeMap;

use imgforge_ext4::{Attributes, Device, Editor, Error};

use crate::{
    disk::Disk,
    fixture::{
        BLOCK_MAPS, BLOCKS_1K, DEFAULT, EPOCH, NO_CHECKSUMS, Stage, altered_by, content, debugged, pattern,
        vendor_tree, xattrs,
    },
    oracle::{Stored, debugfs},
};

/// Byte offsets of what is to be damaged, as debugfs tells them; blocks of 1 KiB.
struct Anatomy {
    disk: Disk,
    stored: Stored,
}

impl Anatomy {
    fn of(disk: Disk) -> Self {
        Self { stored: Stored::new(&disk), disk }
    }

    /// The inode of `path`.
    fn inode(&self, path: &str) -> u64 {
        let said = debugfs::ask(self.stored.path(), &format!("imap {path}"));
        let hexadecimal = said.split_once("offset 0x").unwrap().1.trim();
        let within = u64::from_str_radix(hexadecimal, 16).unwrap();
        debugfs::number(&said, "located at block") * 1024 + within
    }

    /// Logical block `number` of `path`.
    fn block(&self, path: &str, number: u64) -> u64 {
        debugfs::number(&debugfs::ask(self.stored.path(), &format!("bmap {path} {number}")), "") * 1024
    }

    /// The block with the extended attributes of `path`.
    fn xattr_block(&self, path: &str) -> u64 {
        debugfs::number(&debugfs::ask(self.stored.path(), &format!("stat {path}")), "File ACL:") * 1024
    }

    /// A field of the descriptor of group 0 (offset in the descriptor), as a block number.
    fn descriptor_block(&self, field: u64) -> u64 {
        u64::from(u32::from_le_bytes(self.disk.bytes(2048 + field, 4).try_into().unwrap())) * 1024
    }

    fn damaged(&self, offset: u64, bytes: &[u8]) -> Disk {
        let mut disk = self.disk.clone();
        disk.write_at(offset, bytes).unwrap();
        disk
    }
}

/// A tree with something of every structure: long files in crumbs, an indexed directory, attributes in a block.
fn rich(format: &crate::fixture::Format) -> Anatomy {
    let stage = vendor_tree();
    for number in 0..400 {
        stage.file(&format!("crumb-{number}"), &pattern(number as u8, 1024), 0o600);
    }
    let disk = altered_by(&format.make_from(stage.path()), "e2fsck", &["-fyD"]);
    let crumbs: String = (0..400).step_by(2).map(|number| format!("rm /crumb-{number}\n")).collect();
    let disk = debugged(&disk, &crumbs);
    let source = Stage::new();
    let large = source.file("large", &pattern(1, 190 * 1024), 0o600).at(b"large");
    let value = "v".repeat(600);
    let script = format!(
        "write {} /large\nea_set /large user.large {value}\nea_set /large user.s s\n",
        large.display()
    );
    Anatomy::of(debugged(&disk, &script))
}

/// All that an editor can be asked about the tree; the first error ends it.
fn ask_everything(editor: &mut Editor<Disk>) -> Result<(), Error> {
    let mut pending = vec![b"/".to_vec()];
    while let Some(path) = pending.pop() {
        assert!(path.len() < 4000, "a directory leads back to itself");
        editor.xattrs(&path)?;
        let metadata = editor.metadata(&path)?.unwrap();
        match metadata.file_type {
            imgforge_ext4::FileType::Directory => {
                for entry in editor.read_directory(&path)? {
                    pending.push([&path, &b"/"[..], &entry.name].concat());
                }
            }
            imgforge_ext4::FileType::Regular => drop(editor.read_file(&path)?),
            imgforge_ext4::FileType::Symlink => drop(editor.read_link(&path)?),
            _ => {}
        }
    }
    editor.set_attributes(b"/large", &xattrs(&[("user.other", b"")]))?;
    editor.write_file(b"/new", &content(&pattern(1, 3000)), &DEFAULT)?;
    editor.remove(b"/large")?;
    editor.remove_all(b"/many")
}

/// Fails unless `disk` is found to be corrupt, on opening or later, with every one of `words` in the message.
#[track_caller]
fn assert_corrupt(disk: Disk, words: &[&str]) {
    let error = Editor::open(disk, EPOCH).and_then(|mut editor| {
        ask_everything(&mut editor)?;
        editor.commit()
    });
    match error {
        Ok(_) => panic!("{words:?}: nobody noticed"),
        Err(error) => {
            assert!(matches!(error, Error::Corrupt(_)), "{error:?}");
            for word in words {
                assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
            }
        }
    }
}

#[test]
fn every_checksum_is_verified() {
    let anatomy = rich(&BLOCKS_1K);
    let mut undamaged = Editor::open(anatomy.disk.clone(), EPOCH).unwrap();
    ask_everything(&mut undamaged).unwrap();
    let large = anatomy.inode("/large");
    let extent_block = {
        let root = anatomy.disk.bytes(large + 0x28 + 12, 12);
        u64::from(u32::from_le_bytes(root[4..8].try_into().unwrap())) * 1024
    };
    for (offset, words) in [
        (anatomy.descriptor_block(0) + 500, ["block bitmap", "checksum"]),
        (anatomy.descriptor_block(4) + 30, ["inode bitmap", "checksum"]),
        (large + 8, ["inode", "checksum"]),
        (extent_block + 20, ["extent", "checksum"]),
        (anatomy.block("/etc", 0) + 40, ["directory", "checksum"]),
        (anatomy.block("/many", 0) + 0x30, ["directory", "checksum"]),
        (anatomy.block("/many", 1) + 60, ["directory", "checksum"]),
        (anatomy.xattr_block("/large") + 900, ["attributes", "checksum"]),
    ] {
        let mut disk = anatomy.disk.clone();
        disk.alter(offset, |byte| byte ^ 0x10);
        assert_corrupt(disk, &words);
    }
}

/// A node of an extent tree: header, then entries of three words.
fn extent_node(entries: u16, max: u16, depth: u16, rest: &[[u32; 3]]) -> Vec<u8> {
    let header = [0xf30a_u16, entries, max, depth, 0, 0].map(u16::to_le_bytes).concat();
    [header, rest.as_flattened().iter().flat_map(|word| word.to_le_bytes()).collect()].concat()
}

#[test]
fn extent_trees_are_checked() {
    let anatomy = rich(&NO_CHECKSUMS);
    let (inode, block) = (anatomy.inode("/large"), anatomy.block("/crumb-1", 0));
    let number = (block / 1024) as u32;
    // An extent: first logical block; length and high half of the block number; low half.
    // An index entry: first logical block; low half of the child's number; high half.
    let roots = BTreeMap::from([
        ("wrong magic", vec![0; 12]),
        ("more entries than room", extent_node(5, 4, 0, &[])),
        ("room that is not there", extent_node(1, 400, 0, &[[0, 1, number]])),
        ("deeper than five levels", extent_node(1, 4, 6, &[[0, number, 0]])),
        ("overlapping extents", extent_node(2, 4, 0, &[[0, 4, number], [2, 4, number + 8]])),
        ("extents in the wrong order", extent_node(2, 4, 0, &[[9, 1, number], [2, 1, number + 8]])),
        ("an extent without length", extent_node(1, 4, 0, &[[0, 0, number]])),
        ("an extent beyond the last block", extent_node(1, 4, 0, &[[0, 8, 16_380]])),
        ("an extent far beyond", extent_node(1, 4, 0, &[[0, 8 | 0xffff_0000, u32::MAX]])),
        ("an extent past the last logical block", extent_node(1, 4, 0, &[[u32::MAX, 8, number]])),
        ("an index without entries", extent_node(0, 4, 1, &[])),
        ("a child beyond the last block", extent_node(1, 4, 1, &[[0, u32::MAX, 0]])),
        ("a child that is no node", extent_node(1, 4, 1, &[[0, number, 0]])),
        ("an extent over the superblock", extent_node(1, 4, 0, &[[0, 1, 1]])),
        ("an extent over the inode table", extent_node(1, 4, 0, &[[0, 1, (inode / 1024) as u32]])),
    ]);
    for (damage, root) in roots {
        println!("{damage}");
        assert_corrupt(anatomy.damaged(inode + 0x28, &root), &[]);
    }

    // A node that is its own child: as deep as the root says, or one less.
    for depth in [1, 2, 5] {
        for below in [depth, depth - 1] {
            let mut disk = anatomy.damaged(inode + 0x28, &extent_node(1, 4, depth, &[[0, number, 0]]));
            disk.write_at(block, &extent_node(1, 84, below, &[[0, number, 0]])).unwrap();
            assert_corrupt(disk, &[]);
        }
    }
    // Many ways to the same node: 4 × 84 × 84 × … must not be walked.
    let entries: Vec<[u32; 3]> = (0..84).map(|entry| [entry * 1000, number, 0]).collect();
    let mut disk =
        anatomy.damaged(inode + 0x28, &extent_node(4, 4, 5, &[0, 1, 2, 3].map(|at| [at << 20, number, 0])));
    disk.write_at(block, &extent_node(84, 84, 4, &entries)).unwrap();
    assert_corrupt(disk, &["extent"]);
}

#[test]
fn block_maps_are_checked() {
    let anatomy = rich(&BLOCK_MAPS);
    // mke2fs made this one, before the file system got extents.
    let inode = anatomy.inode("/usr/bin/tool");
    let number =
        |at: u64| u32::from_le_bytes(anatomy.disk.bytes(inode + 0x28 + at * 4, 4).try_into().unwrap());
    let indirect = number(12);
    assert_ne!(indirect, 0);
    for (at, value) in [(0, u32::MAX), (0, 1), (12, u32::MAX), (12, 1), (14, 1 << 20)] {
        assert_corrupt(anatomy.damaged(inode + 0x28 + at * 4, &value.to_le_bytes()), &[]);
    }
    // Indirect blocks that name themselves, on every level: read in bounded time, never given back twice.
    for at in [12, 13, 14] {
        let mut disk = anatomy.damaged(inode + 0x28 + at * 4, &indirect.to_le_bytes());
        disk.write_at(u64::from(indirect) * 1024, &indirect.to_le_bytes().repeat(256)).unwrap();
        let mut editor = Editor::open(disk, EPOCH).unwrap();
        let _ = editor.read_file(b"/usr/bin/tool");
        assert!(matches!(editor.remove_all(b"/usr"), Err(Error::Corrupt(_))));
    }
}

#[test]
fn directory_records_are_checked() {
    let anatomy = rich(&NO_CHECKSUMS);
    let etc = anatomy.block("/etc", 0);
    // ".", "..", then the first name at 24: inode, length of the record, length of the name, type, name.
    let third = etc + 24;
    let cases: &[(&str, u64, &[u8])] = &[
        ("a record without length", third + 4, &[0, 0]),
        ("a record shorter than its header", third + 4, &[4, 0]),
        ("a length that is no multiple of four", third + 4, &[13, 0]),
        ("a record longer than the block", third + 4, &[0xfc, 0xff]),
        ("a name longer than its record", third + 6, &[255]),
        ("a name without length", third + 6, &[0]),
        ("a slash in a name", third + 9, b"/"),
        ("a zero in a name", third + 9, &[0]),
        ("an inode that does not exist", third, &u32::MAX.to_le_bytes()),
        ("an inode that is reserved", third, &5_u32.to_le_bytes()),
        ("an inode that is not in use", third, &4000_u32.to_le_bytes()),
        ("no dot", etc + 8, b"x"),
        ("no dot dot", etc + 12 + 8, b"xx"),
        ("dot of another inode", etc, &2_u32.to_le_bytes()),
    ];
    for (damage, offset, bytes) in cases {
        println!("{damage}");
        assert_corrupt(anatomy.damaged(*offset, bytes), &[]);
    }
}

#[test]
fn a_directory_that_contains_itself_ends() {
    let anatomy = rich(&NO_CHECKSUMS);
    let root = 2_u32.to_le_bytes();
    let third = anatomy.block("/etc", 0) + 24;
    let mut editor = Editor::open(anatomy.damaged(third, &root), EPOCH).unwrap();
    let name = editor.read_directory(b"/etc").unwrap().remove(0).name;
    let loops = b"/etc/".iter().chain(&name).copied().collect::<Vec<u8>>();
    let _ = editor.metadata(&loops.repeat(500));
    assert!(matches!(editor.remove_all(b"/etc"), Err(Error::Corrupt(_))));
}

#[test]
fn inodes_are_checked() {
    let anatomy = rich(&NO_CHECKSUMS);
    let (file, directory, link) =
        (anatomy.inode("/large"), anatomy.inode("/etc"), anatomy.inode("/etc/long"));
    let cases: &[(&str, u64, &[u8])] = &[
        ("a mode of no known type", file, &[0, 0]),
        ("a directory of 2^60 bytes", directory + 0x6c, &(1_u32 << 28).to_le_bytes()),
        ("a directory without blocks", directory + 4, &0_u32.to_le_bytes()),
        ("a symbolic link of 2^40 bytes", link + 0x6c, &(1_u32 << 8).to_le_bytes()),
        ("a symbolic link longer than a block", link + 4, &5000_u32.to_le_bytes()),
        ("more extra fields than the inode has", file + 0x80, &[0xff, 0xff]),
    ];
    for (damage, offset, bytes) in cases {
        println!("{damage}");
        assert_corrupt(anatomy.damaged(*offset, bytes), &["inode"]);
    }
}

#[test]
fn a_file_said_to_be_larger_than_memory_is_not_read_into_it() {
    let anatomy = rich(&NO_CHECKSUMS);
    // The sign bit of a length, which no file can have.
    let negative = anatomy.damaged(anatomy.inode("/large") + 0x6c, &u32::MAX.to_le_bytes());
    assert!(Editor::open(negative, EPOCH).unwrap().read_file(b"/large").is_err());
    // 2^41 bytes, nearly all of them a hole: that may well be.
    let disk = anatomy.damaged(anatomy.inode("/large") + 0x6c, &(1_u32 << 9).to_le_bytes());
    let editor = Editor::open(disk, EPOCH).unwrap();
    assert!(editor.read_file(b"/large").is_err());
    let mut end = [1; 100];
    assert_eq!(editor.read_file_at(b"/large", 1 << 41, &mut end).unwrap(), 100);
    assert_eq!(end, [0; 100]);
}

#[test]
fn extended_attributes_are_checked() {
    let anatomy = rich(&NO_CHECKSUMS);
    let block = anatomy.xattr_block("/large");
    // After the inode's 128 bytes and i_extra_isize: magic, then entries.
    let extra = u64::from(anatomy.disk.bytes(anatomy.inode("/large") + 0x80, 1)[0]);
    let inside = anatomy.inode("/large") + 128 + extra;
    assert_eq!(anatomy.disk.bytes(inside, 4), 0xea02_0000_u32.to_le_bytes());
    for (first, what) in [(block + 32, "block"), (inside + 4, "inode")] {
        let cases: &[(&str, u64, &[u8])] = &[
            ("a name index nobody knows", first + 1, &[99]),
            ("a value before the area", first + 2, &[0xff, 0xff]),
            ("a value in another inode", first + 4, &[1, 0, 0, 0]),
            ("a value larger than the area", first + 8, &u32::MAX.to_le_bytes()),
            ("a value over the end", first + 8, &2000_u32.to_le_bytes()),
        ];
        for (damage, offset, bytes) in cases {
            println!("{damage} in the {what}");
            assert_corrupt(anatomy.damaged(*offset, bytes), &["attributes"]);
        }
    }
    let cases: &[(&str, u64, &[u8])] = &[
        ("a name that runs out of the inode", inside + 4, &[255]),
        ("no magic", block, &[0; 4]),
        ("no references", block + 4, &[0; 4]),
        ("two blocks", block + 8, &[2, 0, 0, 0]),
    ];
    for (damage, offset, bytes) in cases {
        println!("{damage}");
        assert_corrupt(anatomy.damaged(*offset, bytes), &["attributes"]);
    }
    let beyond = anatomy.damaged(anatomy.inode("/large") + 0x68, &u32::MAX.to_le_bytes());
    assert_corrupt(beyond, &["block"]);
}

#[test]
fn descriptors_are_checked() {
    let anatomy = rich(&NO_CHECKSUMS);
    for (field, name) in [(0, "block_bitmap"), (4, "inode_bitmap"), (8, "inode_table")] {
        for block in [0, 1, 16_384, u32::MAX] {
            assert_corrupt(anatomy.damaged(2048 + field, &block.to_le_bytes()), &["group 0", name]);
        }
    }
    // Free counts above what a group has, and other than what its bitmap says.
    for (field, value) in [(12, 9000_u16), (14, 9000), (12, 1), (14, 1)] {
        assert_corrupt(anatomy.damaged(2048 + field, &value.to_le_bytes()), &["group 0"]);
    }
}

#[test]
fn blocks_with_two_owners_are_not_freed_twice() {
    let anatomy = rich(&NO_CHECKSUMS);
    let root = anatomy.disk.bytes(anatomy.inode("/crumb-1") + 0x28, 60);
    let disk = anatomy.damaged(anatomy.inode("/crumb-3") + 0x28, &root);
    let mut editor = Editor::open(disk, EPOCH).unwrap();
    editor.remove(b"/crumb-1").unwrap();
    assert!(matches!(editor.remove(b"/crumb-3"), Err(Error::Corrupt(_))));
}

#[test]
fn an_image_cut_off_anywhere_is_refused() {
    let anatomy = rich(&BLOCKS_1K);
    for size in [0, 1023, 1024, 1500, 2048, 4096, 70_000, 1 << 20, (16 << 20) - 1] {
        let mut cut = Disk::zeros(size);
        for page in anatomy.disk.pages().filter(|page| (page + 1) * 4096 <= size) {
            cut.write_at(page * 4096, &anatomy.disk.bytes(page * 4096, 4096)).unwrap();
        }
        assert!(Editor::open(cut, EPOCH).is_err(), "{size}");
    }
}

#[test]
fn damage_that_was_only_read_leaves_the_rest_editable() {
    let anatomy = rich(&NO_CHECKSUMS);
    let disk = anatomy.damaged(anatomy.inode("/large") + 0x28, &[0; 12]);
    let mut editor = Editor::open(disk, EPOCH).unwrap();
    assert!(matches!(editor.read_file(b"/large"), Err(Error::Corrupt(_))));
    let owner = Attributes { uid: Some(1), ..DEFAULT };
    editor.set_attributes(b"/etc/hostname", &owner).unwrap();
    let editor = Editor::open(editor.commit().unwrap(), EPOCH).unwrap();
    assert_eq!(editor.metadata(b"/etc/hostname").unwrap().unwrap().uid, 1);
    assert!(editor.metadata(b"/large").unwrap().is_some());
}
