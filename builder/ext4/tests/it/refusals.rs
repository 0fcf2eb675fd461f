//! What the editor does not understand it refuses by name, before it has written a byte.

use imgforge_ext4::{Editor, Error};

use crate::{
    disk::Disk,
    fixture::{ARMBIAN, DEFAULT, EPOCH, Format, KIB, MIB, content, debugged, edited},
    oracle::assert_consistent,
};

/// The error with which `disk` is refused.
#[track_caller]
fn refusal(disk: Disk) -> Error {
    match Editor::open(disk, EPOCH) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

/// Fails unless `disk` is refused as unsupported with `name` in the message.
#[track_caller]
fn assert_unsupported(disk: Disk, name: &str) {
    let error = refusal(disk);
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains(name), "{name} is not in: {error}");
}

/// Fails unless `disk` is refused with an error that says `words`.
#[track_caller]
fn assert_refused(disk: Disk, words: &[&str]) {
    let said = refusal(disk).to_string();
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[test]
fn features_the_editor_does_not_know_are_named() {
    for (features, name) in [
        ("inline_data", "inline_data"),
        ("encrypt", "encrypt"),
        ("casefold", "casefold"),
        ("bigalloc", "bigalloc"),
        ("meta_bg,^resize_inode", "meta_bg"),
        ("ea_inode", "ea_inode"),
        ("quota", "quota"),
        ("quota,project", "quota"),
        ("mmp", "mmp"),
        ("verity", "verity"),
        ("large_dir", "large_dir"),
        ("sparse_super2", "sparse_super2"),
        ("^extent,^64bit", "extent"),
    ] {
        assert_unsupported(Format { features, ..ARMBIAN }.make(), name);
    }
}

/// Whatever mke2fs makes is opened or called unsupported: to call it damaged would be untrue.
#[test]
fn nothing_that_mke2fs_makes_is_called_damaged() {
    let refused = [
        ("-b 8192", "", "block size 8192"),
        ("-b 65536", "", "block size 65536"),
        ("-r 0 -b 1024 -I 128", "none", "revision 0"),
        ("-o hurd -b 4096 -I 128", "none", "Hurd"),
        ("-b 4096 -C 65536", "bigalloc", "bigalloc"),
        ("-b 4096", "^extent,^64bit,^metadata_csum,^has_journal,^flex_bg", "extent"),
        ("-b 4096", "^extent,^64bit,^metadata_csum,^flex_bg", "extent"),
        ("-b 4096", "^filetype", "filetype"),
        ("-b 4096", "stable_inodes", "stable_inodes"),
        ("-b 4096 -E desc_size=128", "", "group descriptors of 128 bytes"),
    ];
    for (options, features, name) in refused {
        println!("{options} {features}");
        assert_unsupported(Format { features, ..ARMBIAN.with(options) }.make(), name);
    }
}

#[test]
fn odd_sizes_that_mke2fs_makes_are_edited() {
    let opened = [
        ("-b 1024 -I 128", "", 16 * MIB),
        ("-b 4096 -I 4096", "", 16 * MIB),
        ("-b 1024 -I 1024 -g 1024", "", 4 * MIB),
        ("-b 1024 -I 128 -N 16 -g 256 -m 0", "^has_journal,^resize_inode", 512 * KIB),
        ("-b 1024 -I 128 -N 8", "^has_journal,^resize_inode,^metadata_csum", 64 * KIB),
        ("-b 4096 -G 1", "", 32 * MIB),
        ("-b 1024 -G 1048576", "", 32 * MIB),
        ("-b 1024 -g 256", "^sparse_super,^resize_inode", 8 * MIB),
        ("-b 4096 -E packed_meta_blocks=1", "", 32 * MIB),
        ("-b 4096 -E lazy_itable_init=1,nodiscard", "", 32 * MIB),
        ("-b 4096 -E stride=8,stripe_width=16,resize=1000000", "", 32 * MIB),
        ("-b 4096 -J size=8,fast_commit_size=1", "fast_commit", 32 * MIB),
        ("-b 4096 -e panic -m 50 -M /mnt -L sixteen-letters", "", 32 * MIB),
        ("-b 4096 -o freebsd", "", 32 * MIB),
        ("-b 4096 -U null", "metadata_csum_seed", 32 * MIB),
    ];
    for (options, features, size) in opened {
        println!("{options} {features}");
        let format = Format { features, size, ..ARMBIAN.with(options) };
        let disk = edited(&format.make(), |editor| {
            editor.write_file(b"/file", &content(b"bytes"), &DEFAULT).unwrap();
            editor.make_directory(b"/directory", &DEFAULT).unwrap();
        });
        assert_consistent(&disk);
    }
}

#[test]
fn bits_nobody_has_named_yet_are_refused_with_their_number() {
    let disk = Format { features: "^metadata_csum", ..ARMBIAN }.make();
    for (field, offset) in [("compat", 0x5c), ("incompat", 0x60), ("ro_compat", 0x64)] {
        let mut disk = disk.clone();
        disk.alter(1024 + offset + 3, |byte| byte | 0x40);
        let said = refusal(disk).to_string();
        assert!(said.contains("0x40000000") && said.contains(field), "{said}");
    }
}

#[test]
fn a_journal_that_has_to_be_replayed_is_refused() {
    assert_refused(debugged(&ARMBIAN.make(), "feature needs_recovery\n"), &["needs_recovery"]);
    let replayable = debugged(&ARMBIAN.make(), "jo -c\njw -b 700 /dev/null\njc\nfeature -needs_recovery\n");
    assert_refused(replayable, &["journal"]);
}

#[test]
fn a_file_system_with_errors_or_not_cleanly_unmounted_is_refused() {
    assert_refused(debugged(&ARMBIAN.make(), "ssv state 3\n"), &["error"]);
    assert_refused(debugged(&ARMBIAN.make(), "ssv state 0\n"), &["unmounted"]);
}

#[test]
fn orphans_are_refused() {
    assert_refused(debugged(&ARMBIAN.make(), "ssv last_orphan 12\n"), &["orphan"]);
    let orphan_file = Format { features: "orphan_file", ..ARMBIAN }.make();
    assert_unsupported(debugged(&orphan_file, "feature orphan_present\n"), "orphan_present");
}

#[test]
fn other_things_than_ext4_are_refused() {
    assert_refused(Format { features: "none,journal_dev", ..ARMBIAN }.make(), &["unsupported"]);
    for disk in [Disk::zeros(0), Disk::zeros(1024), Disk::zeros(1536), Disk::zeros(1 << 20)] {
        assert!(matches!(refusal(disk), Error::NotExt4 { magic: 0 }));
    }
    let mut other = ARMBIAN.make();
    other.alter(1024 + 0x38, |_| 0x52);
    assert!(matches!(refusal(other), Error::NotExt4 { magic: 0xef52 }));
}

#[test]
fn a_device_smaller_than_its_file_system_is_refused() {
    let disk = ARMBIAN.make();
    let mut smaller = Disk::zeros(ARMBIAN.size - 4096);
    for page in disk.pages() {
        imgforge_ext4::Device::write_at(&mut smaller, page * 4096, &disk.bytes(page * 4096, 4096)).unwrap();
    }
    assert_refused(smaller, &["blocks"]);
}

#[test]
fn a_wrong_checksum_in_superblock_or_descriptors_is_found_on_opening() {
    let disk = ARMBIAN.make();
    // s_wtime, s_log_groups_per_flex; then bg_free_blocks_count_lo of group 0.
    for (offset, name) in
        [(1024 + 0x30, "superblock"), (1024 + 0x174, "superblock"), (4096 + 0x0c, "descriptor")]
    {
        let mut disk = disk.clone();
        disk.alter(offset, |byte| byte ^ 1);
        let error = refusal(disk);
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains(name) && error.to_string().contains("checksum"), "{error}");
    }
}

/// Every byte of the superblock's defined fields in turn, with no checksum in the way: no panic, no hang, and
/// no memory taken on the word of a damaged field.
#[test]
fn no_superblock_value_is_trusted_unchecked() {
    let format = Format { features: "^metadata_csum", ..ARMBIAN };
    let disk = format.make();
    for offset in 0..0x280 {
        for value in [0, 1, 0x7f, 0xff] {
            let mut disk = disk.clone();
            disk.alter(1024 + offset, |_| value);
            if let Ok(editor) = Editor::open(disk, EPOCH) {
                let _ = editor.read_directory(b"/");
            }
        }
    }
}
