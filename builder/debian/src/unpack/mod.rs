//! What `dpkg --unpack` would leave, as a plan: file operations in order, and the files of the database.
//!
//! The rules are those of dpkg's `tarobject` and `process_archive` (src/main/archives.c, unpack.c); where dpkg would run
//! a script or undo something, the package is refused. Triggers are left pending, as with `--no-triggers`.

mod filter;
mod owners;
mod placement;
mod triggers;

use imgforge_spec::Hex;

use crate::archive::{Member, MemberKind, Owner, Package};
use crate::assessment::{Effect, Preinst, Refusal};
use crate::control::Paragraph;
use crate::database::{Conffile, Database, DatabaseFile, Stanza, State};
use crate::error::{Detail, Error, Result};
use crate::identity::Identity;
use crate::path::TreePath;
use crate::tree::Tree;

use self::filter::Filter;
use self::owners::{Claim, Owners};
use self::placement::{Accounts, CONFFILE_SUFFIX, Placement};

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("{0}: the base does not accept this architecture")]
    Architecture(Identity),
    #[error(
        "{package}: the base has {present} ({state:?}); replacing an installed package offline is not possible"
    )]
    Present { package: Identity, present: Identity, state: State },
    #[error("{package}: tries to overwrite {path}, which is also in {other}")]
    Overwrite { package: String, path: TreePath, other: String },
    #[error("{package}: {path} is where a diversion of {from} leads")]
    Diverted { package: String, path: TreePath, from: String },
    #[error("{package}: {path} would take over a conffile of {other}")]
    TakesConffile { package: String, path: TreePath, other: String },
    #[error("{package}: would take over every file of {other}")]
    Disappears { package: String, other: String },
    #[error("{package}: {path} would replace a directory")]
    OverDirectory { package: String, path: TreePath },
    #[error("{package}: {path} has no directory to lie in")]
    NoParent { package: String, path: TreePath },
    #[error("{package}: directory {path} would replace something else")]
    DirectoryOverOther { package: String, path: TreePath },
    #[error("{package}: hard link {path} to {target}, which is not unpacked")]
    LinkTarget { package: String, path: TreePath, target: TreePath },
    #[error("/etc/dpkg/dpkg.cfg: the pattern of `{0}` is not understood")]
    Pattern(String),
    #[error("{package}: after the packages before it, {refusal}; leave it to apt on the board")]
    Preinst { package: String, refusal: Refusal },
    #[error("statoverride names the unknown account {0:?}")]
    Account(String),
}

/// Owner, mode, time and attributes of what an operation makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permissions with setuid, setgid and sticky bits.
    pub mode: u32,
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Modification time (seconds since 1970).
    pub mtime: u64,
    /// Extended attributes, by name, in their order.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// What an operation makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A directory that is not there yet.
    Directory(Attributes),
    /// A regular file, over whatever file or link is there.
    File {
        /// Owner, mode, time, attributes.
        attributes: Attributes,
        /// Bytes.
        size: u64,
        /// Start in the concatenation of the package's file contents, as in [`MemberKind::File`] (bytes).
        offset: u64,
    },
    /// A symbolic link, over whatever file or link is there; its mode has no meaning.
    Symlink {
        /// Owner and time.
        attributes: Attributes,
        /// Its target.
        target: Vec<u8>,
    },
    /// One more name for a file that an earlier operation made, over whatever file or link is there.
    HardLink {
        /// That file's path.
        target: TreePath,
    },
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Index of the package it comes from.
    pub package: usize,
    /// Where it takes place; every symbolic link of the tree on the way is resolved.
    pub path: TreePath,
    /// What it makes.
    pub action: Action,
}

/// What unpacking changes.
#[derive(Debug)]
pub struct Plan {
    /// File operations; each may rely on those before it.
    pub operations: Vec<Operation>,
    /// Files of the dpkg database to write, sorted by path.
    pub database: Vec<DatabaseFile>,
}

