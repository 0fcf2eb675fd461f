//! Edits from end to end on images of mke2fs, judged by e2fsck. The matrix of options lies in `tests/`.

use std::{fs, os::unix::fs::FileExt, process::Command, sync::Arc};

use crate::{Attributes, Content, Device, Editor, Error, FileType, Node, Xattrs, allocate::Kind};

const EPOCH: i64 = 1_700_000_000;

/// An empty file system of `size` (`8M`) made with `options` of mke2fs.
pub(crate) fn image(options: &str, size: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-U", "01234567-89ab-cdef-0123-456789abcdef"])
        .args(options.split_whitespace())
        .arg(file.path())
        .arg(size)
        .output()
        .expect("mke2fs is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(file.path()).unwrap()
}

/// Panics unless e2fsck finds nothing to say.
fn check(image: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(image.len() as u64).unwrap();
    for (at, chunk) in (0..).step_by(1 << 16).zip(image.chunks(1 << 16)) {
        if chunk.iter().any(|byte| *byte != 0) {
            file.as_file().write_all_at(chunk, at).unwrap();
        }
    }
    let output = Command::new("e2fsck").arg("-fn").arg(file.path()).output().expect("e2fsck is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

pub(crate) fn open(image: Vec<u8>) -> Editor<Vec<u8>> {
    Editor::open(image, EPOCH).unwrap()
}

/// Commits, has e2fsck judge, opens again.
fn reopen(editor: Editor<Vec<u8>>) -> Editor<Vec<u8>> {
    let image = editor.commit().unwrap();
    check(&image);
    open(image)
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|i| (i / 7) as u8 ^ seed).collect()
}

fn write(editor: &mut Editor<Vec<u8>>, path: &str, data: &[u8]) {
    let content: Arc<dyn Content> = Arc::new(data.to_vec());
    editor.write_file(path.as_bytes(), &content, &Attributes::default()).unwrap();
}

const NONE: Attributes = Attributes { mode: None, uid: None, gid: None, mtime: None, xattrs: None };

const LAYOUTS: [&str; 8] = [
    "-b 4096 -O 64bit,metadata_csum",
    "-b 4096 -O ^64bit,metadata_csum",
    "-b 4096 -O ^64bit,^metadata_csum,uninit_bg",
    "-b 4096 -O ^metadata_csum,^uninit_bg,^flex_bg",
    "-b 1024 -O metadata_csum,metadata_csum_seed",
    "-b 2048 -O orphan_file",
    "-b 1024 -I 128 -O ^64bit",
    "-b 4096 -O ^has_journal,^resize_inode,^dir_index",
];

#[test]
fn files_and_directories_come_change_and_go() {
    for layout in LAYOUTS {
        let mut editor = open(image(layout, "24M"));
        let before = (editor.free_blocks(), editor.free_inodes());
        editor.make_directory(b"/a", &Attributes { mode: Some(0o750), ..NONE }).unwrap();
        editor.make_directory(b"/a/b", &NONE).unwrap();
        write(&mut editor, "/a/b/small", b"hello");
        write(&mut editor, "/a/empty", b"");
        write(&mut editor, "/a/large", &bytes(1_000_000, 1));
        let mut editor = reopen(editor);
        assert_eq!(editor.read_file(b"a/b/small").unwrap(), b"hello");
        assert_eq!(editor.read_file(b"/a/large").unwrap(), bytes(1_000_000, 1));
        let a = editor.metadata(b"/a").unwrap().unwrap();
        assert_eq!((a.file_type, a.mode, a.links, a.mtime), (FileType::Directory, 0o750, 3, EPOCH));

        write(&mut editor, "/a/large", &bytes(2_000_000, 2));
        write(&mut editor, "/a/b/small", b"");
        let mut editor = reopen(editor);
        assert_eq!(editor.read_file(b"/a/large").unwrap(), bytes(2_000_000, 2));
        assert_eq!(editor.read_file(b"/a/b/small").unwrap(), b"");

        assert!(matches!(editor.remove(b"/a"), Err(Error::NotEmpty(_))));
        editor.remove(b"/a/empty").unwrap();
        editor.remove_all(b"/a").unwrap();
        let editor = reopen(editor);
        assert_eq!(editor.metadata(b"/a").unwrap(), None);
        assert_eq!((editor.free_blocks(), editor.free_inodes()), before, "{layout}");
    }
}

#[test]
fn large_directories_are_indexed_and_shrink_again() {
    for layout in LAYOUTS {
        let mut editor = open(image(&format!("{layout} -N 30000"), "32M"));
        editor.make_directory(b"/many", &NONE).unwrap();
        for i in 0..5000 {
            editor.make_node(format!("/many/{:x}-{i}", i * 7919).as_bytes(), Node::Fifo, &NONE).unwrap();
        }
        let mut editor = reopen(editor);
        assert_eq!(editor.read_directory(b"/many").unwrap().len(), 5000);
        for i in 10..5000 {
            editor.remove(format!("/many/{:x}-{i}", i * 7919).as_bytes()).unwrap();
        }
        let editor = reopen(editor);
        assert_eq!(editor.read_directory(b"/many").unwrap().len(), 10);
        assert_eq!(editor.metadata(b"/many").unwrap().unwrap().size, editor.superblock().block_size().into());
    }
}

#[test]
fn links_and_nodes() {
    for layout in LAYOUTS {
        let mut editor = open(image(layout, "24M"));
        write(&mut editor, "/file", b"one");
        editor.make_hard_link(b"/file", b"/other").unwrap();
        editor.make_symlink(b"/fast", &[b'f'; 59], &NONE).unwrap();
        editor.make_symlink(b"/slow", &[b's'; 60], &NONE).unwrap();
        editor.make_symlink(b"/here", b"/lost+found", &NONE).unwrap();
        let device = Node::CharDevice { major: 300, minor: 70_000 };
        editor.make_node(b"/here/device", device, &Attributes { mode: Some(0o600), ..NONE }).unwrap();
        editor.make_node(b"/fifo", Node::Fifo, &NONE).unwrap();
        editor.make_node(b"/socket", Node::Socket, &NONE).unwrap();
        let mut editor = reopen(editor);
        assert_eq!(editor.metadata(b"/other").unwrap().unwrap().links, 2);
        assert_eq!(editor.read_link(b"/fast").unwrap(), [b'f'; 59]);
        assert_eq!(editor.read_link(b"/slow").unwrap(), [b's'; 60]);
        let found = editor.metadata(b"/lost+found/device").unwrap().unwrap();
        assert_eq!(
            (found.file_type, found.device, found.mode),
            (FileType::CharDevice, Some((300, 70_000)), 0o600)
        );

        write(&mut editor, "/other", b"two");
        editor.remove(b"/slow").unwrap();
        write(&mut editor, "/fifo", b"now a file");
        let editor = reopen(editor);
        assert_eq!(editor.read_file(b"/file").unwrap(), b"one");
        assert_eq!(editor.read_file(b"/other").unwrap(), b"two");
        assert_eq!(editor.read_file(b"/fifo").unwrap(), b"now a file");
        assert_eq!(editor.metadata(b"/file").unwrap().unwrap().links, 1);
    }
}

#[test]
fn extended_attributes_lie_in_inode_and_block() {
    let xattrs = |pairs: &[(&str, usize)]| -> Xattrs {
        pairs.iter().map(|(name, size)| (name.as_bytes().to_vec(), bytes(*size, 3))).collect()
    };
    for layout in LAYOUTS {
        let mut editor = open(image(layout, "24M"));
        let free = editor.free_blocks();
        let small = xattrs(&[("security.capability", 20)]);
        let large = xattrs(&[("security.capability", 20), ("user.large", 700), ("trusted.x", 1)]);
        write(&mut editor, "/file", b"");
        editor.set_attributes(b"/file", &Attributes { xattrs: Some(large.clone()), ..NONE }).unwrap();
        let mut editor = reopen(editor);
        assert_eq!(editor.xattrs(b"/file").unwrap(), large);
        write(&mut editor, "/file", b"new content, same attributes");
        let mut editor = reopen(editor);
        assert_eq!(editor.xattrs(b"/file").unwrap(), large);
        editor.set_attributes(b"/file", &Attributes { xattrs: Some(small.clone()), ..NONE }).unwrap();
        let mut editor = reopen(editor);
        assert_eq!(editor.xattrs(b"/file").unwrap(), small);
        editor.remove(b"/file").unwrap();
        assert_eq!(reopen(editor).free_blocks(), free);
    }
}

/// A file whose even blocks of 4096 bytes are data and whose odd ones are holes.
#[derive(Debug)]
struct Comb(u64);

impl Content for Comb {
    fn len(&self) -> u64 {
        self.0
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        for (i, byte) in (offset..).zip(buf) {
            *byte = if i / 4096 % 2 == 0 { 0xaa } else { 0 };
        }
        Ok(())
    }

    fn data(&self) -> Vec<std::ops::Range<u64>> {
        (0..self.0).step_by(8192).map(|start| start..(start + 4096).min(self.0)).collect()
    }
}

#[test]
fn sparse_files_stay_sparse_under_a_tree_of_extents() {
    for layout in LAYOUTS {
        let mut editor = open(image(layout, "24M"));
        let free = editor.free_blocks();
        let content: Arc<dyn Content> = Arc::new(Comb(8_000_001));
        editor.write_file(b"/comb", &content, &NONE).unwrap();
        let mut editor = reopen(editor);
        let found = editor.metadata(b"/comb").unwrap().unwrap();
        assert_eq!(found.size, 8_000_001);
        assert!((7_812..8_000).contains(&found.sectors), "{} sectors", found.sectors);
        let mut expected = vec![0; 8_000_001];
        content.read_at(0, &mut expected).unwrap();
        assert!(editor.read_file(b"/comb").unwrap() == expected);
        editor.remove(b"/comb").unwrap();
        assert_eq!(reopen(editor).free_blocks(), free);
    }
}

#[test]
fn growth_adds_groups_and_new_files_go_there() {
    for layout in LAYOUTS {
        let mut image = image(layout, "24M");
        let large = layout.contains("4096");
        let size = if large { 300 << 20 } else { 100 << 20 };
        image.resize(size, if large { 0 } else { 0xdb });
        let mut editor = open(image);
        let (old_blocks, free) = (editor.superblock().blocks_count(), editor.free_blocks());
        editor.grow(size as u64).unwrap();
        assert!(editor.superblock().blocks_count() >= old_blocks * 4, "{layout}");
        assert!(editor.free_blocks() > free * 3);
        write(&mut editor, "/file", &bytes(20 << 20, 1));
        let mut editor = reopen(editor);
        assert!(editor.read_file(b"/file").unwrap() == bytes(20 << 20, 1), "{layout}");
        let (number, inode) = editor.volume.find(b"/file").unwrap();
        let extents = editor.volume.mapping(number, &inode).unwrap().extents;
        assert!(extents.iter().all(|extent| extent.physical >= old_blocks), "{layout}: {extents:?}");
        editor.remove(b"/file").unwrap();
        reopen(editor);
    }
}

/// A sparse file. Zeros are written only where there is something else.
#[derive(Debug)]
struct SparseFile(tempfile::NamedTempFile, u64);

impl Device for SparseFile {
    fn size(&self) -> u64 {
        self.1
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.0.as_file().read_exact_at(buf, offset)
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.as_file().write_all_at(data, offset)
    }

    fn zero(&mut self, offset: u64, length: u64) -> std::io::Result<()> {
        let mut buf = vec![0; 1 << 16];
        for at in (0..length).step_by(buf.len()) {
            let part = buf.len().min((length - at) as usize);
            self.read_at(offset + at, &mut buf[..part])?;
            if buf[..part].iter().any(|byte| *byte != 0) {
                self.write_at(offset + at, &vec![0; part])?;
            }
        }
        Ok(())
    }
}

fn run(program: &str, arguments: &[&str], file: &tempfile::NamedTempFile) {
    let output =
        Command::new(program).args(arguments).arg(file.path()).output().expect("e2fsprogs is installed");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn growth_past_descriptor_blocks_leaves_room_for_resize2fs() {
    let growths = [
        ("-b 1024 -N 1024 -O 64bit", 400 << 20, 700 << 20),
        ("-b 1024 -N 1024 -O ^64bit,^metadata_csum,^flex_bg", 400 << 20, 700 << 20),
        ("-b 4096 -N 1024 -O 64bit", 20 << 30, 40 << 30),
        ("-b 4096 -N 1024 -O ^64bit", 20 << 30, 40 << 30),
    ];
    for (layout, size, later) in growths {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), image(layout, "24M")).unwrap();
        file.as_file().set_len(size).unwrap();
        let mut editor = Editor::open(SparseFile(file, size), EPOCH).unwrap();
        let descriptors = editor.volume.geometry.descriptor_blocks();
        editor.grow(size).unwrap();
        assert!(editor.volume.geometry.descriptor_blocks() > descriptors, "{layout}");
        let file = editor.commit().unwrap().0;
        run("e2fsck", &["-fn"], &file);
        file.as_file().set_len(later).unwrap();
        run("resize2fs", &["-f"], &file);
        run("e2fsck", &["-fn"], &file);
    }
}

#[test]
fn what_cannot_be_is_an_error_with_its_number() {
    let mut editor = open(image("-b 1024 -N 64", "8M"));
    let said = |error: Error| {
        assert!(matches!(error, Error::Corrupt(_)), "{error:?}");
        error.to_string()
    };
    let missing = "corrupt file system: group 9 does not exist, the file system has 1";
    assert_eq!(said(editor.volume.group(9).unwrap_err()), missing);
    assert_eq!(said(editor.volume.group_mut(9).unwrap_err()), missing);
    assert_eq!(said(editor.bitmap(Kind::Inode, 9).unwrap_err()), missing);
    assert_eq!(said(editor.change_bitmap(Kind::Block, 9, |_| ()).unwrap_err()), missing);

    let free = editor.allocate_block().unwrap();
    let taken = format!("corrupt file system: block {free} is taken but in use already");
    assert_eq!(said(editor.take_blocks(free..free + 1).unwrap_err()), taken);

    editor.make_directory(b"/a", &NONE).unwrap();
    editor.volume.group_mut(0).unwrap().used_dirs_count = 0;
    let uncounted = "corrupt file system: group 0: bg_used_dirs_count is 0";
    assert_eq!(said(editor.remove(b"/a").unwrap_err()), uncounted);
    assert!(matches!(editor.commit(), Err(Error::Broken)));
}
