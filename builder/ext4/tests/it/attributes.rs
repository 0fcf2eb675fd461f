//! Owners, modes, times and extended attributes.

use imgforge_ext4::{Attributes, Editor, Error, Xattrs};

use crate::{
    disk::Disk,
    fixture::{
        ARMBIAN, BLOCKS_1K, DEFAULT, EPOCH, Format, NO_CHECKSUMS, RASPBERRY, SMALL_INODES, altered_by,
        content, debugged, edited, pattern, vendor_tree, xattrs,
    },
    oracle::{Stored, assert_consistent, debugfs, kernel},
};

const CAPABILITY: &[u8] = &[1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The file's extended attributes as the kernel shows them, where it can be asked.
fn kernel_xattrs(disk: &Disk, path: &str) -> Option<Xattrs> {
    let tree = kernel::tree(Stored::new(disk).path())?;
    Some(tree[path.as_bytes()].xattrs.clone())
}

/// Number of the block that holds a file's extended attributes; 0 when it has none.
fn xattr_block(disk: &Disk, path: &str) -> u64 {
    debugfs::number(&debugfs::ask(Stored::new(disk).path(), &format!("stat {path}")), "File ACL:")
}

fn with_xattrs(format: &Format, attributes: &Attributes) -> Disk {
    let disk = edited(&format.make(), |editor| editor.write_file(b"/f", &content(b"x"), attributes).unwrap());
    assert_consistent(&disk);
    let found = Editor::open(disk.clone(), EPOCH).unwrap().xattrs(b"/f").unwrap();
    assert_eq!(Some(&found), attributes.xattrs.as_ref());
    if let Some(found) = kernel_xattrs(&disk, "f") {
        assert_eq!(Some(&found), attributes.xattrs.as_ref());
    }
    disk
}

#[test]
fn few_extended_attributes_live_in_the_inode() {
    let disk = with_xattrs(&ARMBIAN, &xattrs(&[("security.capability", CAPABILITY), ("user.empty", b"")]));
    assert_eq!(xattr_block(&disk, "/f"), 0);
    let listed = debugfs::ask(Stored::new(&disk).path(), "ea_list /f");
    assert!(listed.contains("security.capability (20)") && listed.contains("user.empty (0)"), "{listed}");
}

#[test]
fn more_of_them_take_a_block() {
    let long = pattern(3, 700);
    let many: Vec<(String, Vec<u8>)> =
        (0..20).map(|n| (format!("user.{n}"), pattern(n, usize::from(n)))).collect();
    let many: Vec<(&str, &[u8])> =
        many.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    for format in [ARMBIAN, RASPBERRY, BLOCKS_1K, NO_CHECKSUMS] {
        let disk =
            with_xattrs(&format, &xattrs(&[("security.capability", CAPABILITY), ("user.long", &long)]));
        assert_ne!(xattr_block(&disk, "/f"), 0);
        with_xattrs(&format, &xattrs(&many));
        with_xattrs(&format, &xattrs(&[(&format!("user.{}", "n".repeat(250)), b"value")]));
    }
}

#[test]
fn inodes_of_128_bytes_keep_all_of_them_in_a_block() {
    let disk = with_xattrs(&SMALL_INODES, &xattrs(&[("security.capability", CAPABILITY)]));
    assert_ne!(xattr_block(&disk, "/f"), 0);
}

#[test]
fn a_block_that_is_not_needed_any_more_is_freed() {
    let large = with_xattrs(&ARMBIAN, &xattrs(&[("user.long", &pattern(3, 3000))]));
    let free = |disk: &Disk| Editor::open(disk.clone(), EPOCH).unwrap().free_blocks();
    let small = edited(&large, |editor| editor.set_attributes(b"/f", &xattrs(&[("user.a", b"b")])).unwrap());
    assert_consistent(&small);
    assert_eq!(free(&small), free(&large) + 1);
    assert_eq!(xattr_block(&small, "/f"), 0);
    let gone = edited(&large, |editor| editor.remove(b"/f").unwrap());
    assert_consistent(&gone);
    assert_eq!(free(&gone), free(&large) + 2);
    assert_eq!(gone.find(&pattern(3, 3000)[..64]), None);
}

#[test]
fn more_than_fits_is_an_error_and_changes_nothing() {
    let base = with_xattrs(&BLOCKS_1K, &xattrs(&[("user.a", b"b")]));
    let mut editor = Editor::open(base, EPOCH).unwrap();
    let free = editor.free_blocks();
    let error = editor.set_attributes(b"/f", &xattrs(&[("user.big", &[b'x'; 1500])])).unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
    assert_eq!(Some(editor.xattrs(b"/f").unwrap()), xattrs(&[("user.a", b"b")]).xattrs);
    assert_eq!(editor.free_blocks(), free);
    let error =
        editor.write_file(b"/new", &content(b""), &xattrs(&[("user.big", &[b'x'; 1500])])).unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
    assert_eq!(editor.metadata(b"/new").unwrap(), None);
    assert_consistent(&editor.commit().unwrap());
}

#[test]
fn names_outside_the_known_spaces_are_refused() {
    let mut editor = Editor::open(ARMBIAN.make(), EPOCH).unwrap();
    for name in ["nospace", "other.name", "user.", ""] {
        let error = editor.write_file(b"/f", &content(b""), &xattrs(&[(name, b"")])).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{name}: {error:?}");
    }
}

/// Two files that share one block of extended attributes, as the kernel's cache makes them.
fn sharing(format: &Format) -> Disk {
    let stage = vendor_tree();
    let value = "v".repeat(600);
    let disk = format.make_from(stage.path());
    let disk = debugged(&disk, &format!("ea_set /etc/hostname user.shared {value}\n"));
    let block = xattr_block(&disk, "/etc/hostname");
    let disk = debugged(&disk, &format!("sif /etc/shadow file_acl {block}\n"));
    // e2fsck counts the second reference.
    let disk = altered_by(&disk, "e2fsck", &["-fy"]);
    assert_eq!(xattr_block(&disk, "/etc/shadow"), block);
    assert_consistent(&disk);
    disk
}

#[test]
fn a_shared_block_is_copied_when_one_of_its_files_changes() {
    for format in [ARMBIAN, BLOCKS_1K, NO_CHECKSUMS, SMALL_INODES] {
        let base = sharing(&format);
        let shared = Editor::open(base.clone(), EPOCH).unwrap().xattrs(b"/etc/shadow").unwrap();
        assert_eq!(shared[&b"user.shared"[..]], vec![b'v'; 600]);

        let own = xattrs(&[("user.own", &[b'o'; 500])]);
        let changed = edited(&base, |editor| editor.set_attributes(b"/etc/hostname", &own).unwrap());
        let removed = edited(&base, |editor| editor.remove(b"/etc/hostname").unwrap());
        let replaced = edited(&base, |editor| {
            editor.write_file(b"/etc/hostname", &content(b"new"), &DEFAULT).unwrap();
        });
        for disk in [changed, removed, replaced] {
            assert_consistent(&disk);
            assert_eq!(Editor::open(disk, EPOCH).unwrap().xattrs(b"/etc/shadow").unwrap(), shared);
        }
        let both = edited(&base, |editor| {
            editor.remove(b"/etc/hostname").unwrap();
            editor.remove(b"/etc/shadow").unwrap();
        });
        assert_consistent(&both);
        assert_eq!(both.find(&[b'v'; 600]), None);
    }
}

#[test]
fn access_control_lists_pass_through_in_their_form_on_disk() {
    // Version 1; entries of tag and permissions, with an id for named users and groups only.
    let entry = |tag: u16, permissions: u16| [tag.to_le_bytes(), permissions.to_le_bytes()].concat();
    let named = [entry(2, 5), 1000_u32.to_le_bytes().to_vec()].concat();
    let on_disk =
        [1_u32.to_le_bytes().to_vec(), entry(1, 6), named, entry(4, 4), entry(0x10, 5), entry(0x20, 4)]
            .concat();
    let attributes = Attributes { mode: Some(0o654), ..xattrs(&[("system.posix_acl_access", &on_disk)]) };
    let disk =
        edited(&ARMBIAN.make(), |editor| editor.write_file(b"/f", &content(b"x"), &attributes).unwrap());
    assert_consistent(&disk);
    assert_eq!(Some(Editor::open(disk.clone(), EPOCH).unwrap().xattrs(b"/f").unwrap()), attributes.xattrs);
    if let Some(found) = kernel_xattrs(&disk, "f") {
        // The kernel's interface: version 2, every entry with an id.
        let entry = |tag: u16, permissions: u16, id: u32| {
            [tag.to_le_bytes().to_vec(), permissions.to_le_bytes().to_vec(), id.to_le_bytes().to_vec()]
                .concat()
        };
        let none = u32::MAX;
        let entries = [
            entry(1, 6, none),
            entry(2, 5, 1000),
            entry(4, 4, none),
            entry(0x10, 5, none),
            entry(0x20, 4, none),
        ];
        let expected = [2_u32.to_le_bytes().to_vec(), entries.concat()].concat();
        assert_eq!(found[&b"system.posix_acl_access"[..]], expected);
    }
}

#[test]
fn extended_attributes_on_everything_that_has_an_inode() {
    let trusted = xattrs(&[("trusted.kind", b"any"), ("security.selinux", b"system_u:object_r:etc_t:s0\0")]);
    let disk = edited(&ARMBIAN.make(), |editor| {
        editor.make_directory(b"/directory", &trusted).unwrap();
        editor.make_symlink(b"/fast", b"directory", &trusted).unwrap();
        editor.make_symlink(b"/slow", &[b'l'; 100], &trusted).unwrap();
        editor.make_node(b"/fifo", imgforge_ext4::Node::Fifo, &trusted).unwrap();
        editor.set_attributes(b"/", &trusted).unwrap();
    });
    assert_consistent(&disk);
    let editor = Editor::open(disk.clone(), EPOCH).unwrap();
    for path in [&b"/"[..], b"/directory", b"/fast", b"/slow", b"/fifo"] {
        assert_eq!(Some(editor.xattrs(path).unwrap()), trusted.xattrs, "{}", path.escape_ascii());
    }
    for path in ["", "directory", "fast", "slow", "fifo"] {
        if let Some(found) = kernel_xattrs(&disk, path) {
            assert_eq!(Some(found), trusted.xattrs, "{path}");
        }
    }
}

#[test]
fn setting_attributes_leaves_content_flags_and_the_rest_alone() {
    let base = debugged(&ARMBIAN.make_from(vendor_tree().path()), "sif /etc/hostname flags 0x80050\n");
    let mode = Attributes { mode: Some(0o600), ..DEFAULT };
    let disk = edited(&base, |editor| editor.set_attributes(b"/etc/hostname", &mode).unwrap());
    assert_consistent(&disk);
    let (before, after) = (Editor::open(base, EPOCH).unwrap(), Editor::open(disk, EPOCH).unwrap());
    let (old, new) = (
        before.metadata(b"/etc/hostname").unwrap().unwrap(),
        after.metadata(b"/etc/hostname").unwrap().unwrap(),
    );
    assert_eq!(new, imgforge_ext4::Metadata { mode: 0o600, ..old });
    assert_eq!(new.flags, 0x80050);
    assert_eq!(after.read_file(b"/etc/hostname").unwrap(), b"renegade\n");
}

#[test]
fn times_reach_beyond_2038_and_before_1970_in_large_inodes() {
    for mtime in [-1, -(1 << 31), i64::from(i32::MAX) + 1, (1 << 33) + 5, (3 << 32) + (1 << 31) - 1] {
        let disk = edited(&ARMBIAN.make(), |editor| {
            editor.write_file(b"/f", &content(b""), &Attributes { mtime: Some(mtime), ..DEFAULT }).unwrap();
        });
        assert_consistent(&disk);
        if let Some(tree) = kernel::tree(Stored::new(&disk).path()) {
            assert_eq!(tree[&b"f"[..]].mtime, mtime);
        }
        assert_eq!(Editor::open(disk, EPOCH).unwrap().metadata(b"/f").unwrap().unwrap().mtime, mtime);
    }
}

#[test]
fn times_that_the_format_cannot_say_are_refused() {
    for (format, mtime) in [(ARMBIAN, 3 << 33), (ARMBIAN, -(1 << 32)), (SMALL_INODES, 1 << 31)] {
        let mut editor = Editor::open(format.make(), EPOCH).unwrap();
        let error = editor.write_file(b"/f", &content(b""), &Attributes { mtime: Some(mtime), ..DEFAULT });
        assert!(matches!(error, Err(Error::Unsupported(_))), "{mtime}: {error:?}");
    }
}
