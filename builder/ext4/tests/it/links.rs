//! Hard links, symbolic links, and what has neither content nor names in it.

use imgforge_ext4::{Editor, Error, FileType, Node};

use crate::{
    fixture::{ARMBIAN, BLOCKS_1K, DEFAULT, EPOCH, content, edited, vendor_tree},
    oracle::{Stored, assert_consistent, debugfs},
};

#[test]
fn one_file_may_have_names_in_many_directories() {
    let base = ARMBIAN.make_from(vendor_tree().path());
    let disk = edited(&base, |editor| {
        editor.make_hard_link(b"/usr/bin/tool", b"/etc/tool").unwrap();
        editor.remove(b"/usr/bin/tool").unwrap();
        editor.remove(b"/usr/lib/alias").unwrap();
    });
    assert_consistent(&disk);
    let editor = Editor::open(disk, EPOCH).unwrap();
    let (alias, tool) = (
        editor.metadata(b"/usr/bin/alias").unwrap().unwrap(),
        editor.metadata(b"/etc/tool").unwrap().unwrap(),
    );
    assert_eq!(alias, tool);
    assert_eq!(alias.links, 2);
}

#[test]
fn replacing_one_name_leaves_the_others_as_they_were() {
    let base = ARMBIAN.make_from(vendor_tree().path());
    let old = Editor::open(base.clone(), EPOCH).unwrap().read_file(b"/usr/bin/tool").unwrap();
    let disk =
        edited(&base, |editor| editor.write_file(b"/usr/bin/tool", &content(b"new"), &DEFAULT).unwrap());
    assert_consistent(&disk);
    let editor = Editor::open(disk, EPOCH).unwrap();
    assert_eq!(editor.read_file(b"/usr/bin/tool").unwrap(), b"new");
    assert_eq!(editor.read_file(b"/usr/lib/alias").unwrap(), old);
    assert_eq!(editor.metadata(b"/usr/lib/alias").unwrap().unwrap().links, 2);
    assert_eq!(editor.metadata(b"/usr/bin/tool").unwrap().unwrap().links, 1);
}

#[test]
fn what_is_made_takes_the_place_of_anything_but_a_directory() {
    let disk = edited(&ARMBIAN.make_from(vendor_tree().path()), |editor| {
        editor.make_symlink(b"/etc/hostname", b"/proc/hostname", &DEFAULT).unwrap();
        editor.make_node(b"/etc/long", Node::Fifo, &DEFAULT).unwrap();
        editor.make_hard_link(b"/usr/lib/empty", b"/etc/shadow").unwrap();
        editor.make_hard_link(b"/usr/lib/alias", b"/usr/bin/tool").unwrap();
        for error in [
            editor.make_symlink(b"/usr", b"x", &DEFAULT),
            editor.make_node(b"/usr", Node::Fifo, &DEFAULT),
            editor.make_hard_link(b"/bin", b"/usr"),
            editor.write_file(b"/usr", &content(b"x"), &DEFAULT),
        ] {
            assert!(matches!(error, Err(Error::IsADirectory(_))), "{error:?}");
        }
    });
    assert_consistent(&disk);
    let editor = Editor::open(disk, EPOCH).unwrap();
    assert_eq!(editor.read_link(b"/etc/hostname").unwrap(), b"/proc/hostname");
    assert_eq!(editor.metadata(b"/etc/long").unwrap().unwrap().file_type, FileType::Fifo);
    assert_eq!(editor.metadata(b"/etc/shadow").unwrap().unwrap().links, 2);
    assert_eq!(editor.metadata(b"/usr/bin/tool").unwrap().unwrap().links, 3);
}

#[test]
fn the_last_name_takes_the_blocks_with_it() {
    let base = ARMBIAN.make_from(vendor_tree().path());
    let mut editor = Editor::open(base, EPOCH).unwrap();
    let (blocks, inodes) = (editor.free_blocks(), editor.free_inodes());
    editor.remove(b"/usr/bin/tool").unwrap();
    editor.remove(b"/usr/bin/alias").unwrap();
    assert_eq!((editor.free_blocks(), editor.free_inodes()), (blocks, inodes));
    editor.remove(b"/usr/lib/alias").unwrap();
    assert_eq!(
        (editor.free_blocks(), editor.free_inodes()),
        (blocks + 150_000_u64.div_ceil(4096), inodes + 1)
    );
    assert_consistent(&editor.commit().unwrap());
}

#[test]
fn short_targets_live_in_the_inode_and_long_ones_in_a_block() {
    for format in [ARMBIAN, BLOCKS_1K] {
        let mut editor = Editor::open(format.make(), EPOCH).unwrap();
        let block_size = editor.superblock().block_size() as usize;
        for (length, sectors) in [(1, 0), (59, 0), (60, block_size / 512), (block_size - 1, block_size / 512)]
        {
            let path = format!("/{length}").into_bytes();
            editor.make_symlink(&path, &vec![b't'; length], &DEFAULT).unwrap();
            assert_eq!(editor.metadata(&path).unwrap().unwrap().sectors, sectors as u64, "{length}");
            assert_eq!(editor.read_link(&path).unwrap(), vec![b't'; length]);
        }
        for length in [0, block_size] {
            assert!(editor.make_symlink(b"/none", &vec![b't'; length], &DEFAULT).is_err(), "{length}");
        }
        assert_consistent(&editor.commit().unwrap());
    }
}

