//! The search, put in resolvo's terms.
//!
//! A name of resolvo's is a package name, a solvable is a candidate, and a version set is a plain list of candidates of
//! one name. A dependency becomes the union of such sets in the order of preference; a conflict with some candidates of
//! a name becomes the constraint to all others of it.

use std::fmt::{self, Display};

use resolvo::utils::{Pool, VersionSet};
use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Problem, Requirement, SolvableId, Solver,
    SolverCache, StringId, UnsolvableOrCancelled, VersionSetId, VersionSetUnionId,
};

use super::universe::Universe;
use crate::dependency::{Dependency, Relation};

/// Candidates of one name, and the relation that asks for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Choice {
    candidates: Vec<usize>,
    relation: String,
}

impl VersionSet for Choice {
    type V = Solvable;
}

/// A candidate, shown by its version.
struct Solvable {
    index: usize,
    version: String,
}

impl Display for Solvable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}

/// Finds candidates that satisfy `wanted`; on failure, gives resolvo's account of it.
pub(super) fn solve(universe: &Universe, wanted: &[Relation]) -> Result<Vec<usize>, String> {
    let provider = Provider { universe, pool: Pool::new() };
    let dependencies: Vec<Dependency> =
        wanted.iter().map(|relation| Dependency { alternatives: vec![relation.clone()] }).collect();
    let requirements = provider.requirements(&dependencies);
    let mut solver = Solver::new(provider);
    match solver.solve(Problem::new().requirements(requirements)) {
        Ok(solvables) => {
            let mut chosen: Vec<usize> = solvables
                .into_iter()
                .map(|id| solver.provider().pool.resolve_solvable(id).record.index)
                .collect();
            chosen.sort_unstable();
            Ok(chosen)
        }
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            Err(conflict.display_user_friendly(&solver).to_string())
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => Err("the search was cancelled".to_owned()),
    }
}

struct Provider<'u, 'a> {
    universe: &'u Universe<'a>,
    pool: Pool<Choice>,
}

impl Provider<'_, '_> {
    fn name_of(&self, index: usize) -> &str {
        self.universe.candidates.get(index).map_or("", |known| known.identity.name.as_str())
    }

    /// What must be added for these dependencies; those that the base satisfies need nothing.
    fn requirements(&self, dependencies: &[Dependency]) -> Vec<ConditionalRequirement> {
        let open = dependencies.iter().filter(|dependency| !self.universe.is_satisfied(dependency));
        open.map(|dependency| self.requirement(dependency).into()).collect()
    }

    fn requirement(&self, dependency: &Dependency) -> Requirement {
        let mut sets: Vec<VersionSetId> = Vec::new();
        for relation in &dependency.alternatives {
            let mut rest = self.universe.satisfying(relation);
            while let Some(&first) = rest.first() {
                let name = self.name_of(first);
                let (of_name, others) = rest.iter().partition(|&&index| self.name_of(index) == name);
                sets.push(self.choice(name, of_name, relation.to_string()));
                rest = others;
            }
        }
        let Some((&first, others)) = sets.split_first() else {
            let name = dependency.alternatives.first().map_or("", |relation| relation.name.as_str());
            return self.choice(name, Vec::new(), dependency.to_string()).into();
        };
        match others {
            [] => first.into(),
            others => self.pool.intern_version_set_union(first, others.iter().copied()).into(),
        }
    }

    fn choice(&self, name: &str, candidates: Vec<usize>, relation: String) -> VersionSetId {
        let name = self.pool.intern_package_name(name);
        self.pool.intern_version_set(name, Choice { candidates, relation })
    }

    /// For each name with candidates that this one excludes: the other candidates of it.
    fn constraints(&self, index: usize) -> Vec<VersionSetId> {
        let Some(candidate) = self.universe.candidates.get(index) else { return Vec::new() };
        let mut constraints = Vec::new();
        for relation in &candidate.excludes {
            let mut rest = self.universe.satisfying(relation);
            rest.retain(|&other| self.name_of(other) != candidate.identity.name);
            while let Some(&first) = rest.first() {
                let name = self.name_of(first);
                let (excluded, others): (Vec<usize>, Vec<usize>) =
                    rest.iter().partition(|&&other| self.name_of(other) == name);
                let named = self.universe.named(name).iter().copied();
                let allowed = named.filter(|other| !excluded.contains(other)).collect();
                constraints.push(self.choice(name, allowed, format!("not {relation}")));
                rest = others;
            }
        }
        constraints
    }

    fn index(&self, solvable: SolvableId) -> usize {
        self.pool.resolve_solvable(solvable).record.index
    }
}

impl DependencyProvider for Provider<'_, '_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let choice = &self.pool.resolve_version_set(version_set).candidates;
        candidates.iter().copied().filter(|&id| choice.contains(&self.index(id)) != inverse).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let indices = self.universe.named(self.pool.resolve_package_name(name));
        let mut candidates = Candidates::default();
        for &index in indices {
            let version = self.universe.candidates.get(index)?.identity.version.to_string();
            let solvable = self.pool.intern_solvable(name, Solvable { index, version });
            match self.universe.blocked(index) {
                Some(reason) => candidates.excluded.push((solvable, self.pool.intern_string(reason))),
                None => candidates.candidates.push(solvable),
            }
        }
        candidates.hint_dependencies_available = HintDependenciesAvailable::None;
        (!indices.is_empty()).then_some(candidates)
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        // Candidates of a name are known latest first.
        let named = |id: &SolvableId| {
            let index = self.index(*id);
            self.universe.named(self.name_of(index)).iter().position(|&known| known == index)
        };
        solvables.sort_by_key(named);
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let index = self.index(solvable);
        let Some(needs) = self.universe.needs(index) else { return Dependencies::Known(Default::default()) };
        let mut requirements = self.requirements(&needs.before);
        requirements.extend(self.requirements(&needs.beside));
        let obtainable = |dependency: &&Dependency| {
            dependency.alternatives.iter().any(|relation| {
                self.universe.satisfying(relation).iter().any(|&index| self.universe.blocked(index).is_none())
            })
        };
        let recommended: Vec<Dependency> = needs.optional.iter().filter(obtainable).cloned().collect();
        requirements.extend(self.requirements(&recommended));
        Dependencies::Known(KnownDependencies { requirements, constrains: self.constraints(index) })
    }
}

impl Interner for Provider<'_, '_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        let solvable = self.pool.resolve_solvable(solvable);
        format!("{} {}", self.pool.resolve_package_name(solvable.name), solvable.record)
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.pool.resolve_package_name(name)
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        &self.pool.resolve_version_set(version_set).relation
    }

    fn display_string(&self, string: StringId) -> impl Display + '_ {
        self.pool.resolve_string(string)
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        self.pool.resolve_version_set_package_name(version_set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.pool.resolve_solvable(solvable).name
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.pool.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.pool.resolve_condition(condition).clone()
    }
}
