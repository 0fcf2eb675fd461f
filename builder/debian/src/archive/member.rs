//! The members of a package's tar archives: what they say, and what they may not say.
//!
//! Headers are read raw, so that long names and extended headers are bounded here and nothing is interpreted twice.
//! <https://www.gnu.org/software/tar/manual/html_node/Standard.html>, and for extended headers `pax(1)`.

use std::io::Read;

use serde::{Deserialize, Serialize};
use tar::EntryType;

use super::Kind;
use crate::digest::Sha256;
use crate::error::Result;
use crate::path::TreePath;

/// Longest name or link target (bytes), and longest extended header.
const NAME_LIMIT: u64 = 4096;
const EXTENDED_LIMIT: u64 = 1 << 20;

/// Bits of the mode that a file system keeps: permissions, setuid, setgid, sticky.
const MODE_MASK: u32 = 0o7777;

/// What a member creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MemberKind {
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Where its content starts in the concatenation of all file contents of the package, in their order (bytes).
        offset: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Its target, as it stands.
        #[serde(with = "crate::escape")]
        target: Vec<u8>,
    },
    /// One more name for an earlier file of the package.
    HardLink {
        /// The earlier file.
        target: TreePath,
    },
}

/// A user or group as the archive states it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The number.
    pub id: u32,
    /// The name, which goes before the number where the target knows it; may be empty.
    pub name: String,
}

/// One member of the data archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Where it goes, before any symbolic link of the target is followed.
    pub path: TreePath,
    /// What it is.
    pub kind: MemberKind,
    /// Permissions with setuid, setgid and sticky bits.
    pub mode: u32,
    /// Owning user.
    pub user: Owner,
    /// Owning group.
    pub group: Owner,
    /// Modification time (seconds since 1970).
    pub mtime: u64,
    /// Extended attributes such as `security.capability`, by name, in their order.
    #[serde(with = "crate::escape::pairs", default, skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<(String, Vec<u8>)>,
    /// The sum of a file's content, also by its hard links; not known yet while the content is visited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// The MD5 sum of the same, if the package brings no `md5sums`.
    #[serde(with = "crate::hex::optional", default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<[u8; 16]>,
}

/// What long-name and extended headers said about the member that follows them.
#[derive(Debug, Default)]
struct Extension {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    xattrs: Vec<(String, Vec<u8>)>,
}

/// Walks a plain tar archive; `visit` gets each member with its content, `limit` bounds the sum of sizes (bytes).
pub(super) fn walk(
    reader: impl Read,
    limit: u64,
    member_limit: usize,
    mut visit: impl FnMut(Member, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut archive = tar::Archive::new(reader);
    let mut extension = Extension::default();
    let mut offset = 0;
    let mut count = 0;
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        count += 1;
        let size = entry.header().entry_size()?;
        if size > limit || count > member_limit {
            return Err(Kind::TooLarge.into());
        }
        match entry.header().entry_type() {
            EntryType::GNULongName => extension.path = Some(long_name(&mut entry, size)?),
            EntryType::GNULongLink => extension.target = Some(long_name(&mut entry, size)?),
            EntryType::XHeader => extended_header(&mut entry, size, &mut extension)?,
            _ => {
                let member = member(entry.header(), std::mem::take(&mut extension), offset)?;
                if let MemberKind::File { size, .. } = member.kind {
                    offset += size;
                }
                if offset > limit {
                    return Err(Kind::TooLarge.into());
                }
                visit(member, &mut entry)?;
            }
        }
    }
    Ok(())
}

fn member(header: &tar::Header, extension: Extension, offset: u64) -> Result<Member> {
    let path = extension.path.unwrap_or_else(|| header.path_bytes().into_owned());
    let target = extension.target.or_else(|| header.link_name_bytes().map(|target| target.into_owned()));
    let path = TreePath::from_relative(&path)?;
    let target = target.filter(|target| !target.is_empty()).ok_or(Kind::NoTarget(path.clone()));
    let kind = match header.entry_type() {
        EntryType::Regular => MemberKind::File { size: header.entry_size()?, offset },
        EntryType::Directory => MemberKind::Directory,
        EntryType::Symlink => MemberKind::Symlink { target: target?.to_vec() },
        EntryType::Link => MemberKind::HardLink { target: TreePath::from_relative(&target?)? },
        other => return Err(Kind::MemberType { path, code: other.as_byte() }.into()),
    };
    if !matches!(kind, MemberKind::File { .. }) && header.entry_size()? != 0 {
        return Err(Kind::Content(path).into());
    }
    Ok(Member {
        kind,
        mode: header.mode()? & MODE_MASK,
        user: owner(header.uid()?, header.username_bytes(), &path)?,
        group: owner(header.gid()?, header.groupname_bytes(), &path)?,
        mtime: header.mtime()?,
        xattrs: extension.xattrs,
        sha256: None,
        md5: None,
        path,
    })
}

fn owner(id: u64, name: Option<&[u8]>, path: &TreePath) -> Result<Owner> {
    let id = u32::try_from(id).map_err(|_| Kind::OwnerId { path: path.clone(), id })?;
    Ok(Owner { id, name: String::from_utf8_lossy(name.unwrap_or_default()).into_owned() })
}

fn long_name(entry: &mut impl Read, size: u64) -> Result<Vec<u8>> {
    let mut name = bounded(entry, size, NAME_LIMIT)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// Takes names and attributes from an extended header; a keyword that would change the meaning of the data is refused.
fn extended_header(entry: &mut impl Read, size: u64, extension: &mut Extension) -> Result<()> {
    let bytes = bounded(entry, size, EXTENDED_LIMIT)?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (key, value, after) =
            split_record(rest).ok_or_else(|| Kind::Extended("a broken record".into()))?;
        rest = after;
        match key {
            "path" => extension.path = Some(value.to_vec()),
            "linkpath" => extension.target = Some(value.to_vec()),
            "atime" | "ctime" | "mtime" | "comment" => {}
            key => match key.strip_prefix("SCHILY.xattr.") {
                Some(name) if !name.is_empty() => extension.xattrs.push((name.to_owned(), value.to_vec())),
                _ => return Err(Kind::Extended(key.to_owned()).into()),
            },
        }
    }
    Ok(())
}

/// Splits `LENGTH KEY=VALUE\n` off; the length counts the whole record, so values may be binary.
fn split_record(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let blank = bytes.iter().position(|&byte| byte == b' ')?;
    let length: usize = std::str::from_utf8(bytes.get(..blank)?).ok()?.parse().ok()?;
    let record = bytes.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    let key = std::str::from_utf8(record.get(..equals)?).ok()?;
    Some((key, record.get(equals + 1..)?, bytes.get(length..)?))
}

fn bounded(entry: &mut impl Read, size: u64, limit: u64) -> Result<Vec<u8>> {
    if size > limit {
        return Err(Kind::TooLarge.into());
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    Ok(bytes)
}
