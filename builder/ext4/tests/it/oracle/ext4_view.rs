//! ext4-view: an independent reader in the same language.

use std::collections::BTreeMap;

use ext4_view::{Ext4, FileType};

use crate::{
    disk::Disk,
    tree::{Entry, Kind, Tree, join},
};

/// The tree as ext4-view reads it; files are opened by path, so that indexed directories are searched by hash.
pub fn tree(disk: &Disk) -> Tree {
    let mut disk = disk.clone();
    // s_inode_size: of inodes of 128 bytes it knows no checksums, so it is not told of any (metadata_csum).
    if disk.bytes(1024 + 0x58, 2) == 128_u16.to_le_bytes() {
        disk.alter(1024 + 0x65, |byte| byte & !4);
    }
    let fs = Ext4::load(Box::new(disk)).unwrap();
    let mut tree = Tree::from([(Vec::new(), entry(&fs, b""))]);
    let mut directories = vec![Vec::new()];
    while let Some(directory) = directories.pop() {
        for listed in fs.read_dir(absolute(&directory).as_slice()).unwrap() {
            let listed = listed.unwrap();
            let name = listed.file_name();
            if matches!(name.as_ref(), b"." | b"..") {
                continue;
            }
            let path = join(&directory, name.as_ref());
            let entry = entry(&fs, &path);
            assert_eq!(
                listed.file_type().unwrap(),
                fs.symlink_metadata(absolute(&path).as_slice()).unwrap().file_type()
            );
            if entry.kind == Kind::Directory {
                directories.push(path.clone());
            }
            assert!(tree.insert(path, entry).is_none(), "a name stands twice in a directory");
        }
    }
    tree
}

/// What of a tree ext4-view can see: it shows neither extended attributes nor links nor device numbers.
pub fn visible(tree: &Tree) -> Tree {
    tree.iter()
        .map(|(path, entry)| {
            let kind = match &entry.kind {
                Kind::CharDevice(..) => Kind::CharDevice(0, 0),
                Kind::BlockDevice(..) => Kind::BlockDevice(0, 0),
                kind => kind.clone(),
            };
            let seen =
                Entry { kind, xattrs: BTreeMap::new(), links: 0, first: path.clone(), ..entry.clone() };
            (path.clone(), seen)
        })
        .collect()
}

fn absolute(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

fn entry(fs: &Ext4, path: &[u8]) -> Entry {
    let path = absolute(path);
    let path = path.as_slice();
    let metadata = fs.symlink_metadata(path).unwrap();
    let kind = match metadata.file_type() {
        FileType::Regular => Kind::File(fs.read(path).unwrap().into()),
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink(fs.read_link(path).unwrap().as_path().as_ref().to_vec()),
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharDevice(0, 0),
        FileType::BlockDevice => Kind::BlockDevice(0, 0),
    };
    Entry {
        kind,
        mode: metadata.mode(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: metadata.modified().seconds(),
        xattrs: BTreeMap::new(),
        links: 0,
        first: path[1..].to_vec(),
    }
}
