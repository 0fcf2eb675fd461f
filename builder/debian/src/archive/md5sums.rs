//! `md5sums` for packages that bring none; dpkg makes the file while it unpacks them.
//!
//! One line per regular file and hard link, in archive order: `MD5  path`, the path without its leading slash.

use std::collections::BTreeMap;
use std::io::{self, Read};

use md5::{Digest, Md5};

use super::{ControlFile, Member, MemberKind};
use crate::error::{Error, Result};
use crate::path::TreePath;

/// The sums so far; inactive for a package with an `md5sums` of its own.
pub(super) struct Md5sums {
    active: bool,
    sums: BTreeMap<TreePath, String>,
    text: Vec<u8>,
}

impl Md5sums {
    pub(super) fn wanted_beside(control_files: &[ControlFile]) -> Self {
        let active = control_files.iter().all(|file| file.name != "md5sums");
        Md5sums { active, sums: BTreeMap::new(), text: Vec::new() }
    }

    /// Lets `visit` read the content, and sums it up on the way.
    pub(super) fn pass(
        &mut self,
        member: &Member,
        content: &mut dyn Read,
        visit: impl FnOnce(&mut dyn Read) -> io::Result<()>,
    ) -> Result<()> {
        if !self.active {
            return visit(content).map_err(Error::Io);
        }
        let mut tee = Tee { content, hash: Md5::new() };
        visit(&mut tee).map_err(Error::Io)?;
        io::copy(&mut tee, &mut io::sink())?;
        let sum = match &member.kind {
            MemberKind::File { .. } => tee.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            MemberKind::HardLink { target } => self.sums.get(target).cloned().unwrap_or_default(),
            MemberKind::Directory | MemberKind::Symlink { .. } => return Ok(()),
        };
        let name = member.path.as_bytes().strip_prefix(b"/").unwrap_or_default();
        self.text.extend([sum.as_bytes(), b"  ", name, b"\n"].concat());
        self.sums.insert(member.path.clone(), sum);
        Ok(())
    }

    pub(super) fn into_file(self) -> Option<ControlFile> {
        let file = ControlFile { name: "md5sums".to_owned(), mode: 0o644, mtime: 0, content: self.text };
        self.active.then_some(file)
    }
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
