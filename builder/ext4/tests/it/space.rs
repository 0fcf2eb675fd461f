//! Room: what operations take, what they give back, what happens when there is none, and when the device is written.

use imgforge_ext4::{Attributes, Editor, Error};

use crate::{
    fixture::{
        ARMBIAN, BLOCKS_1K, DEFAULT, EPOCH, FLEX_GROUPS_OF_FOUR, Format, NO_CHECKSUMS, NO_FLEX_GROUPS,
        SMALL_GROUPS, Stage, content, edited, pattern, vendor_tree, xattrs,
    },
    oracle::{Stored, assert_consistent, debugfs},
    tree::{assert_same, of_editor},
};

#[test]
fn free_counts_are_those_of_e2fsprogs() {
    let disk = edited(&BLOCKS_1K.make_from(vendor_tree().path()), |editor| {
        editor.write_file(b"/a", &content(&pattern(1, 100_000)), &DEFAULT).unwrap();
        editor.make_directory(b"/b", &DEFAULT).unwrap();
    });
    let said = debugfs::ask(Stored::new(&disk).path(), "show_super_stats -h");
    let editor = Editor::open(disk, EPOCH).unwrap();
    assert_eq!(debugfs::number(&said, "Free blocks:"), editor.free_blocks());
    assert_eq!(debugfs::number(&said, "Free inodes:"), editor.free_inodes());
}

#[test]
fn before_the_commit_only_file_data_reaches_the_device() {
    let base = BLOCKS_1K.make_from(vendor_tree().path());
    let mut editor = Editor::open(base, EPOCH).unwrap();
    editor.write_file(b"/large", &content(&pattern(1, 700_001)), &DEFAULT).unwrap();
    editor.make_directory(b"/directory", &xattrs(&[("user.long", &pattern(2, 600))])).unwrap();
    editor.make_symlink(b"/link", &[b't'; 200], &DEFAULT).unwrap();
    editor.remove(b"/etc/shadow").unwrap();
    editor.remove_all(b"/many").unwrap();
    assert_eq!(editor.device().written, 0);
    assert!(editor.commit().unwrap().written > 0);
}

#[test]
fn opening_and_committing_alone_changes_nothing_but_the_time() {
    for format in [ARMBIAN, BLOCKS_1K, NO_CHECKSUMS, FLEX_GROUPS_OF_FOUR] {
        let base = format.make_from(vendor_tree().path());
        let disk = edited(&base, |_| {});
        // The superblock's page at most.
        assert!(base.differences(&disk).iter().all(|page| *page == 0), "{:?}", base.differences(&disk));
    }
}

#[test]
fn a_small_edit_touches_few_pages() {
    let base = ARMBIAN.make_from(vendor_tree().path());
    let disk = edited(&base, |editor| editor.write_file(b"/etc/new", &content(b"x"), &DEFAULT).unwrap());
    // Superblock, descriptors, two bitmaps, two inodes, directory, data.
    let touched = base.differences(&disk);
    assert!(touched.len() <= 8, "{touched:?}");
}

#[test]
fn inodes_of_new_files_stand_together() {
    let base = ARMBIAN.make_from(vendor_tree().path());
    let mut editor = Editor::open(base, EPOCH).unwrap();
    let mut inodes = Vec::new();
    for number in 0..64 {
        let directory = format!("/d{}", number % 4).into_bytes();
        editor.make_directory(&directory, &DEFAULT).unwrap();
        let path = [directory, format!("/{number}").into_bytes()].concat();
        editor.write_file(&path, &content(b"x"), &DEFAULT).unwrap();
        inodes.push(editor.metadata(&path).unwrap().unwrap().inode);
    }
    let span = inodes.iter().max().unwrap() - inodes.iter().min().unwrap();
    assert!(span < 64 + 4 + 16, "64 files and 4 directories are spread over {span} inodes");
}

#[test]
fn groups_that_were_never_used_are_prepared_when_their_turn_comes() {
    // Several groups, most of them BLOCK_UNINIT and INODE_UNINIT.
    for format in [FLEX_GROUPS_OF_FOUR, NO_FLEX_GROUPS, SMALL_GROUPS, BLOCKS_1K] {
        let mut editor = Editor::open(format.make(), EPOCH).unwrap();
        let inodes = editor.free_inodes();
        for number in 0..inodes {
            editor.write_file(format!("/{number}").as_bytes(), &content(b""), &DEFAULT).unwrap();
        }
        assert_eq!(editor.free_inodes(), 0);
        assert!(matches!(editor.write_file(b"/more", &content(b""), &DEFAULT), Err(Error::NoInodes)));
        let rest = editor.free_blocks();
        let size = editor.superblock().block_size() as usize * (rest as usize - 30);
        editor.write_file(b"/0", &content(&pattern(5, size)), &DEFAULT).unwrap();
        let disk = editor.commit().unwrap();
        assert_consistent(&disk);
        let editor = Editor::open(disk, EPOCH).unwrap();
        assert_eq!(editor.read_file(b"/0").unwrap(), pattern(5, size));
        assert_eq!(editor.free_inodes(), 0);
    }
}

