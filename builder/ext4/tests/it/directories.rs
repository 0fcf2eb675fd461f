//! Directories: from one block to two levels of index, under every hash, and back.

use std::collections::BTreeSet;

use ext4_view::{Ext4, Ext4Error};
use imgforge_ext4::{Editor, Error};

use crate::{
    disk::Disk,
    fixture::{
        ARMBIAN, BLOCKS_1K, DEFAULT, EPOCH, Format, MIB, NO_DIR_INDEX, RASPBERRY, altered_by, content,
        debugged, edited, vendor_tree,
    },
    oracle::{Stored, assert_consistent, debugfs, kernel},
    tree::join,
};

/// Room for 20,000 inodes.
const ROOMY_1K: Format = BLOCKS_1K.sized(24 * MIB).with("-b 1024 -N 20480");
const ROOMY_4K: Format = ARMBIAN.with("-b 4096 -N 20480");

/// Names of all lengths and bytes: ASCII, Latin-1, bytes that no encoding knows.
fn name(number: usize) -> Vec<u8> {
    let tail = match number % 4 {
        0 => vec![],
        1 => vec![0x80 | (number % 128) as u8; 1 + number % 7],
        2 => "-é".repeat(number % 9).into_bytes(),
        _ => vec![b'.'; number % 30],
    };
    [format!("{number:05}").as_bytes(), &tail].concat()
}

/// Makes empty files with the names of `numbers`.
fn crowd(editor: &mut Editor<Disk>, directory: &[u8], numbers: impl Iterator<Item = usize>) {
    for number in numbers {
        editor.write_file(&join(directory, &name(number)), &content(b""), &DEFAULT).unwrap();
    }
}

/// Fails unless every reader finds exactly the names of `numbers` in `directory`, each by its hash.
#[track_caller]
fn assert_lists(disk: &Disk, directory: &str, numbers: impl Iterator<Item = usize>) {
    let expected: BTreeSet<Vec<u8>> = numbers.map(name).collect();
    let editor = Editor::open(disk.clone(), EPOCH).unwrap();
    let listed: Vec<_> = editor.read_directory(directory.as_bytes()).unwrap();
    let listed: BTreeSet<_> = listed.into_iter().map(|entry| entry.name).collect();
    assert!(listed == expected, "the editor lists {} names, not {}", listed.len(), expected.len());

    let fs = Ext4::load(Box::new(disk.clone())).unwrap();
    let listed = fs.read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().as_ref().to_vec());
    let listed: BTreeSet<_> = listed.filter(|name| !matches!(name.as_slice(), b"." | b"..")).collect();
    assert!(listed == expected, "ext4-view lists {} names, not {}", listed.len(), expected.len());
    // It knows one hash of three, and its signed form only, which is the same for names of ASCII.
    for name in expected.iter().filter(|name| name.is_ascii()).step_by(97) {
        match fs.exists(join(directory.as_bytes(), name).as_slice()) {
            Ok(found) => assert!(found, "ext4-view does not find {}", name.escape_ascii()),
            Err(Ext4Error::Incompatible(_)) => break,
            Err(error) => panic!("ext4-view: {error}"),
        }
    }

    let stored = Stored::new(disk);
    if let Some(found) = kernel::tree(stored.path()) {
        let within = [&directory.as_bytes()[1..], b"/"].concat();
        let found: BTreeSet<_> =
            found.keys().filter_map(|path| path.strip_prefix(within.as_slice())).collect();
        assert!(found.len() == expected.len() && expected.iter().all(|name| found.contains(name.as_slice())));
    }
}

/// Depth of a directory's index as debugfs shows it: 0 when the directory is linear.
fn index_levels(disk: &Disk, directory: &str) -> u64 {
    let said = debugfs::ask(Stored::new(disk).path(), &format!("htree_dump {directory}"));
    if said.contains("Indirect levels") { 1 + debugfs::number(&said, "Indirect levels:") } else { 0 }
}

#[test]
fn twenty_thousand_names_get_an_index_of_one_level_in_blocks_of_4_kib_and_two_in_1_kib() {
    for (format, levels) in [(ROOMY_4K, 1), (ROOMY_1K, 2)] {
        let disk = edited(&format.make(), |editor| {
            editor.make_directory(b"/crowd", &DEFAULT).unwrap();
            crowd(editor, b"/crowd", 0..20_000);
        });
        assert_consistent(&disk);
        assert_eq!(index_levels(&disk, "/crowd"), levels);
        assert_lists(&disk, "/crowd", 0..20_000);

        // And back to a handful, in one block.
        let disk = edited(&disk, |editor| {
            for number in 7..20_000 {
                editor.remove(&join(b"/crowd", &name(number))).unwrap();
            }
        });
        assert_consistent(&disk);
        assert_eq!(index_levels(&disk, "/crowd"), 0);
        assert_lists(&disk, "/crowd", 0..7);
        assert_eq!(disk.find(&name(19_999)), None, "a removed name is left on the device");
    }
}

