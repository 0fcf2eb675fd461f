//! The packages of base and repositories, found by what they are and what they provide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::{Candidate, Database, Relation, Result};
use crate::database::{Stanza, State};
use crate::dependency::{Dependency, parse_dependencies, parse_relations};
use crate::identity::Identity;

/// The values of `Priority`, the most important first.
const PRIORITIES: [&str; 5] = ["required", "important", "standard", "optional", "extra"];

/// A package with its relations read.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) identity: &'a Identity,
    pub(super) provides: Vec<Relation>,
    /// `Conflicts` and `Breaks`.
    pub(super) excludes: Vec<Relation>,
}

impl Known<'_> {
    /// Whether a relation speaks of this package, by its name or by what it provides.
    pub(super) fn satisfies(&self, relation: &Relation) -> bool {
        relation.name == self.identity.name && relation.admits(&self.identity.version)
            || self.provides.iter().any(|provided| relation.admits_provided(provided))
    }

    /// A relation of this package that keeps the other away. A package does not conflict with itself, so that it may
    /// conflict with what it provides.
    pub(super) fn excluded_by<'b>(&self, other: &'b Known) -> Option<&'b Relation> {
        let same = self.identity.name == other.identity.name;
        other.excludes.iter().find(|relation| !same && self.satisfies(relation))
    }
}

/// What a candidate needs, the base left out of account.
#[derive(Debug)]
pub(super) struct Needs {
    /// `Pre-Depends`.
    pub(super) before: Vec<Dependency>,
    /// `Depends`.
    pub(super) beside: Vec<Dependency>,
    /// `Recommends`, if they count.
    pub(super) optional: Vec<Dependency>,
}

/// Everything there is to choose from.
#[derive(Debug)]
pub(super) struct Universe<'a> {
    pub(super) candidates: Vec<Known<'a>>,
    /// Read when they are asked for: a search looks at few of an archive's packages.
    needs: Vec<(&'a Candidate, OnceLock<Option<Needs>>)>,
    priorities: Vec<usize>,
    installed: Vec<Known<'a>>,
    /// Candidates by name, the latest version first.
    by_name: BTreeMap<&'a str, Vec<usize>>,
    /// Candidates by what they provide, by priority and name.
    by_provided: BTreeMap<String, Vec<usize>>,
    installed_by_name: BTreeMap<&'a str, usize>,
    /// Installed packages by what they provide.
    installed_by_provided: BTreeMap<String, Vec<usize>>,
    /// Installed packages by the names they exclude.
    installed_by_excluded: BTreeMap<String, Vec<usize>>,
    architecture: String,
    /// Candidates that are not for this base: their architectures, by name.
    foreign: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Position in the candidates that were given.
    positions: Vec<usize>,
    recommends: bool,
}

impl<'a> Universe<'a> {
    pub(super) fn new(
        base: &'a Database,
        candidates: &'a [Candidate],
        architecture: &str,
        recommends: bool,
    ) -> Result<Self> {
        let mut universe = Universe {
            candidates: Vec::new(),
            needs: Vec::new(),
            priorities: Vec::new(),
            installed: Vec::new(),
            by_name: BTreeMap::new(),
            by_provided: BTreeMap::new(),
            installed_by_name: BTreeMap::new(),
            installed_by_provided: BTreeMap::new(),
            installed_by_excluded: BTreeMap::new(),
            architecture: architecture.to_owned(),
            foreign: BTreeMap::new(),
            positions: Vec::new(),
            recommends,
        };
        for stanza in base.stanzas().iter() {
            universe.add_installed(stanza)?;
        }
        for (position, candidate) in candidates.iter().enumerate() {
            universe.add_candidate(position, candidate)?;
        }
        universe.sort();
        Ok(universe)
    }

    fn add_installed(&mut self, stanza: &'a Stanza) -> Result<()> {
        let present = stanza.state >= State::HalfInstalled;
        let Some(identity) = stanza.identity.as_ref().filter(|identity| present && self.is_native(identity))
        else {
            return Ok(());
        };
        let known = known(identity, |field| stanza.paragraph.get(field))?;
        let index = self.installed.len();
        self.installed_by_name.insert(&identity.name, index);
        for provided in &known.provides {
            self.installed_by_provided.entry(provided.name.clone()).or_default().push(index);
        }
        for excluded in &known.excludes {
            self.installed_by_excluded.entry(excluded.name.clone()).or_default().push(index);
        }
        self.installed.push(known);
        Ok(())
    }

    fn add_candidate(&mut self, position: usize, candidate: &'a Candidate) -> Result<()> {
        let identity = &candidate.identity;
        if !self.is_native(identity) {
            self.foreign.entry(&identity.name).or_default().insert(&identity.architecture);
            return Ok(());
        }
        let same_name = self.by_name.get(identity.name.as_str());
        let is_known = same_name.into_iter().flatten().any(|&index| {
            self.candidates.get(index).is_some_and(|known| known.identity.version == identity.version)
        });
        if is_known {
            return Ok(());
        }
        let get = |field: &str| candidate.relations.get(field);
        let known = known(identity, get)?;
        let index = self.candidates.len();
        self.by_name.entry(&identity.name).or_default().push(index);
        for provided in &known.provides {
            let providers = self.by_provided.entry(provided.name.clone()).or_default();
            if providers.last() != Some(&index) {
                providers.push(index);
            }
        }
        needs(candidate, self.recommends)?;
        self.needs.push((candidate, OnceLock::new()));
        let priority = PRIORITIES.iter().position(|name| get("Priority") == Some(name));
        self.priorities.push(priority.unwrap_or(PRIORITIES.len()));
        self.candidates.push(known);
        self.positions.push(position);
        Ok(())
    }

