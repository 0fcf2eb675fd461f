//! Plain tarballs, as projects release them: the same members and the same refusals as the data archive of a package.

use std::io::{self, Read};

use super::{Kind, Limits, Member, members};
use crate::compression::Compression;
use crate::error::Result;

/// Reads a tarball to its end, whatever it is compressed with. `visit` gets every member with a reader of its content
/// (empty unless it is a file); what it leaves unread is skipped.
///
/// The members come in their order. No path appears twice, and none lies below a member that is not a directory.
/// [`Limits::control`] does not matter here.
///
/// # Errors
/// [`crate::Error::Malformed`] for anything but a whole, well-formed archive with members within `limits`; [`crate::Error::Io`] from
/// the reader or from `visit`.
///
/// ```no_run
/// use imgforge_debian::{Limits, read_tarball};
/// let tarball = std::fs::File::open("cni-plugins-linux-arm64-v1.7.1.tgz")?;
/// for member in read_tarball(tarball, &Limits::default(), |_, _| Ok(()))? {
///     println!("{} {:o} {:?}", member.path, member.mode, member.sha256);
/// }
/// # Ok::<(), imgforge_debian::Error>(())
/// ```
pub fn read_tarball(
    tarball: impl Read,
    limits: &Limits,
    visit: impl FnMut(&Member, &mut dyn Read) -> io::Result<()>,
) -> Result<Vec<Member>> {
    let (compression, tarball) = Compression::detect(tarball)?;
    let members = members::read(compression.decode(tarball)?, limits, false, visit)?;
    if members.is_empty() { Err(Kind::Empty.into()) } else { Ok(members) }
}
