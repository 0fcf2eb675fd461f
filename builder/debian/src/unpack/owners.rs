//! Which package a path belongs to, and who may take it over.

use std::collections::{BTreeMap, BTreeSet};

use super::{Detail, Error, Kind, Member, Package, Paragraph, Result, TreePath};
use crate::database::{Database, State};
use crate::dependency::parse_relations;
use crate::identity::Identity;

/// What a package may do with a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody else minds.
    Free,
    /// It replaces the file of these packages.
    Takes(Vec<String>),
    /// Another package's file stays.
    Yields,
}

/// The packages of the file lists, by path.
pub(super) struct Owners {
    by_path: BTreeMap<Vec<u8>, Vec<String>>,
}

impl Owners {
    pub(super) fn of(database: &Database) -> Self {
        let mut owners = Owners { by_path: BTreeMap::new() };
        for (info_name, list) in database.lists() {
            for line in list_lines(list) {
                owners.by_path.entry(line.to_vec()).or_default().push(info_name.clone());
            }
        }
        owners
    }

    pub(super) fn add(&mut self, info_name: &str, members: &[&Member]) {
        for member in members {
            self.by_path.entry(member.path.as_bytes().to_vec()).or_default().push(info_name.to_owned());
        }
    }

    /// Claims a path from all who have it, asking nobody.
    pub(super) fn take_over(&self, path: &TreePath) -> Claim {
        match self.by_path.get(path.as_bytes()) {
            Some(others) if !others.is_empty() => Claim::Takes(others.clone()),
            _ => Claim::Free,
        }
    }

    /// Decides over a path that is not an existing directory.
    pub(super) fn claim(&self, database: &Database, package: &Package, path: &TreePath) -> Result<Claim> {
        let mut taken = Vec::new();
        for other in self.by_path.get(path.as_bytes()).into_iter().flatten() {
            let Some(stanza) = database.stanza_of(other) else { continue };
            let Some(identity) = &stanza.identity else { continue };
            let diverter = database.diversions().iter().find(|diversion| diversion.from == path.as_bytes());
            if diverter.is_some_and(|diversion| {
                [&package.identity.name, &identity.name].map(Some).contains(&diversion.package.as_ref())
            }) || stanza.state == State::ConfigFiles
            {
                continue;
            }
            if replaces(&package.control, identity)? {
                if stanza.conffiles().any(|conffile| conffile.as_bytes() == path.as_bytes()) {
                    return Err(unsupported(Kind::TakesConffile {
                        package: package.identity.name.clone(),
                        path: path.clone(),
                        other: other.clone(),
                    }));
                }
                taken.push(other.clone());
            } else if replaces(&stanza.paragraph, &package.identity)? {
                return Ok(Claim::Yields);
            } else {
                return Err(Error::Conflict(Detail::new(Kind::Overwrite {
                    package: package.identity.name.clone(),
                    path: path.clone(),
                    other: other.clone(),
                })));
            }
        }
        Ok(if taken.is_empty() { Claim::Free } else { Claim::Takes(taken) })
    }

    /// Takes the paths out of the lists of their former owners.
    pub(super) fn hand_over(
        &mut self,
        database: &mut Database,
        package: &str,
        taken: Vec<(String, TreePath)>,
        listed: &[&Member],
    ) -> Result<()> {
        let mut by_owner: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for (owner, path) in taken {
            if let Some(owners) = self.by_path.get_mut(path.as_bytes()) {
                owners.retain(|name| *name != owner);
            }
            by_owner.entry(owner).or_default().insert(path.as_bytes().to_vec());
        }
        let listed: BTreeSet<&[u8]> = listed.iter().map(|member| member.path.as_bytes()).collect();
        for (owner, paths) in by_owner {
            let list = database.lists().get(&owner).cloned().unwrap_or_default();
            let kept: Vec<&[u8]> = list_lines(&list).filter(|line| !paths.contains(*line)).collect();
            if kept.iter().all(|line| listed.contains(line)) {
                return Err(unsupported(Kind::Disappears { package: package.to_owned(), other: owner }));
            }
            let encode = |line: &&[u8]| [if *line == b"/" { b"/." } else { *line }, b"\n"].concat();
            database.set_list(&owner, kept.iter().flat_map(encode).collect())?;
        }
        Ok(())
    }
}

/// The paths of a list, the root as `/`.
fn list_lines(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = list.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| if line == b"/." { b"/" } else { line })
}

fn replaces(control: &Paragraph, other: &Identity) -> Result<bool> {
    let relations = parse_relations(control.get("Replaces").unwrap_or_default())?;
    Ok(relations.iter().any(|relation| relation.name == other.name && relation.admits(&other.version)))
}

fn unsupported(kind: Kind) -> Error {
    Error::Unsupported(Detail::new(kind))
}
