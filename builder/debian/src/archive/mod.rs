//! Binary packages: the `.deb` format 2.0, read once from front to back and never unpacked to disk; and plain tarballs.
//!
//! <https://manpages.debian.org/bookworm/dpkg-dev/deb.5>: `debian-binary`, `control.tar[.xz|.zst|.gz]`, `data.tar[…]`.

mod ar;
mod member;
mod members;
mod stored;
mod sums;
mod tarball;

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use self::ar::{Ar, Header};
pub use self::member::{Member, MemberKind, Owner};
use self::members::Members;
use self::stored::Stored;
pub use self::tarball::read_tarball;
use crate::compression::Compression;
use crate::control::Paragraph;
use crate::error::{Detail, Error, Result};
use crate::identity::Identity;
use crate::path::TreePath;

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("not a .deb: no ar archive")]
    NotAr,
    #[error("broken ar member header")]
    ArHeader,
    #[error("expected the member {expected}, found {found:?}")]
    MemberOrder { expected: &'static str, found: String },
    #[error("format version {0:?} is not 2.x")]
    FormatVersion(String),
    #[error("larger than the limits for packages")]
    TooLarge,
    #[error("{path}: archive member of type {:?} is not allowed", char::from(*code))]
    MemberType { path: TreePath, code: u8 },
    #[error("{0}: link without a target")]
    NoTarget(TreePath),
    #[error("{0}: content in a member that has none")]
    Content(TreePath),
    #[error("{path}: owner id {id} is too large")]
    OwnerId { path: TreePath, id: u64 },
    #[error("extended header: {0} is not allowed")]
    Extended(String),
    #[error("{0} appears twice")]
    Duplicate(TreePath),
    #[error("{path} lies below {above}, which is not a directory")]
    BelowFile { path: TreePath, above: TreePath },
    #[error("{path}: hard link to {target}, which is no earlier file of the package")]
    HardLink { path: TreePath, target: TreePath },
    #[error("{0}: not allowed in the control archive")]
    ControlMember(TreePath),
    #[error("{0:?} appears twice among the control files, or is no name of one")]
    ControlName(String),
    #[error("{0}: its content does not start where that of the file before it ends")]
    Offset(TreePath),
    #[error("an archive without members")]
    Empty,
    #[error("no control file")]
    NoControl,
    #[error("bytes after the data member")]
    Trailing,
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Error::Malformed(Detail::new(kind))
    }
}

/// Bounds on what a package may contain; larger ones are refused before they are read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sum of the control files (bytes).
    pub control: u64,
    /// Sum of the data files (bytes).
    pub data: u64,
    /// Members of one archive.
    pub members: usize,
}

impl Default for Limits {
    /// Well above the largest package of the Debian archive.
    fn default() -> Self {
        Limits { control: 32 << 20, data: 8 << 30, members: 1 << 20 }
    }
}

/// One file of the control archive other than `control`: `postinst`, `conffiles`, `md5sums`, …
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlFile {
    /// A plain name without slash.
    pub name: String,
    /// Permissions.
    pub mode: u32,
    /// Modification time (seconds since 1970).
    pub mtime: u64,
    /// Its content.
    #[serde(with = "crate::escape")]
    pub content: Vec<u8>,
}

/// A package as its archive describes it, without the contents of its files.
///
/// It can be kept in any [`serde`] format, and is held to the same rules when it is read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct Package {
    /// Name, version, architecture.
    pub identity: Identity,
    /// The `control` file.
    pub control: Paragraph,
    /// The other control files, in archive order.
    pub control_files: Vec<ControlFile>,
    /// The data archive, in its order. No path appears twice, and none lies below a member that is not a directory.
    pub members: Vec<Member>,
}