#[test]
fn every_hash_in_both_signs_is_spoken() {
    for algorithm in ["half_md4", "tea", "legacy"] {
        // EXT2_FLAGS_SIGNED_HASH, EXT2_FLAGS_UNSIGNED_HASH
        for flags in [1, 2] {
            let base = altered_by(&BLOCKS_1K.make(), "tune2fs", &["-E", &format!("hash_alg={algorithm}")]);
            let base = debugged(&base, &format!("ssv flags {flags}\n"));
            let disk = edited(&base, |editor| {
                editor.make_directory(b"/crowd", &DEFAULT).unwrap();
                crowd(editor, b"/crowd", 0..1500);
            });
            assert_consistent(&disk);
            assert_eq!(index_levels(&disk, "/crowd"), 1, "{algorithm}");
            assert_lists(&disk, "/crowd", 0..1500);
        }
    }
}

#[test]
fn an_index_made_by_others_is_read_and_edited() {
    let stage = vendor_tree();
    for number in 0..1500 {
        std::fs::write(stage.at(&join(b"many", &name(number))), b"").unwrap();
        std::fs::remove_file(
            stage.at(format!("many/entry-{number:05}-of-a-directory-with-several-blocks").as_bytes()),
        )
        .unwrap_or_default();
    }
    let base = altered_by(&BLOCKS_1K.make_from(stage.path()), "e2fsck", &["-fyD"]);
    assert_eq!(index_levels(&base, "/many"), 1);
    let disk = edited(&base, |editor| {
        for number in (0..1500).step_by(2) {
            editor.remove(&join(b"/many", &name(number))).unwrap();
        }
        crowd(editor, b"/many", 1500..1700);
    });
    assert_consistent(&disk);
    assert_lists(&disk, "/many", (0..1500).filter(|number| number % 2 == 1).chain(1500..1700));
}

#[test]
fn without_dir_index_a_long_directory_stays_linear() {
    let disk = edited(&NO_DIR_INDEX.make(), |editor| {
        editor.make_directory(b"/crowd", &DEFAULT).unwrap();
        crowd(editor, b"/crowd", 0..1500);
    });
    assert_consistent(&disk);
    assert_eq!(index_levels(&disk, "/crowd"), 0);
    assert_lists(&disk, "/crowd", 0..1500);
}

#[test]
fn names_may_be_any_255_bytes() {
    let names: Vec<Vec<u8>> = (1..=255).filter(|byte| *byte != b'/').map(|byte| vec![byte; 255]).collect();
    for format in [ARMBIAN, RASPBERRY, BLOCKS_1K] {
        let disk = edited(&format.make(), |editor| {
            for name in &names {
                editor.write_file(&join(b"/", name), &content(name), &DEFAULT).unwrap();
            }
        });
        assert_consistent(&disk);
        let fs = Ext4::load(Box::new(disk)).unwrap();
        for name in &names {
            assert_eq!(&fs.read([b"/", name.as_slice()].concat().as_slice()).unwrap(), name);
        }
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    let mut editor = Editor::open(ARMBIAN.make(), EPOCH).unwrap();
    for path in [&b""[..], b"/", b"/.", b"/..", b"/lost+found/..", b"/a\0b", &[b'n'; 256]] {
        let error = editor.write_file(path, &content(b""), &DEFAULT).unwrap_err();
        assert!(matches!(error, Error::InvalidPath { .. }), "{}: {error:?}", path.escape_ascii());
    }
}

#[test]
fn a_directory_counts_its_subdirectories_up_to_the_limit() {
    // Beyond 65,000 links a directory counts no more, and says 1 (feature dir_nlink).
    let format = BLOCKS_1K.sized(112 * MIB).with("-b 1024 -N 65536");
    let disk = edited(&format.make(), |editor| {
        editor.make_directory(b"/crowd", &DEFAULT).unwrap();
        for number in 0..64_998 {
            editor.make_directory(&join(b"/crowd", format!("{number}").as_bytes()), &DEFAULT).unwrap();
        }
        assert_eq!(editor.metadata(b"/crowd").unwrap().unwrap().links, 65_000);
        editor.make_directory(b"/crowd/one too many", &DEFAULT).unwrap();
        assert_eq!(editor.metadata(b"/crowd").unwrap().unwrap().links, 1);
    });
    assert_consistent(&disk);
}

#[test]
fn only_directories_that_changed_are_written_anew() {
    let base = ARMBIAN.make_from(vendor_tree().path());
    let touched = |path: &'static [u8]| {
        let disk = edited(&base, |editor| editor.write_file(path, &content(b"x"), &DEFAULT).unwrap());
        base.differences(&disk)
    };
    let block =
        |path| debugfs::number(&debugfs::ask(Stored::new(&base).path(), &format!("bmap {path} 0")), "");
    let (many, etc) = (block("/many"), block("/etc"));
    assert!(touched(b"/etc/new").contains(&etc) && !touched(b"/etc/new").contains(&many));
    assert!(touched(b"/many/new").contains(&many) && !touched(b"/many/new").contains(&etc));
}
