//! MD5 sums of the files of packages that bring no `md5sums`: dpkg makes that file while it unpacks them.

use std::io::{self, Read};

use md5::{Digest, Md5};

use super::{Member, MemberKind, Members};
use crate::error::{Error, Result};

/// Lets `visit` read the content of a member, and sums it up on the way; a hard link has the sum of its file.
pub(super) fn pass(
    member: &Member,
    earlier: &Members,
    content: &mut dyn Read,
    visit: impl FnOnce(&Member, &mut dyn Read) -> io::Result<()>,
) -> Result<Option<[u8; 16]>> {
    let mut tee = Tee { content, hash: Md5::new() };
    visit(member, &mut tee).map_err(Error::Io)?;
    io::copy(&mut tee, &mut io::sink())?;
    Ok(match &member.kind {
        MemberKind::File { .. } => Some(tee.hash.finalize().into()),
        MemberKind::HardLink { target } => earlier.get(target).and_then(|file| file.md5),
        MemberKind::Directory | MemberKind::Symlink { .. } => None,
    })
}

struct Tee<'a> {
    content: &'a mut dyn Read,
    hash: Md5,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
