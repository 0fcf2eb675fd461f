//! Edits from end to end on images of mke2fs, judged by e2fsck. The matrix of options lies in `tests/`.

use std::{fs, process::Command, sync::Arc};

use crate::{Attributes, Content, Editor, Error, FileType, Node, Xattrs};

const EPOCH: i64 = 1_700_000_000;

/// An empty file system of `size` (`8M`) made with `options` of mke2fs.
fn image(options: &str, size: &str) -> Vec<u8> {
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
    fs::write(file.path(), image).unwrap();
    let output = Command::new("e2fsck").arg("-fn").arg(file.path()).output().expect("e2fsck is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn open(image: Vec<u8>) -> Editor<Vec<u8>> {
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