impl Package {
    /// Reads a `.deb` to its end. `visit` gets every data member with a reader of its content (empty unless it is a
    /// file); what it leaves unread is skipped.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything but a whole, well-formed package within `limits`; [`Error::Io`] from the reader
    /// or from `visit`.
    ///
    /// ```no_run
    /// use imgforge_debian::{Limits, Package};
    /// let deb = std::fs::File::open("runc_1.1.15+ds1-2_arm64.deb")?;
    /// let package = Package::read(deb, &Limits::default(), |member, content| {
    ///     println!("{}: {} bytes", member.path, std::io::copy(content, &mut std::io::sink())?);
    ///     Ok(())
    /// })?;
    /// println!("{}", package.identity);
    /// # Ok::<(), imgforge_debian::Error>(())
    /// ```
    pub fn read(
        deb: impl Read,
        limits: &Limits,
        visit: impl FnMut(&Member, &mut dyn Read) -> io::Result<()>,
    ) -> Result<Self> {
        let mut ar = Ar::new(deb)?;
        check_format(&mut ar)?;
        let (control, control_files) = read_control(&mut ar, limits)?;
        let brings_sums = control_files.iter().any(|file| file.name == "md5sums");
        let (header, compression) = expect_archive(&mut ar, "data.tar")?;
        let plain = compression.decode(ar.content(&header))?;
        let members = members::read(plain, limits, !brings_sums, visit)?;
        if ar.next_header()?.is_some() {
            return Err(Kind::Trailing.into());
        }
        let identity = Identity::from_paragraph(&control)?;
        Ok(Package { identity, control, control_files, members })
    }

    /// The content of a control file.
    pub fn control_file(&self, name: &str) -> Option<&[u8]> {
        self.control_files.iter().find(|file| file.name == name).map(|file| file.content.as_slice())
    }
}

fn check_format<R: Read>(ar: &mut Ar<R>) -> Result<()> {
    let header = expect_header(ar, "debian-binary", |name| name == "debian-binary")?;
    let mut version = String::new();
    ar.content(&header).take(16).read_to_string(&mut version)?;
    if version.starts_with("2.") && header.size <= 16 {
        Ok(())
    } else {
        Err(Kind::FormatVersion(version).into())
    }
}

fn expect_header<R: Read>(
    ar: &mut Ar<R>,
    expected: &'static str,
    matches: impl Fn(&str) -> bool,
) -> Result<Header> {
    let found = ar.next_header()?;
    match found {
        Some(header) if matches(&header.name) => Ok(header),
        other => {
            Err(Kind::MemberOrder { expected, found: other.map(|header| header.name).unwrap_or_default() }
                .into())
        }
    }
}

fn expect_archive<R: Read>(ar: &mut Ar<R>, stem: &'static str) -> Result<(Header, Compression)> {
    let compression_of = |name: &str| {
        let suffix = name.strip_prefix(stem)?;
        Compression::ALL.into_iter().find(|compression| compression.suffix() == suffix)
    };
    let header = expect_header(ar, stem, |name| compression_of(name).is_some())?;
    let compression = compression_of(&header.name).unwrap_or(Compression::None);
    Ok((header, compression))
}

/// Walks the members, then reads on to the end so that the decoder's own checksums are verified too.
fn walk_whole(
    mut plain: impl Read,
    limit: u64,
    member_limit: usize,
    visit: impl FnMut(Member, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    member::walk(&mut plain, limit, member_limit, visit)?;
    io::copy(&mut plain.by_ref().take(limit), &mut io::sink())?;
    if plain.read(&mut [0])? == 0 { Ok(()) } else { Err(Kind::TooLarge.into()) }
}

fn read_control<R: Read>(ar: &mut Ar<R>, limits: &Limits) -> Result<(Paragraph, Vec<ControlFile>)> {
    let (header, compression) = expect_archive(ar, "control.tar")?;
    let plain = compression.decode(ar.content(&header))?;
    let mut files: Vec<ControlFile> = Vec::new();
    walk_whole(plain, limits.control, limits.members, |member, content| {
        let name = std::str::from_utf8(member.path.name()).ok().filter(|name| is_control_name(name));
        match (&member.kind, name) {
            (MemberKind::Directory, _) if member.path.is_root() => Ok(()),
            (MemberKind::File { .. }, Some(name)) if member.path.names().count() == 1 => {
                if files.iter().any(|file| file.name == name) {
                    return Err(Kind::Duplicate(member.path).into());
                }
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                files.push(ControlFile {
                    name: name.to_owned(),
                    mode: member.mode,
                    mtime: member.mtime,
                    content: bytes,
                });
                Ok(())
            }
            _ => Err(Kind::ControlMember(member.path).into()),
        }
    })?;
    let control = files.iter().position(|file| file.name == "control").ok_or(Kind::NoControl)?;
    Ok((Paragraph::parse(&files.remove(control).content)?, files))
}

fn is_control_name(name: &str) -> bool {
    // dpkg writes `list` itself and lets no package bring one.
    name != "list" && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+.".contains(&byte))
}

#[cfg(test)]
mod tests;
