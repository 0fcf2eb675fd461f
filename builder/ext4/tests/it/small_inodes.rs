//! Inodes of 128 bytes: neither nanoseconds nor room for attributes, half a checksum. mke2fs before 1.46.4 gave them to
//! file systems below 512 MiB, image builders still do.

use ext4_view::Ext4;
use imgforge_ext4::{Attributes, Device};

use crate::{
    fixture::{ARMBIAN, BASE_TIME, BLOCKS_1K, Format, MIB, content, edited, pattern, vendor_tree, xattrs},
    oracle::{Stored, assert_consistent, debugfs},
};

/// With every feature that mke2fs sets by itself, `extra_isize` among them.
const FORMATS: [Format; 3] = [
    ARMBIAN.with("-b 4096 -I 128"),
    BLOCKS_1K.with("-b 1024 -I 128"),
    Format { features: "^metadata_csum,uninit_bg,^64bit", ..BLOCKS_1K.with("-b 1024 -I 128") },
];

#[test]
fn debugfs_reads_what_was_written_and_e2fsck_finds_nothing() {
    for format in FORMATS {
        let disk = format.make_from(vendor_tree().path()).enlarged(format.size + 20 * MIB);
        let attributes = Attributes {
            mode: Some(0o4751),
            uid: Some(70_000),
            gid: Some(80_000),
            mtime: Some(BASE_TIME + 7),
            ..xattrs(&[("user.colour", b"green")])
        };
        let disk = edited(&disk, |editor| {
            editor.grow(disk.size()).unwrap();
            editor.write_file(b"/etc/new", &content(&pattern(1, 300_000)), &attributes).unwrap();
            editor.make_symlink(b"/etc/link", &[b't'; 100], &Attributes::default()).unwrap();
            editor.remove_all(b"/many").unwrap();
        });
        assert_consistent(&disk);
        let stored = Stored::new(&disk);
        assert_eq!(debugfs::content(stored.path(), "/etc/new"), pattern(1, 300_000));
        let said = debugfs::ask(stored.path(), "stat /etc/new");
        for words in ["Mode:  04751", "User: 70000", "Group: 80000", "Size: 300000"] {
            assert!(said.contains(words), "{words:?} is not in: {said}");
        }
        assert!(debugfs::ask(stored.path(), "ea_list /etc/new").contains("user.colour (5) = \"green\""));
        assert!(debugfs::ask(stored.path(), "stat /etc/link").lines().next().unwrap().contains("symlink"));
    }
}

/// Why the judge of these tests reads them without checksums. When this fails, it need no longer.
#[test]
fn ext4_view_reads_them_without_checksums_only() {
    for (format, readable) in FORMATS.iter().zip([false, false, true]) {
        let read = Ext4::load(Box::new(format.make())).and_then(|fs| fs.metadata("/"));
        assert_eq!(read.is_ok(), readable, "{format:?}");
    }
}