#[test]
fn no_space_says_how_much_was_needed_and_changes_nothing() {
    for format in [ARMBIAN, BLOCKS_1K, NO_CHECKSUMS] {
        let base = format.make_from(vendor_tree().path());
        let mut editor = Editor::open(base, EPOCH).unwrap();
        let before = of_editor(&editor);
        let (free, inodes) = (editor.free_blocks(), editor.free_inodes());
        let huge = content(&vec![b'h'; format.size as usize]);
        for path in [&b"/new"[..], b"/etc/hostname", b"/bin"] {
            match editor.write_file(path, &huge, &DEFAULT).unwrap_err() {
                Error::NoSpace { needed, free: left } => {
                    assert!(free <= left && left < needed, "{needed} of {left}");
                }
                error => panic!("{error:?}"),
            }
        }
        assert_same("the editor", &of_editor(&editor), &before);
        assert_eq!((editor.free_blocks(), editor.free_inodes()), (free, inodes));
        // And there is room for what fits.
        editor.write_file(b"/fits", &content(b"x"), &DEFAULT).unwrap();
        assert_consistent(&editor.commit().unwrap());
    }
}

#[test]
fn the_last_block_can_be_used_and_no_more() {
    let format = Format { size: 4 << 20, ..BLOCKS_1K };
    let mut editor = Editor::open(format.make(), EPOCH).unwrap();
    let mut number = 0_u32;
    let refusal = loop {
        let data = content(&pattern(number as u8, 1 + number as usize * 37 % 9000));
        match editor.write_file(format!("/file-{number:06}").as_bytes(), &data, &DEFAULT) {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, Error::NoSpace { .. } | Error::NoInodes), "{refusal:?}");
    while editor.write_file(b"/drop", &content(b"1"), &DEFAULT).is_ok() && editor.free_blocks() > 0 {
        editor.make_directory(format!("/d{}", editor.free_blocks()).as_bytes(), &DEFAULT).unwrap_or_default();
        editor.remove(b"/drop").unwrap();
    }
    let disk = editor.commit().unwrap();
    assert_consistent(&disk);
    let editor = Editor::open(disk, EPOCH).unwrap();
    for number in 0..number {
        let data = editor.read_file(format!("/file-{number:06}").as_bytes()).unwrap();
        assert!(data == pattern(number as u8, 1 + number as usize * 37 % 9000), "file-{number:06}");
    }
}

#[test]
fn a_full_file_system_takes_changes_that_need_no_room() {
    let stage = vendor_tree();
    stage.file("filler", &pattern(1, 1_000_000), 0o600);
    let base = Format { size: 8 << 20, ..BLOCKS_1K }.make_from(stage.path());
    let mut editor = Editor::open(base, EPOCH).unwrap();
    let size = (editor.free_blocks() as usize - 10) * 1024;
    editor.write_file(b"/rest", &content(&vec![1; size]), &DEFAULT).unwrap();
    while editor.free_blocks() > 0 {
        let path = format!("/b{}", editor.free_blocks()).into_bytes();
        editor.write_file(&path, &content(b"x"), &DEFAULT).unwrap();
    }
    let owner = Attributes { uid: Some(7), ..DEFAULT };
    editor.set_attributes(b"/etc/hostname", &owner).unwrap();
    editor.make_symlink(b"/etc/fast", b"target", &DEFAULT).unwrap();
    editor.make_hard_link(b"/etc/hostname", b"/etc/name").unwrap();
    assert!(matches!(editor.make_directory(b"/etc/more", &DEFAULT), Err(Error::NoSpace { .. })));
    editor.remove(b"/filler").unwrap();
    editor.make_directory(b"/etc/more", &DEFAULT).unwrap();
    assert_consistent(&editor.commit().unwrap());
}

#[test]
fn what_is_freed_can_be_used_again_before_the_commit() {
    let stage = Stage::new();
    stage.file("large", &pattern(1, 11_000_000), 0o600);
    let base = BLOCKS_1K.make_from(stage.path());
    let disk = edited(&base, |editor| {
        for round in 2..6 {
            editor.remove(b"/large").unwrap();
            editor.write_file(b"/large", &content(&pattern(round, 11_000_000)), &DEFAULT).unwrap();
        }
    });
    assert_consistent(&disk);
    assert!(Editor::open(disk, EPOCH).unwrap().read_file(b"/large").unwrap() == pattern(5, 11_000_000));
}
