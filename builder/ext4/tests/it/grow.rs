//! Growth: to any size the reserved descriptor blocks allow, as resize2fs would do it, and further by others.

use imgforge_ext4::{Device, Editor, Error};

use crate::{
    disk::Disk,
    fixture::{
        ARMBIAN, BLOCKS_1K, DEFAULT, EPOCH, Format, MIB, NO_RESIZE_INODE, content, edited, pattern, run,
        tool, vendor_tree, vendor_tree_in,
    },
    model::Model,
    oracle::{Stored, assert_consistent, assert_holds, debugfs, kernel},
    tree::{Tree, of_editor},
};

/// Enlarges the device and grows the file system over it.
fn grown(disk: &Disk, size: u64) -> Disk {
    edited(&disk.clone().enlarged(size), |editor| editor.grow(size).unwrap())
}

/// What resize2fs makes of the same disk. Without a size it would leave out what is less than a page.
fn resized(disk: &Disk, size: u64) -> Disk {
    let stored = Stored::new(&disk.clone().enlarged(size));
    let blocks = size / u64::from(Editor::open(disk.clone(), EPOCH).unwrap().superblock().block_size());
    run(tool("resize2fs").arg("-f").arg(stored.path()).arg(blocks.to_string()));
    Disk::load(stored.path())
}

/// Counts of blocks and inodes, and blocks that are free.
fn counts(disk: &Disk) -> [u64; 3] {
    let said = debugfs::ask(Stored::new(disk).path(), "show_super_stats -h");
    ["Block count:", "Inode count:", "Free blocks:"].map(|label| debugfs::number(&said, label))
}

/// A filled image and its tree.
fn filled(format: &Format) -> (Disk, Tree) {
    let disk = format.make_from(vendor_tree().path());
    let tree = Model::of(&vendor_tree_in(&disk)).tree();
    (disk, tree)
}

fn grows_step_by_step(format: &Format) {
    let (mut disk, tree) = filled(format);
    for size in [format.size + MIB, format.size * 2, format.size * 5 / 2 + 5 * 1024] {
        if !may_grow(&disk, size) {
            continue;
        }
        let expected = resized(&disk, size);
        disk = grown(&disk, size);
        assert_holds(&disk, &tree);
        assert_eq!(
            counts(&disk)[..2],
            counts(&expected)[..2],
            "resize2fs makes another size of {size} bytes"
        );
        let editor = Editor::open(disk.clone(), EPOCH).unwrap();
        assert_eq!(counts(&disk)[2], editor.free_blocks());
    }
    // The board grows it once more.
    let size = format.size * 3;
    let further = resized(&disk, size);
    assert_holds(&further, &tree);
}

