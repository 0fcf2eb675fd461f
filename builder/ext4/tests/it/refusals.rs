//! What the editor does not understand it refuses by name, before it has written a byte.

use imgforge_ext4::{Editor, Error};

use crate::{
    disk::Disk,
    fixture::{ARMBIAN, EPOCH, Format, debugged},
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
        let said = refusal(disk).to_string();
        assert!(!said.is_empty());
    }
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
