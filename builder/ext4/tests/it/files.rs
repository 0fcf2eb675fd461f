//! Regular files: content, holes, extents, replacing, removing.

use std::{io, sync::Arc};

use imgforge_ext4::{Content, Editor, Error};

use crate::{
    fixture::{
        self, ARMBIAN, BLOCK_MAPS, BLOCKS_1K, DEFAULT, EPOCH, Format, KIB, MIB, Sparse, content, debugged,
        edited, pattern, vendor_tree, xattrs,
    },
    oracle::{Stored, assert_consistent, debugfs, kernel},
};

/// `stat` of debugfs.
fn stat(stored: &Stored, path: &str) -> String {
    debugfs::ask(stored.path(), &format!("stat {path}"))
}

/// Levels of the extent tree below the inode.
fn depth(stored: &Stored, path: &str) -> u64 {
    // The header line counts levels as "current/ maximal"; the deepest stands in every line.
    let said = debugfs::ask(stored.path(), &format!("dump_extents {path}"));
    let line = said.lines().nth(1).unwrap();
    line.split('/').nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// Lines of `dump_extents` that are leaves of written extents.
fn extents(stored: &Stored, path: &str) -> usize {
    let deepest = depth(stored, path);
    let said = debugfs::ask(stored.path(), &format!("dump_extents {path}"));
    let leaf = |line: &&str| line.trim_start().starts_with(&format!("{deepest}/"));
    said.lines().filter(leaf).count()
}

#[test]
fn all_four_times_of_a_new_file_are_the_epoch() {
    let disk =
        edited(&ARMBIAN.make(), |editor| editor.write_file(b"/new", &content(b"x"), &DEFAULT).unwrap());
    let said = stat(&Stored::new(&disk), "/new");
    for time in ["ctime", "atime", "mtime", "crtime"] {
        let line = said.lines().find(|line| line.trim_start().starts_with(&format!("{time}:"))).unwrap();
        assert!(line.contains(&format!("0x{EPOCH:08x}:00000000")), "{line}");
    }
}

#[test]
fn a_file_is_one_extent_where_there_is_room() {
    let disk = edited(&ARMBIAN.make(), |editor| {
        editor.write_file(b"/large", &content(&pattern(1, 5_000_000)), &DEFAULT).unwrap();
    });
    assert_eq!(extents(&Stored::new(&disk), "/large"), 1);
}

#[test]
fn holes_take_no_blocks_and_read_as_zeros() {
    let data = pattern(2, 4096);
    let sparse = Sparse::default().skip(MIB).append(&data).skip(3 * MIB).append(&data).skip(100);
    let bytes = sparse.bytes();
    let base = ARMBIAN.make();
    let free = Editor::open(base.clone(), EPOCH).unwrap().free_blocks();
    let sparse: Arc<dyn Content> = Arc::new(sparse);
    let disk = edited(&base, |editor| {
        editor.write_file(b"/sparse", &sparse, &DEFAULT).unwrap();
        assert_eq!(editor.read_file(b"/sparse").unwrap(), bytes);
        assert_eq!(editor.metadata(b"/sparse").unwrap().unwrap().sectors, 16);
    });
    assert_consistent(&disk);
    assert_eq!(debugfs::content(Stored::new(&disk).path(), "/sparse"), bytes);
    assert_eq!(Editor::open(disk, EPOCH).unwrap().free_blocks(), free - 2);
}

/// `count` blocks of data with a hole of one block after each: as many extents.
fn riddled(count: usize, block_size: usize) -> Sparse {
    let data = |number: usize| pattern(number as u8, block_size);
    (0..count).fold(Sparse::default(), |sparse, number| sparse.append(&data(number)).skip(block_size as u64))
}

#[test]
fn extent_trees_grow_as_deep_as_needed_and_vanish_again() {
    // Four extents fit into an inode, (block size - 12 - 4) / 12 into a block.
    for (format, count, expected) in [
        (ARMBIAN, 4, 0),
        (ARMBIAN, 5, 1),
        (ARMBIAN, 1500, 2),
        (BLOCKS_1K, 4 * 84, 1),
        (BLOCKS_1K, 4 * 84 + 1, 2),
        (BLOCKS_1K, 2000, 2),
        (fixture::NO_CHECKSUMS, 700, 2),
    ] {
        let base = format.make();
        let block_size = Editor::open(base.clone(), EPOCH).unwrap().superblock().block_size() as usize;
        let sparse = riddled(count, block_size);
        let bytes = sparse.bytes();
        let sparse: Arc<dyn Content> = Arc::new(sparse);
        let disk = edited(&base, |editor| editor.write_file(b"/riddled", &sparse, &DEFAULT).unwrap());
        let stored = Stored::new(&disk);
        assert_consistent(&disk);
        assert_eq!(
            (depth(&stored, "/riddled"), extents(&stored, "/riddled")),
            (expected, count),
            "{format:?}"
        );
        assert_eq!(debugfs::content(stored.path(), "/riddled"), bytes);
        assert_eq!(Editor::open(disk.clone(), EPOCH).unwrap().read_file(b"/riddled").unwrap(), bytes);

        let without = edited(&disk, |editor| editor.remove(b"/riddled").unwrap());
        assert_consistent(&without);
        let free = |disk| Editor::open(disk, EPOCH).unwrap().free_blocks();
        assert_eq!(free(without), free(base));
    }
}

#[test]
fn free_space_in_crumbs_still_takes_a_large_file() {
    let stage = fixture::Stage::new();
    for number in 0..1200 {
        stage.file(&format!("crumb-{number}"), &pattern(number as u8, 4 * 1024), 0o600);
    }
    stage.file("rest", &pattern(0, 6_000_000), 0o600);
    let base = BLOCKS_1K.make_from(stage.path());
    let every_second: String = (0..1200).step_by(2).map(|number| format!("rm /crumb-{number}\n")).collect();
    let base = debugged(&base, &every_second);
    let free = Editor::open(base.clone(), EPOCH).unwrap().free_blocks();
    let large = pattern(9, (free as usize - 40) * 1024);
    let disk = edited(&base, |editor| editor.write_file(b"/large", &content(&large), &DEFAULT).unwrap());
    assert_consistent(&disk);
    let stored = Stored::new(&disk);
    assert!(extents(&stored, "/large") > 500, "{} extents", extents(&stored, "/large"));
    assert_eq!(debugfs::content(stored.path(), "/large"), large);
}

#[test]
fn extents_that_were_never_written_read_as_zeros() {
    let base = debugged(
        &ARMBIAN.make_from(vendor_tree().path()),
        "fallocate /etc/hostname 4 9\nsif /etc/hostname size 40000\n",
    );
    let mut expected = b"renegade\n".to_vec();
    expected.resize(40_000, 0);
    let editor = Editor::open(base, EPOCH).unwrap();
    assert_eq!(editor.read_file(b"/etc/hostname").unwrap(), expected);
}

#[test]
fn files_with_block_maps_are_read_replaced_and_removed() {
    // 12 direct blocks, then one, then two levels of indirection in blocks of 1 KiB.
    let sizes = [5, 12 * 1024, 200 * 1024, 1024 * 1024];
    let stage = fixture::Stage::new();
    for size in sizes {
        stage.file(&format!("mapped-{size}"), &pattern(size as u8, size), 0o644);
        stage.file(&format!("kept-{size}"), &pattern(size as u8, size), 0o644);
    }
    let (empty, base) = (BLOCK_MAPS.make(), BLOCK_MAPS.make_from(stage.path()));
    let disk = edited(&base, |editor| {
        for size in sizes {
            let path = format!("/mapped-{size}").into_bytes();
            assert_eq!(editor.read_file(&path).unwrap(), pattern(size as u8, size));
            editor.write_file(&path, &content(&pattern(1, size + 3000)), &DEFAULT).unwrap();
        }
    });
    assert_consistent(&disk);
    let stored = Stored::new(&disk);
    for size in sizes {
        assert_eq!(debugfs::content(stored.path(), &format!("/mapped-{size}")), pattern(1, size + 3000));
        assert_eq!(debugfs::content(stored.path(), &format!("/kept-{size}")), pattern(size as u8, size));
    }
    let disk = edited(&disk, |editor| {
        for size in sizes {
            editor.remove(format!("/mapped-{size}").as_bytes()).unwrap();
            editor.remove(format!("/kept-{size}").as_bytes()).unwrap();
        }
    });
    assert_consistent(&disk);
    let free = |disk| Editor::open(disk, EPOCH).unwrap().free_blocks();
    assert_eq!(free(disk), free(empty));
}

#[test]
fn a_file_of_more_than_four_gibibytes_is_a_matter_of_holes() {
    let length = 5 * 1024 * MIB + 17;
    let sparse: Arc<dyn Content> = Arc::new(Sparse::default().skip(length - 9).append(b"the end.\n"));
    for format in [ARMBIAN, fixture::RASPBERRY, fixture::FEW_FEATURES] {
        let disk = edited(&format.make(), |editor| editor.write_file(b"/huge", &sparse, &DEFAULT).unwrap());
        assert_consistent(&disk);
        let editor = Editor::open(disk.clone(), EPOCH).unwrap();
        assert_eq!(editor.metadata(b"/huge").unwrap().unwrap().size, length);
        let mut end = [0; 9];
        assert_eq!(editor.read_file_at(b"/huge", length - 9, &mut end).unwrap(), 9);
        assert_eq!(&end, b"the end.\n");
        let stored = Stored::new(&disk);
        if let Some(mount) = kernel::Mount::new(stored.path(), "ro,noload") {
            let file = std::fs::File::open(mount.path().join("huge")).unwrap();
            let mut end = [0; 9];
            std::os::unix::fs::FileExt::read_exact_at(&file, &mut end, length - 9).unwrap();
            assert_eq!(&end, b"the end.\n");
        }
    }
}

#[test]
fn a_file_longer_than_the_format_can_say_is_refused() {
    let endless: Arc<dyn Content> = Arc::new(Sparse::default().skip(1 << 60).append(b"x"));
    for format in [ARMBIAN, BLOCK_MAPS] {
        let mut editor = Editor::open(format.make(), EPOCH).unwrap();
        assert!(matches!(editor.write_file(b"/endless", &endless, &DEFAULT), Err(Error::Unsupported(_))));
        assert_eq!(editor.metadata(b"/endless").unwrap(), None);
        assert_consistent(&editor.commit().unwrap());
    }
}

#[test]
fn replacing_keeps_owner_mode_and_extended_attributes_unless_told_otherwise() {
    let old = imgforge_ext4::Attributes {
        mode: Some(0o4711),
        uid: Some(70_001),
        gid: Some(12),
        mtime: Some(77),
        ..xattrs(&[("user.color", b"red"), ("security.capability", &[1, 0, 0, 2, 0, 4, 0, 0])])
    };
    let base = edited(&ARMBIAN.make(), |editor| editor.write_file(b"/f", &content(b"old"), &old).unwrap());

    let kept = edited(&base, |editor| editor.write_file(b"/f", &content(b"newer"), &DEFAULT).unwrap());
    let editor = Editor::open(kept, EPOCH).unwrap();
    let metadata = editor.metadata(b"/f").unwrap().unwrap();
    assert_eq!((metadata.mode, metadata.uid, metadata.gid, metadata.size), (0o4711, 70_001, 12, 5));
    assert_eq!(metadata.mtime, EPOCH);
    assert_eq!(Some(editor.xattrs(b"/f").unwrap()), old.xattrs);

    let told = xattrs(&[("user.other", b"")]);
    let told = edited(&base, |editor| editor.write_file(b"/f", &content(b"newer"), &told).unwrap());
    let names: Vec<_> = Editor::open(told, EPOCH).unwrap().xattrs(b"/f").unwrap().into_keys().collect();
    assert_eq!(names, [b"user.other"]);
}

#[test]
fn what_is_removed_or_replaced_is_nowhere_on_the_device() {
    let secret = b"-----BEGIN OPENSSH PRIVATE KEY-----";
    let long = secret.repeat(3000);
    for format in [ARMBIAN, fixture::RASPBERRY, BLOCKS_1K, BLOCK_MAPS] {
        let stage = vendor_tree();
        stage.file("etc/ssh/ssh_host_secret_key", secret, 0o600);
        stage.file("etc/longest", &long, 0o600).directory("root/hidden").file(
            "root/hidden/also",
            secret,
            0o600,
        );
        let base = format.make_from(stage.path());
        assert!(base.find(secret).is_some() && base.find(b"ssh_host_secret_key").is_some());
        let disk = edited(&base, |editor| {
            editor.remove(b"/etc/ssh/ssh_host_secret_key").unwrap();
            editor.write_file(b"/etc/longest", &content(b"short"), &DEFAULT).unwrap();
            editor.remove_all(b"/root").unwrap();
        });
        assert_consistent(&disk);
        assert_eq!(disk.find(secret), None);
        assert_eq!(disk.find(b"ssh_host_secret_key"), None);
        assert_eq!(disk.find(b"hidden"), None);
    }
}

#[test]
fn bytes_after_the_end_of_a_file_are_zero_on_the_device() {
    let format = Format { size: 8 * MIB, ..ARMBIAN };
    // Blocks that were in use before, so that whatever is not written shows.
    let stage = fixture::Stage::new();
    stage.file("dirt", &b"dirt".repeat(KIB as usize * 1024 / 4), 0o600);
    let dirty = debugged(&format.make_from(stage.path()), "rm /dirt\n");
    assert!(dirty.find(b"dirtdirt").is_some());
    let disk = edited(&dirty, |editor| {
        for number in 0..100 {
            editor.write_file(format!("/f{number}").as_bytes(), &content(b"short"), &DEFAULT).unwrap();
        }
    });
    let stored = Stored::new(&disk);
    for number in 0..100 {
        let block = debugfs::number(&debugfs::ask(stored.path(), &format!("bmap /f{number} 0")), "");
        let bytes = disk.bytes(block * 4096, 4096);
        assert!(bytes.starts_with(b"short") && bytes[5..].iter().all(|byte| *byte == 0), "f{number}");
    }
}

/// Content that cannot be read.
#[derive(Debug)]
struct Broken;

impl Content for Broken {
    fn len(&self) -> u64 {
        100_000
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(io::Error::other("the store lost it"))
    }
}

#[test]
fn content_that_cannot_be_read_ends_the_editing() {
    let broken: Arc<dyn Content> = Arc::new(Broken);
    for path in [&b"/etc/hostname"[..], b"/new"] {
        let mut editor = Editor::open(ARMBIAN.make_from(vendor_tree().path()), EPOCH).unwrap();
        let error = editor.write_file(path, &broken, &DEFAULT).unwrap_err();
        assert!(error.to_string().contains("the store lost it"), "{error}");
        // What it would commit is anyone's guess, so it does not.
        assert!(matches!(editor.write_file(b"/other", &content(b""), &DEFAULT), Err(Error::Broken)));
        assert!(matches!(editor.commit(), Err(Error::Broken)));
    }
}
