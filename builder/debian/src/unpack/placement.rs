//! Where members end up in the tree, and under which numbers.

use std::collections::BTreeMap;

use super::{
    Action, Attributes, Detail, Error, Kind, Member, MemberKind, Operation, Owner, Result, TreePath,
};
use crate::tree::{Node, Tree, read_resolved, resolve};

/// Under such a name a conffile waits for its package's configuration.
pub(super) const CONFFILE_SUFFIX: &str = ".dpkg-new";

/// The tree as it is with the operations so far.
pub(super) struct Placement<'a> {
    tree: &'a dyn Tree,
    operations: Vec<Operation>,
    made: BTreeMap<TreePath, Node>,
    /// The operations that made files, by package and the path it names.
    files: BTreeMap<(usize, TreePath), usize>,
}

impl<'a> Placement<'a> {
    pub(super) fn new(tree: &'a dyn Tree) -> Self {
        Placement { tree, operations: Vec::new(), made: BTreeMap::new(), files: BTreeMap::new() }
    }

    pub(super) fn into_operations(self) -> Vec<Operation> {
        self.operations
    }

    /// Notes a file of dpkg's own, for those that ask whether it is there.
    pub(super) fn note(&mut self, path: &TreePath) -> Result<()> {
        self.made.insert(self.locate(path)?, Node::File);
        Ok(())
    }

    /// Whether a directory that is there already stays as it is, under a member of this kind.
    pub(super) fn keeps(&self, path: &TreePath, kind: &MemberKind) -> Result<bool> {
        match kind {
            MemberKind::Directory => self.leads_to_directory(path),
            MemberKind::Symlink { target } => {
                let place = self.locate(path)?;
                match self.node(&place)? {
                    Some(Node::Directory) => Ok(true),
                    Some(Node::Symlink(_)) => self.leads_to_same_directory(&place, target),
                    _ => Ok(false),
                }
            }
            MemberKind::File { .. } | MemberKind::HardLink { .. } => Ok(false),
        }
    }

    /// Whether a directory is new here. Where another package lists it, dpkg takes for granted that it was a directory, too,
    /// which somebody took away, as images made small do with documentation; it is the new package's alone then.
    pub(super) fn is_new_directory(&self, path: &TreePath, kind: &MemberKind) -> Result<bool> {
        Ok(*kind == MemberKind::Directory && self.node(&self.locate(path)?)?.is_none())
    }

    /// Adds the operation of one member, unless what is there already stays.
    pub(super) fn place(
        &mut self,
        package_name: &str,
        package: usize,
        path: &TreePath,
        member: &Member,
        attributes: Attributes,
    ) -> Result<()> {
        if self.keeps(path, &member.kind)? {
            return Ok(());
        }
        let place = self.locate(path)?;
        self.check_place(package_name, &place, &member.kind)?;
        let (action, node) = match &member.kind {
            MemberKind::Directory => (Action::Directory(attributes), Node::Directory),
            MemberKind::Symlink { target } => {
                (Action::Symlink { attributes, target: target.clone() }, Node::Symlink(target.clone()))
            }
            &MemberKind::File { size, offset } => (Action::File { attributes, size, offset }, Node::File),
            MemberKind::HardLink { target } => {
                let made = self.relink(package, target, attributes).ok_or_else(|| Kind::LinkTarget {
                    package: package_name.to_owned(),
                    path: member.path.clone(),
                    target: target.clone(),
                });
                (
                    Action::HardLink { target: made.map_err(|kind| Error::Unsupported(Detail::new(kind)))? },
                    Node::File,
                )
            }
        };
        if matches!(action, Action::File { .. }) {
            self.files.insert((package, member.path.clone()), self.operations.len());
        }
        self.made.insert(place.clone(), node);
        self.operations.push(Operation { package, path: place, action });
        Ok(())
    }

    /// Makes a directory and those above it, unless they are there.
    pub(super) fn make_directories(
        &mut self,
        package: usize,
        path: &TreePath,
        attributes: &Attributes,
    ) -> Result<()> {
        let mut missing = Vec::new();
        for path in std::iter::once(path.clone()).chain(path.ancestors()) {
            if self.leads_to_directory(&path)? {
                break;
            }
            missing.push(path);
        }
        for path in missing.into_iter().rev() {
            self.make(package, &path, Action::Directory(attributes.clone()), Node::Directory)?;
        }
        Ok(())
    }

    /// Makes an empty file; its directory must be there.
    pub(super) fn make_empty_file(
        &mut self,
        package: usize,
        path: &TreePath,
        attributes: Attributes,
    ) -> Result<()> {
        self.make(package, path, Action::File { attributes, size: 0, offset: 0 }, Node::File)
    }

    fn make(&mut self, package: usize, path: &TreePath, action: Action, node: Node) -> Result<()> {
        let place = self.locate(path)?;
        self.made.insert(place.clone(), node);
        self.operations.push(Operation { package, path: place, action });
        Ok(())
    }

