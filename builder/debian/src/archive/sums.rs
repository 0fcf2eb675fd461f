//! Sums of contents, taken as they stream by, so that nobody has to read hundreds of megabytes twice.

use std::io::{self, Read};

use md5::{Digest as _, Md5};

use super::{Member, MemberKind, Members};
use crate::digest::Hasher;
use crate::error::{Error, Result};

/// Lets `visit` read the content of a member, and notes its sums; a hard link has those of its file.
pub(super) fn pass(
    member: &mut Member,
    earlier: &Members,
    with_md5: bool,
    content: &mut dyn Read,
    visit: impl FnOnce(&Member, &mut dyn Read) -> io::Result<()>,
) -> Result<()> {
    let mut tee = Tee { content, sha256: Hasher::default(), md5: with_md5.then(Md5::new) };
    visit(member, &mut tee).map_err(Error::Io)?;
    io::copy(&mut tee, &mut io::sink())?;
    match &member.kind {
        MemberKind::File { .. } => {
            member.sha256 = Some(tee.sha256.finish());
            member.md5 = tee.md5.map(|hash| hash.finalize().into());
        }
        MemberKind::HardLink { target } => {
            let file = earlier.get(target);
            member.sha256 = file.and_then(|file| file.sha256);
            member.md5 = file.and_then(|file| file.md5);
        }
        MemberKind::Directory | MemberKind::Symlink { .. } => {}
    }
    Ok(())
}

struct Tee<'a> {
    content: &'a mut dyn Read,
    sha256: Hasher,
    /// dpkg makes the `md5sums` of a package that brings none.
    md5: Option<Md5>,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        self.sha256.update(bytes);
        if let Some(hash) = &mut self.md5 {
            hash.update(bytes);
        }
        Ok(count)
    }
}
