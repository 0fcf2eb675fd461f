//! A journal that the next mount would refuse, or replay, is refused; e2fsck is the judge of what is whole.

use imgforge_ext4::{Device, Editor, Error};

use crate::{
    disk::Disk,
    fixture::{BLOCKS_1K, EPOCH, Format, NO_JOURNAL, altered_by, debugged},
    oracle::{Stored, debugfs, e2fsck},
};

/// A file system of blocks of 1 KiB, and the byte at which its journal begins.
fn with_journal(format: &Format) -> (Disk, u64) {
    let disk = format.make();
    let block = debugfs::number(&debugfs::ask(Stored::new(&disk).path(), "bmap <8> 0"), "");
    (disk, block * 1024)
}

/// Offset in the journal's superblock, bytes that go there, and what the refusal says.
type Case = (u64, &'static [u8], &'static str);

#[track_caller]
fn assert_as_e2fsck_says(disk: &Disk, journal: u64, (offset, bytes, words): Case) {
    let mut damaged = disk.clone();
    damaged.write_at(journal + offset, bytes).unwrap();
    assert!(e2fsck::complaint(Stored::new(&damaged).path()).is_some(), "{words}: e2fsck finds nothing");
    let said = match Editor::open(damaged, EPOCH) {
        Ok(_) => panic!("{words}: opened"),
        Err(error) => error.to_string(),
    };
    assert!(said.contains("journal") && said.contains(words), "{words:?} is not in: {said}");
}

#[test]
fn a_damaged_superblock_of_the_journal_is_refused_with_its_field() {
    let (disk, journal) = with_journal(&BLOCKS_1K);
    assert!(
        Editor::open(disk.clone(), EPOCH).is_ok() && e2fsck::complaint(Stored::new(&disk).path()).is_none()
    );
    let cases: [Case; 8] = [
        (0x00, &[0; 4], "h_magic is 0x0"),
        (0x04, &[0, 0, 0, 1], "h_blocktype is 0x1"),
        (0x04, &[0, 0, 0, 9], "h_blocktype is 0x9"),
        (0x0c, &[0, 0, 0x10, 0], "s_blocksize is 0x1000"),
        (0x10, &[0, 1, 0, 0], "s_maxlen is 0x10000"),
        (0x1c, &[0, 0, 0, 1], "not empty"),
        (0x28, &[0x80, 0, 0, 0], "unknown feature bits 0x80000000"),
        (0x28, &[0, 0, 0, 0x18], "s_feature_incompat is 0x18"),
    ];
    for case in cases {
        assert_as_e2fsck_says(&disk, journal, case);
    }
}

#[test]
fn the_checksum_of_the_journal_is_verified() {
    let (disk, _) = with_journal(&BLOCKS_1K);
    let disk = debugged(&disk, "jo -c\njc\n");
    let (disk, journal) = (altered_by(&disk, "e2fsck", &["-fy"]), with_journal(&BLOCKS_1K).1);
    assert_eq!(disk.bytes(journal + 0x2b, 1)[0] & 0x10, 0x10, "the journal has checksums");
    assert!(Editor::open(disk.clone(), EPOCH).is_ok());
    for case in [(0x18, &[9][..], "s_checksum is"), (0x50, &[1], "s_checksum_type is 0x1")] {
        assert_as_e2fsck_says(&disk, journal, case);
    }
}

#[test]
fn a_journal_that_is_no_file_of_its_length_is_refused() {
    for (script, words) in [
        ("sif <8> mode 040600\n", "journal: i_mode"),
        ("sif <8> size 0\n", "journal: blocks"),
        ("clri <8>\n", "inode 8"),
    ] {
        let disk = debugged(&BLOCKS_1K.make(), script);
        assert!(e2fsck::complaint(Stored::new(&disk).path()).is_some(), "{script}: e2fsck finds nothing");
        let error = Editor::open(disk, EPOCH).err().unwrap();
        assert!(matches!(error, Error::Corrupt(_)) && error.to_string().contains(words), "{error}");
    }
}

/// e2fsck lets this pass; the kernel gives up the journal when it comes to the hole.
#[test]
fn a_journal_with_a_hole_is_refused() {
    let error = Editor::open(debugged(&BLOCKS_1K.make(), "punch <8> 100 200\n"), EPOCH).err().unwrap();
    assert!(matches!(error, Error::Corrupt(_)) && error.to_string().contains("journal: blocks"), "{error}");
}

#[test]
fn without_a_journal_there_is_nothing_to_check() {
    assert!(Editor::open(NO_JOURNAL.make(), EPOCH).is_ok());
}