    /// The place of the package's file `target`, which gets the attributes of its new name: the last name wins.
    fn relink(&mut self, package: usize, target: &TreePath, attributes: Attributes) -> Option<TreePath> {
        let index = *self.files.get(&(package, target.clone()))?;
        let operation = self.operations.get_mut(index)?;
        if let Action::File { attributes: present, .. } = &mut operation.action {
            *present = Attributes { xattrs: std::mem::take(&mut present.xattrs), ..attributes };
        }
        Some(operation.path.clone())
    }

    fn check_place(&self, package: &str, place: &TreePath, kind: &MemberKind) -> Result<()> {
        let package = || package.to_owned();
        let path = place.clone();
        let parent = place.parent().unwrap_or_else(TreePath::root);
        if !self.leads_to_directory(&parent)? {
            return Err(Error::Malformed(Detail::new(Kind::NoParent { package: package(), path })));
        }
        match (self.node(place)?, kind) {
            (Some(Node::Directory), _) => {
                Err(Error::Unsupported(Detail::new(Kind::OverDirectory { package: package(), path })))
            }
            (Some(_), MemberKind::Directory) => {
                Err(Error::Unsupported(Detail::new(Kind::DirectoryOverOther { package: package(), path })))
            }
            _ => Ok(()),
        }
    }

    /// The place of a path: links of the directories above are followed, a link at the path itself is not.
    fn locate(&self, path: &TreePath) -> Result<TreePath> {
        match path.parent() {
            Some(parent) => Ok(resolve(&parent, |path| self.node(path))?.join(path.name())),
            None => Ok(TreePath::root()),
        }
    }

    fn node(&self, path: &TreePath) -> Result<Option<Node>> {
        match self.made.get(path) {
            Some(node) => Ok(Some(node.clone())),
            None => self.tree.node(path),
        }
    }

    fn leads_to_directory(&self, path: &TreePath) -> Result<bool> {
        let place = resolve(path, |path| self.node(path))?;
        Ok(place.is_root() || self.node(&place)? == Some(Node::Directory))
    }

    /// Whether the link at `place` leads to a directory, the same one that `target` would lead to.
    fn leads_to_same_directory(&self, place: &TreePath, target: &[u8]) -> Result<bool> {
        let present = resolve(place, |path| self.node(path))?;
        let with_target = |path: &TreePath| match path == place {
            true => Ok(Some(Node::Symlink(target.to_vec()))),
            false => self.node(path),
        };
        Ok(present == resolve(place, with_target)? && self.leads_to_directory(&present)?)
    }
}

/// As the next package's `preinst` finds it, but for what only the board's own configuration makes. A conffile counts by
/// its name: apt may have configured its package by then.
impl Tree for Placement<'_> {
    fn node(&self, path: &TreePath) -> Result<Option<Node>> {
        match Placement::node(self, path)? {
            None if self.made.contains_key(&path.with_suffix(CONFFILE_SUFFIX)) => Ok(Some(Node::File)),
            node => Ok(node),
        }
    }

    /// No file's content decides what a `preinst` does, so none is at hand.
    fn read(&self, _: &TreePath) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// Users and groups of the base: `passwd(5)`, `group(5)`.
pub(super) struct Accounts {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
}

impl Accounts {
    pub(super) fn load(tree: &dyn Tree) -> Result<Self> {
        let load = |path: &[u8]| {
            let text = read_resolved(tree, &TreePath::from_absolute(path)?)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let entry = |line: &str| {
                let mut words = line.split(':');
                Some((words.next()?.to_owned(), words.nth(1)?.parse().ok()?))
            };
            // The first line of a name wins, as it does for the C library.
            Ok::<_, Error>(text.lines().rev().filter_map(entry).collect())
        };
        Ok(Accounts { users: load(b"/etc/passwd")?, groups: load(b"/etc/group")? })
    }

    pub(super) fn user(&self, owner: &Owner) -> u32 {
        self.users.get(&owner.name).copied().unwrap_or(owner.id)
    }

    pub(super) fn group(&self, owner: &Owner) -> u32 {
        self.groups.get(&owner.name).copied().unwrap_or(owner.id)
    }

    pub(super) fn named_user(&self, name: &str) -> Result<u32> {
        named(&self.users, name)
    }

    pub(super) fn named_group(&self, name: &str) -> Result<u32> {
        named(&self.groups, name)
    }
}

/// A name, or a number written `#NUMBER`.
fn named(accounts: &BTreeMap<String, u32>, name: &str) -> Result<u32> {
    let number = name.strip_prefix('#').and_then(|digits| digits.parse().ok());
    let id = number.or_else(|| accounts.get(name).copied());
    id.ok_or_else(|| Error::Unsupported(Detail::new(Kind::Account(name.to_owned()))))
}