/// Whether the reserved blocks allow the growth; formats without reserved blocks grow in what is left of the last.
fn may_grow(disk: &Disk, size: u64) -> bool {
    let mut editor = Editor::open(disk.clone().enlarged(size), EPOCH).unwrap();
    match editor.grow(size) {
        Ok(()) => true,
        Err(Error::Unsupported(said)) => {
            let reserved = !debugfs::ask(Stored::new(disk).path(), "features").contains("resize_inode");
            assert!(reserved, "refused with reserved blocks left: {said}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

for_each_format!(grows_step_by_step);

#[test]
fn growth_and_edits_may_come_in_any_order() {
    let (base, _) = filled(&BLOCKS_1K);
    let size = BLOCKS_1K.size * 3;
    let data = pattern(3, 20_000_000);
    let disk = edited(&base.enlarged(size), |editor| {
        editor.write_file(b"/before", &content(&pattern(1, 300_000)), &DEFAULT).unwrap();
        editor.remove_all(b"/many").unwrap();
        editor.grow(size).unwrap();
        editor.write_file(b"/large", &content(&data), &DEFAULT).unwrap();
        editor.make_directory(b"/after", &DEFAULT).unwrap();
        for number in 0..3000 {
            editor.write_file(format!("/after/{number}").as_bytes(), &content(b""), &DEFAULT).unwrap();
        }
    });
    assert_consistent(&disk);
    let stored = Stored::new(&disk);
    assert!(debugfs::content(stored.path(), "/large") == data);
    assert_consistent(&resized(&disk, size * 2));
}

#[test]
fn new_data_goes_to_the_grown_end() {
    let (base, _) = filled(&ARMBIAN);
    let size = ARMBIAN.size * 2;
    let disk = edited(&base.enlarged(size), |editor| {
        editor.grow(size).unwrap();
        editor.write_file(b"/large", &content(&pattern(3, 10_000_000)), &DEFAULT).unwrap();
    });
    let stored = Stored::new(&disk);
    let first = debugfs::number(&debugfs::ask(stored.path(), "bmap /large 0"), "");
    let last = debugfs::number(&debugfs::ask(stored.path(), "bmap /large 2441"), "");
    assert!(first >= ARMBIAN.size / 4096, "{first}");
    assert_eq!(last, first + 2441);
}

#[test]
fn growth_alone_writes_metadata_only() {
    let (base, _) = filled(&ARMBIAN);
    let size = 300 * MIB;
    let disk = grown(&base, size);
    assert!(disk.differences(&base.enlarged(size)).len() < 100, "{} pages", disk.pages().count());
}

#[test]
fn growth_ends_where_the_reserved_blocks_end() {
    // Room for descriptors up to 512 MiB and no further: 64 groups of 8 MiB, descriptors of 64 bytes, 4 blocks.
    let format = Format { size: 16 * MIB, extended: "resize=524288", ..BLOCKS_1K };
    let (base, tree) = filled(&format);
    // The line is missing when there are none.
    let reserved = |disk: &Disk| {
        let said = debugfs::ask(Stored::new(disk).path(), "show_super_stats -h");
        let label = "Reserved GDT blocks:";
        if said.contains(label) { debugfs::number(&said, label) } else { 0 }
    };
    let limit = 512 * MIB;
    assert_eq!(reserved(&base), 3);
    let disk = grown(&base, limit);
    assert_holds(&disk, &tree);
    assert_eq!(reserved(&disk), 0);

    let mut editor = Editor::open(disk.clone().enlarged(limit + 64 * MIB), EPOCH).unwrap();
    let error = editor.grow(limit + 64 * MIB).unwrap_err();
    assert!(matches!(&error, Error::Unsupported(said) if said.contains("reserved")), "{error:?}");
    // Refused, and still in order.
    editor.write_file(b"/after", &content(b"x"), &DEFAULT).unwrap();
    assert_consistent(&editor.commit().unwrap());
}

#[test]
fn without_reserved_blocks_growth_ends_with_the_last_descriptor_block() {
    // A block of 1 KiB holds 16 descriptors of 64 bytes: 128 MiB.
    let (base, tree) = filled(&NO_RESIZE_INODE);
    let disk = grown(&base, 128 * MIB);
    assert_holds(&disk, &tree);
    let mut editor = Editor::open(disk.enlarged(160 * MIB), EPOCH).unwrap();
    assert!(matches!(editor.grow(160 * MIB), Err(Error::Unsupported(_))));
}

#[test]
fn gigabytes_are_no_harder() {
    let (base, tree) = filled(&ARMBIAN);
    let disk = grown(&base, 16 * 1024 * MIB);
    assert_holds(&disk, &tree);
}

#[test]
fn a_last_group_too_small_for_its_own_metadata_is_left_out() {
    let (base, tree) = filled(&BLOCKS_1K);
    for rest in [1, 20, 100, 300, 600, 1500] {
        let size = 24 * MIB + 1024 + rest * 1024;
        let (ours, theirs) = (grown(&base, size), resized(&base, size));
        assert_holds(&ours, &tree);
        assert_eq!(counts(&ours)[..2], counts(&theirs)[..2], "{rest} blocks in the last group");
    }
}

#[test]
fn growth_by_nothing_changes_nothing() {
    let (base, _) = filled(&ARMBIAN);
    let disk = grown(&base, ARMBIAN.size);
    assert!(base.differences(&disk).iter().all(|page| *page == 0));
    // Less than a block more is nothing, too.
    let disk = edited(&base.clone().enlarged(ARMBIAN.size + 4095), |editor| {
        editor.grow(ARMBIAN.size + 4095).unwrap();
    });
    assert_eq!(counts(&disk), counts(&base));
}

#[test]
fn shrinking_and_growth_beyond_the_device_are_refused() {
    let (base, _) = filled(&ARMBIAN);
    let mut editor = Editor::open(base, EPOCH).unwrap();
    for size in [0, ARMBIAN.size - 4096, ARMBIAN.size + MIB, u64::MAX] {
        assert!(editor.grow(size).is_err(), "{size}");
    }
    assert_consistent(&editor.commit().unwrap());
}

#[test]
fn backups_of_superblock_and_descriptors_follow() {
    let (base, _) = filled(&BLOCKS_1K);
    let disk = edited(&base.enlarged(100 * MIB), |editor| {
        editor.grow(100 * MIB).unwrap();
        editor.write_file(b"/new", &content(&pattern(1, 100_000)), &DEFAULT).unwrap();
    });
    // Groups 1, 3, 5, 7, 9 carry copies; e2fsck from each of them must find a file system that it can repair to
    // the same tree.
    for group in [1, 3, 5, 7, 9] {
        let stored = Stored::new(&disk);
        let backup = (group * 8192 + 1).to_string();
        let output =
            tool("e2fsck").args(["-fy", "-b", &backup, "-B", "1024"]).arg(stored.path()).output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", crate::fixture::text(&output));
        let repaired = Disk::load(stored.path());
        let tree = |disk: &Disk| of_editor(&Editor::open(disk.clone(), EPOCH).unwrap());
        assert!(tree(&repaired) == tree(&disk), "group {group}");
        assert!(!crate::fixture::text(&output).contains("/lost+found"), "group {group}");
    }
}

#[test]
fn the_kernel_uses_what_was_grown() {
    let (base, _) = filled(&ARMBIAN);
    let size = 96 * MIB;
    let disk = edited(&base.enlarged(size), |editor| {
        editor.grow(size).unwrap();
        editor.make_directory(b"/ours", &DEFAULT).unwrap();
        for number in 0..2000 {
            editor.write_file(format!("/ours/{number}").as_bytes(), &content(b"x"), &DEFAULT).unwrap();
        }
    });
    assert_eq!(disk.size(), size);
    let stored = Stored::new(&disk);
    let Some(mount) = kernel::Mount::new(stored.path(), "rw") else { return };
    let data = pattern(1, 40_000_000);
    std::fs::write(mount.path().join("large"), &data).unwrap();
    for number in 0..2000 {
        // Into the middle of our index, and out of it.
        std::fs::write(mount.path().join(format!("ours/theirs-{number}")), b"y").unwrap();
        std::fs::remove_file(mount.path().join(format!("ours/{number}"))).unwrap();
    }
    std::fs::remove_dir_all(mount.path().join("many")).unwrap();
    run(tool("sync").arg("-f").arg(mount.path()));
    assert!(std::fs::read(mount.path().join("large")).unwrap() == data);
    drop(mount);
    let after = Disk::load(stored.path());
    assert_consistent(&after);
    // And the editor takes over again.
    let again = edited(&after, |editor| {
        assert_eq!(editor.read_directory(b"/ours").unwrap().len(), 2000);
        editor.remove_all(b"/ours").unwrap();
        editor.remove(b"/large").unwrap();
    });
    assert_consistent(&again);
}