    fn sort(&mut self) {
        let Universe { candidates, priorities, by_name, by_provided, .. } = self;
        let identity = |index: &usize| candidates.get(*index).map(|known| known.identity);
        let version = |index: &usize| identity(index).map(|identity| &identity.version);
        let name = |index: &usize| identity(index).map(|identity| &identity.name);
        for indices in by_name.values_mut() {
            indices.sort_by(|left, right| version(right).cmp(&version(left)));
        }
        for indices in by_provided.values_mut() {
            indices.sort_by(|left, right| {
                let priority = |index: &usize| priorities.get(*index);
                priority(left)
                    .cmp(&priority(right))
                    .then_with(|| name(left).cmp(&name(right)))
                    .then_with(|| version(right).cmp(&version(left)))
            });
        }
    }

    fn is_native(&self, identity: &Identity) -> bool {
        identity.architecture == "all" || identity.architecture == self.architecture
    }

    /// Whether a relation may be answered by packages of the base's architecture at all.
    fn is_for_us(&self, relation: &Relation) -> bool {
        relation.qualifier.as_deref().is_none_or(|name| ["any", "native", &self.architecture].contains(&name))
    }

    /// The place of a candidate among those that were given.
    pub(super) fn position(&self, index: usize) -> Option<usize> {
        self.positions.get(index).copied()
    }

    /// What a candidate needs.
    pub(super) fn needs(&self, index: usize) -> Option<&Needs> {
        let (candidate, cell) = self.needs.get(index)?;
        // That they can be read was seen when the candidate was added.
        cell.get_or_init(|| needs(candidate, self.recommends).ok()).as_ref()
    }

    /// The architecture of the base.
    pub(super) fn architecture(&self) -> &str {
        &self.architecture
    }

    /// Other architectures that a package is offered for.
    pub(super) fn foreign(&self, name: &str) -> Vec<&'a str> {
        self.foreign.get(name).into_iter().flatten().copied().collect()
    }

    /// Candidates of a name, the latest first.
    pub(super) fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The candidates that satisfy a relation: those of its name first, then those that provide it.
    pub(super) fn satisfying(&self, relation: &Relation) -> Vec<usize> {
        let provided = self.by_provided.get(&relation.name).map_or(&[][..], Vec::as_slice);
        let is_new = |index: &&usize| !self.named(&relation.name).contains(index);
        let all = self.named(&relation.name).iter().chain(provided.iter().filter(is_new)).copied();
        let satisfies =
            |index: &usize| self.candidates.get(*index).is_some_and(|known| known.satisfies(relation));
        all.filter(|index| self.is_for_us(relation) && satisfies(index)).collect()
    }

    /// Whether the base satisfies one of the alternatives.
    pub(super) fn is_satisfied(&self, dependency: &Dependency) -> bool {
        dependency.alternatives.iter().any(|relation| self.is_installed(relation))
    }

    pub(super) fn is_installed(&self, relation: &Relation) -> bool {
        let named = self.installed_by_name.get(relation.name.as_str());
        let providing = self.installed_by_provided.get(&relation.name);
        let mut all = named.into_iter().chain(providing.into_iter().flatten());
        self.is_for_us(relation)
            && all.any(|&index| self.installed.get(index).is_some_and(|known| known.satisfies(relation)))
    }

    /// The installed package of a name.
    pub(super) fn installed(&self, name: &str) -> Option<&Known<'a>> {
        self.installed_by_name.get(name).and_then(|&index| self.installed.get(index))
    }

    /// Why a candidate cannot be added to the base, whatever else is.
    pub(super) fn blocked(&self, index: usize) -> Option<String> {
        let candidate = self.candidates.get(index)?;
        if let Some(present) = self.installed(&candidate.identity.name) {
            return Some(format!("the base has version {}, which stays", present.identity.version));
        }
        for relation in &candidate.excludes {
            let named = self.installed_by_name.get(relation.name.as_str());
            let providing = self.installed_by_provided.get(&relation.name);
            for &other in named.into_iter().chain(providing.into_iter().flatten()) {
                let other = self.installed.get(other)?;
                if let Some(relation) = other.excluded_by(candidate) {
                    return Some(format!("it excludes {relation}, and the base has {}", other.identity));
                }
            }
        }
        let names = std::iter::once(&candidate.identity.name)
            .chain(candidate.provides.iter().map(|entry| &entry.name));
        for &other in names.filter_map(|name| self.installed_by_excluded.get(name)).flatten() {
            let other = self.installed.get(other)?;
            if let Some(relation) = candidate.excluded_by(other) {
                return Some(format!("{} of the base excludes {relation}", other.identity.name));
            }
        }
        None
    }
}

fn known<'a, 'b>(identity: &'a Identity, get: impl Fn(&str) -> Option<&'b str>) -> Result<Known<'a>> {
    let relations = |field: &str| parse_relations(get(field).unwrap_or_default());
    let excludes = [relations("Conflicts")?, relations("Breaks")?].concat();
    Ok(Known { identity, provides: relations("Provides")?, excludes })
}

fn needs(candidate: &Candidate, recommends: bool) -> Result<Needs> {
    let dependencies = |field: &str| parse_dependencies(candidate.relations.get(field).unwrap_or_default());
    let optional = if recommends { dependencies("Recommends")? } else { Vec::new() };
    Ok(Needs { before: dependencies("Pre-Depends")?, beside: dependencies("Depends")?, optional })
}
