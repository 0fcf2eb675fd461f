//! What callers see and set of an inode: type, attributes, device numbers.

use std::collections::BTreeMap;

/// Extended attributes: full name (`security.capability`, `user.x`) to value.
///
/// Values are the bytes on disk. For the POSIX ACL names that is ext4's own compact form, not the one of `getxattr`.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum FileType {
    Regular,
    Directory,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

/// A file that is neither regular nor a directory nor a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Node {
    Fifo,
    Socket,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
}

/// Attributes to set; `None` keeps what is there, or takes the default when the file is new.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits with setuid, setgid and sticky (`0o7777`). Default: 0644 for files and nodes, 0755 for
    /// directories, 0777 for symbolic links.
    pub mode: Option<u16>,
    /// Owner. Default: 0.
    pub uid: Option<u32>,
    /// Group. Default: 0.
    pub gid: Option<u32>,
    /// Time of the last modification of the content, seconds since 1970. Default, and on new content: the epoch of
    /// the editor.
    pub mtime: Option<i64>,
    /// All extended attributes: replaces the whole set. Default: none.
    pub xattrs: Option<Xattrs>,
}

/// What is known of an inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Inode number.
    pub inode: u32,
    /// Kind of file.
    pub file_type: FileType,
    /// Permission bits with setuid, setgid and sticky (`0o7777`).
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Blocks in use, in units of 512 bytes.
    pub sectors: u64,
    /// Names of this inode.
    pub links: u16,
    /// Last modification of the content, seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds of `mtime`.
    pub mtime_nanoseconds: u32,
    /// Major and minor number of a device node.
    pub device: Option<(u32, u32)>,
    /// `i_flags` as on disk.
    pub flags: u32,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name: 1 to 255 bytes, neither NUL nor `/` among them.
    pub name: Vec<u8>,
    /// Kind of file.
    pub file_type: FileType,
    /// Inode number.
    pub inode: u32,
}