/// Plans the unpacking of `packages`, in this order, over `tree`.
///
/// Each `preinst` is judged by the tree as the packages before it leave it: [`crate::Assessment`], which knows the base
/// alone, may have found less in it. What can be done in the place of one is part of the plan.
///
/// # Errors
/// [`Error::Conflict`] if a file belongs to another package and no `Replaces` or diversion allows it, or the
/// architecture is not the base's; [`Error::Unsupported`] for an upgrade and for whatever dpkg would have to undo or run, a `preinst` among it;
/// [`Error::Malformed`] if the base's database or a control file is broken; [`Error::Io`] from the tree.
pub fn plan_unpack(tree: &dyn Tree, packages: &[Package]) -> Result<Plan> {
    let mut database = Database::with_lists(tree)?;
    let mut owners = Owners::of(&database);
    let mut placement = Placement::new(tree);
    let accounts = Accounts::load(tree)?;
    let filter = Filter::load(tree)?;
    for (index, package) in packages.iter().enumerate() {
        check_acceptable(&database, &package.identity)?;
        let unpacking = Unpacking { tree, package, index, accounts: &accounts, filter: &filter };
        unpacking.imitate_preinst(&mut database, &mut placement)?;
        unpacking.run(&mut database, &mut owners, &mut placement)?;
    }
    Ok(Plan { operations: placement.into_operations(), database: database.into_files()? })
}

fn check_acceptable(database: &Database, identity: &Identity) -> Result<()> {
    if !database.accepts(&identity.architecture) {
        return Err(Error::Conflict(Detail::new(Kind::Architecture(identity.clone()))));
    }
    let same_name = database.stanzas().named(&identity.name).next();
    match same_name.and_then(|stanza| Some((stanza.identity.clone()?, stanza.state))) {
        Some((present, state)) => {
            let package = identity.clone();
            Err(Error::Unsupported(Detail::new(Kind::Present { package, present, state })))
        }
        None => Ok(()),
    }
}

/// One package on its way into the tree.
struct Unpacking<'a> {
    tree: &'a dyn Tree,
    package: &'a Package,
    index: usize,
    accounts: &'a Accounts,
    filter: &'a Filter,
}