#[test]
fn symbolic_links_in_a_path_stay_inside_the_file_system() {
    let disk = edited(&ARMBIAN.make_from(vendor_tree().path()), |editor| {
        editor.make_symlink(b"/absolute", b"/usr/lib", &DEFAULT).unwrap();
        editor.make_symlink(b"/usr/relative", b"./../usr//bin/", &DEFAULT).unwrap();
        editor.make_symlink(b"/escape", b"../../../../etc", &DEFAULT).unwrap();
        editor.make_symlink(b"/usr/lib/two", b"/absolute/../relative", &DEFAULT).unwrap();
        for (path, real) in [
            (&b"/bin/1"[..], &b"/usr/bin/1"[..]),
            (b"/absolute/2", b"/usr/lib/2"),
            (b"usr/relative/3", b"/usr/bin/3"),
            (b"/escape/4", b"/etc/4"),
            (b"/usr/lib/two/5", b"/usr/bin/5"),
            (b"/../../6", b"/6"),
        ] {
            editor.write_file(path, &content(path), &DEFAULT).unwrap();
            assert_eq!(editor.read_file(real).unwrap(), path);
        }
    });
    assert_consistent(&disk);
}

#[test]
fn the_last_name_of_a_path_is_never_followed() {
    let mut editor = Editor::open(ARMBIAN.make_from(vendor_tree().path()), EPOCH).unwrap();
    assert_eq!(editor.metadata(b"/bin").unwrap().unwrap().file_type, FileType::Symlink);
    assert!(matches!(editor.make_directory(b"/bin", &DEFAULT), Err(Error::AlreadyExists(_))));
    editor.write_file(b"/bin", &content(b"a file now"), &DEFAULT).unwrap();
    assert_eq!(editor.metadata(b"/bin").unwrap().unwrap().file_type, FileType::Regular);
    assert_eq!(editor.metadata(b"/usr/bin").unwrap().unwrap().file_type, FileType::Directory);
}

#[test]
fn loops_of_symbolic_links_end() {
    let mut editor = Editor::open(ARMBIAN.make(), EPOCH).unwrap();
    editor.make_symlink(b"/self", b"self", &DEFAULT).unwrap();
    editor.make_symlink(b"/ping", b"pong", &DEFAULT).unwrap();
    editor.make_symlink(b"/pong", b"/ping", &DEFAULT).unwrap();
    for path in [&b"/self/x"[..], b"/ping/x"] {
        assert!(matches!(editor.metadata(path), Err(Error::InvalidPath { .. })));
    }
    for number in 0..=41 {
        let target =
            if number == 0 { b"lost+found".to_vec() } else { format!("chain-{}", number - 1).into_bytes() };
        editor.make_symlink(format!("/chain-{number}").as_bytes(), &target, &DEFAULT).unwrap();
    }
    editor.write_file(b"/chain-39/forty", &content(b""), &DEFAULT).unwrap();
    assert!(matches!(editor.metadata(b"/chain-40/forty"), Err(Error::InvalidPath { .. })));
}

#[test]
fn device_numbers_are_kept_in_the_old_form_where_it_has_room() {
    let disk = edited(&ARMBIAN.make(), |editor| {
        for (path, node) in [
            ("/null", Node::CharDevice { major: 1, minor: 3 }),
            ("/nvme", Node::BlockDevice { major: 259, minor: 300 }),
            ("/max", Node::CharDevice { major: 4095, minor: (1 << 20) - 1 }),
        ] {
            editor.make_node(path.as_bytes(), node, &DEFAULT).unwrap();
        }
    });
    assert_consistent(&disk);
    let stored = Stored::new(&disk);
    for (path, numbers) in [
        ("/null", "01:03 (hex 01:03)"),
        ("/nvme", "259:300 (hex 103:12c)"),
        ("/max", "4095:1048575 (hex fff:fffff)"),
    ] {
        let said = debugfs::ask(stored.path(), &format!("stat {path}"));
        assert!(said.contains(numbers), "{said}");
    }
}

#[test]
fn device_numbers_that_the_format_cannot_say_are_refused() {
    let mut editor = Editor::open(ARMBIAN.make(), EPOCH).unwrap();
    for (major, minor) in [(4096, 0), (0, 1 << 20)] {
        let error = editor.make_node(b"/dev", Node::CharDevice { major, minor }, &DEFAULT).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
    }
}

#[test]
fn directories_have_one_name() {
    let mut editor = Editor::open(ARMBIAN.make_from(vendor_tree().path()), EPOCH).unwrap();
    assert!(matches!(editor.make_hard_link(b"/usr", b"/usr/loop"), Err(Error::IsADirectory(_))));
    assert!(matches!(editor.remove(b"/usr"), Err(Error::NotEmpty(_))));
    editor.remove(b"/var/empty").unwrap();
    editor.remove_all(b"/usr").unwrap();
    assert_eq!(editor.metadata(b"/usr/bin").unwrap(), None);
    assert_consistent(&editor.commit().unwrap());
}
