//! All members of an archive of files, with the rules that span members.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::{Kind, Limits, Member, MemberKind, sums, walk_whole};
use crate::error::Result;
use crate::path::TreePath;

/// Reads a plain tar archive to its end. `visit` gets every member with a reader of its content (empty unless it is a
/// file); what it leaves unread is skipped.
pub(super) fn read(
    plain: impl Read,
    limits: &Limits,
    with_md5: bool,
    mut visit: impl FnMut(&Member, &mut dyn Read) -> io::Result<()>,
) -> Result<Vec<Member>> {
    let mut members = Members::default();
    walk_whole(plain, limits.data, limits.members, |mut member, content| {
        members.check(&member)?;
        sums::pass(&mut member, &members, with_md5, content, &mut visit)?;
        members.push(member);
        Ok(())
    })?;
    Ok(members.list)
}

/// Holds members that were kept elsewhere to the same rules.
pub(super) fn check(list: Vec<Member>) -> Result<Vec<Member>> {
    let mut members = Members::default();
    for member in list {
        members.check(&member)?;
        members.push(member);
    }
    Ok(members.list)
}

/// The members so far.
#[derive(Default)]
pub(super) struct Members {
    list: Vec<Member>,
    by_path: BTreeMap<TreePath, usize>,
    /// Sum of the sizes of files (bytes).
    size: u64,
}

impl Members {
    pub(super) fn get(&self, path: &TreePath) -> Option<&Member> {
        self.by_path.get(path).and_then(|&index| self.list.get(index))
    }

    fn kind(&self, path: &TreePath) -> Option<&MemberKind> {
        self.get(path).map(|member| &member.kind)
    }

    fn check(&self, member: &Member) -> Result<()> {
        let path = || member.path.clone();
        if self.by_path.contains_key(&member.path) {
            return Err(Kind::Duplicate(path()).into());
        }
        let is_blocked = |above: &TreePath| !matches!(self.kind(above), None | Some(MemberKind::Directory));
        if let Some(above) = member.path.ancestors().find(is_blocked) {
            return Err(Kind::BelowFile { path: path(), above }.into());
        }
        match &member.kind {
            MemberKind::Directory => Ok(()),
            _ if member.path.is_root() => Err(Kind::BelowFile { path: path(), above: path() }.into()),
            MemberKind::File { offset, .. } if *offset != self.size => Err(Kind::Offset(path()).into()),
            MemberKind::HardLink { target }
                if !matches!(self.kind(target), Some(MemberKind::File { .. })) =>
            {
                Err(Kind::HardLink { path: path(), target: target.clone() }.into())
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, member: Member) {
        if let MemberKind::File { size, .. } = member.kind {
            self.size = self.size.saturating_add(size);
        }
        self.by_path.insert(member.path.clone(), self.list.len());
        self.list.push(member);
    }
}