impl Unpacking<'_> {
    /// Does what the `preinst` would have done. What it makes has the time of the package's newest file: no clock is read.
    fn imitate_preinst(&self, database: &mut Database, placement: &mut Placement) -> Result<()> {
        let preinst = Preinst::of_package(self.package, placement);
        if let Some(refusal) = preinst.refusal() {
            let package = self.package.identity.name.clone();
            return Err(Error::Unsupported(Detail::new(Kind::Preinst { package, refusal })));
        }
        let Preinst::Imitated(effects) = preinst else { return Ok(()) };
        let mtime = self.package.members.iter().map(|member| member.mtime).max().unwrap_or(0);
        let attributes = |mode| Attributes { mode, uid: 0, gid: 0, mtime, xattrs: Vec::new() };
        for effect in effects {
            match effect {
                Effect::Divert(diversion) => database.divert(diversion)?,
                Effect::Directory(path) => {
                    placement.make_directories(self.index, &path, &attributes(0o755))?
                }
                Effect::EmptyFile(path) => {
                    placement.make_empty_file(self.index, &path, attributes(0o644))?;
                }
            }
        }
        Ok(())
    }

    fn run(&self, database: &mut Database, owners: &mut Owners, placement: &mut Placement) -> Result<()> {
        let info_name = self.package.identity.info_name();
        let conffiles = Conffile::decode(self.package.control_file("conffiles").unwrap_or_default())?;
        let mut triggers = triggers::Activations::new(self.tree, &info_name);
        triggers.activate_declared(database, self.package.control_file("triggers").unwrap_or_default())?;

        let mut listed = Vec::new();
        let mut taken = Vec::new();
        for member in &self.package.members {
            let target = self.divert(database, &member.path)?;
            triggers.activate_path(database, &target);
            let claim = if placement.keeps(&target, &member.kind)? {
                Claim::Free
            } else if placement.is_new_directory(&target, &member.kind)? {
                owners.take_over(&member.path)
            } else {
                owners.claim(database, self.package, &member.path)?
            };
            if claim == Claim::Yields {
                continue;
            }
            if let Claim::Takes(others) = claim {
                taken.extend(others.into_iter().map(|other| (other, member.path.clone())));
            }
            let is_conffile = conffiles.iter().any(|file| file.path.as_bytes() == member.path.as_bytes());
            let attributes = self.attributes(database, member)?;
            let target = if is_conffile { target.with_suffix(CONFFILE_SUFFIX) } else { target };
            if !self.filter.skips(member) {
                placement.place(&info_name, self.index, &target, member, attributes)?;
            }
            listed.push(member);
        }

        owners.hand_over(database, &info_name, taken, &listed)?;
        owners.add(&info_name, &listed);
        placement
            .note(&TreePath::from_absolute(format!("/var/lib/dpkg/info/{info_name}.list").as_bytes())?)?;
        self.record(database, &info_name, &listed, &conffiles, &triggers)
    }

    /// The stanza, `info/*` and triggers of the package.
    fn record(
        &self,
        database: &mut Database,
        info_name: &str,
        listed: &[&Member],
        conffiles: &[Conffile],
        triggers: &triggers::Activations,
    ) -> Result<()> {
        let mut stanza = Stanza::unpacked(self.package.identity.clone(), &self.package.control, conffiles)?;
        if let Some(awaited) = triggers.awaited() {
            stanza.set("Triggers-Awaited", awaited);
        }
        database.insert(stanza);
        database.set_list(info_name, encode_list(listed))?;
        if self.package.control_file("md5sums").is_none() {
            let present = listed.iter().filter(|member| !self.filter.skips(member));
            database.write(&format!("info/{info_name}.md5sums"), 0o644, encode_md5sums(present))?;
        }
        for file in &self.package.control_files {
            database.write(&format!("info/{info_name}.{}", file.name), file.mode, file.content.clone())?;
        }
        triggers.register(database, self.package.control_file("triggers").unwrap_or_default())
    }

    /// Where a path of the package really goes.
    fn divert(&self, database: &Database, path: &TreePath) -> Result<TreePath> {
        for diversion in database.diversions() {
            let owns = diversion.package.as_ref() == Some(&self.package.identity.name);
            if diversion.from == path.as_bytes() && !owns {
                return TreePath::from_absolute(&diversion.to);
            }
            if diversion.to == path.as_bytes() {
                let from = String::from_utf8_lossy(&diversion.from).into_owned();
                let kind =
                    Kind::Diverted { package: self.package.identity.name.clone(), path: path.clone(), from };
                return Err(Error::Conflict(Detail::new(kind)));
            }
        }
        Ok(path.clone())
    }

    /// A statoverride speaks of the path that the package names, wherever a diversion leads it.
    fn attributes(&self, database: &Database, member: &Member) -> Result<Attributes> {
        let (mode, uid, gid) = match database.override_of(&member.path) {
            Some(entry) => {
                (entry.mode, self.accounts.named_user(&entry.user)?, self.accounts.named_group(&entry.group)?)
            }
            None => (member.mode, self.accounts.user(&member.user), self.accounts.group(&member.group)),
        };
        Ok(Attributes { mode, uid, gid, mtime: member.mtime, xattrs: member.xattrs.clone() })
    }
}

/// `info/NAME.list`: a path per line, the root as `/.`.
fn encode_list(members: &[&Member]) -> Vec<u8> {
    let line = |path: &TreePath| [if path.is_root() { b"/." } else { path.as_bytes() }, b"\n"].concat();
    members.iter().flat_map(|member| line(&member.path)).collect()
}

/// `info/NAME.md5sums`: a line `SUM  PATH` for each file, the path without its leading slash.
fn encode_md5sums<'a>(members: impl Iterator<Item = &'a &'a Member>) -> Vec<u8> {
    let line = |member: &&Member| {
        let sum = Hex(&member.md5?).to_string();
        Some([sum.as_bytes(), b"  ", member.path.as_bytes().get(1..)?, b"\n"].concat())
    };
    members.filter_map(line).flatten().collect()
}
