//! The order in which chosen packages are unpacked.

use std::collections::BTreeSet;

use super::universe::Universe;
use super::{Detail, Error, Kind, Result};
use crate::dependency::Dependency;

/// Gives positions among the candidates that were given: what is depended on first, as far as there are no cycles; what is pre-depended on
/// first in any case.
pub(super) fn for_unpacking(universe: &Universe, chosen: &[usize]) -> Result<Vec<usize>> {
    let mut by_name = chosen.to_vec();
    by_name.sort_by_key(|&index| universe.candidates.get(index).map(|known| &known.identity.name));
    let mut walk = Walk { universe, chosen: &by_name, seen: BTreeSet::new(), order: Vec::new() };
    for &index in &by_name {
        walk.visit(index);
    }
    let order = pre_dependencies_first(universe, walk.order, &by_name)?;
    Ok(order.into_iter().filter_map(|index| universe.position(index)).collect())
}

/// A depth-first walk that leaves a package after those it needs.
struct Walk<'u, 'a> {
    universe: &'u Universe<'a>,
    chosen: &'u [usize],
    seen: BTreeSet<usize>,
    order: Vec<usize>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, index: usize) {
        let Some(needs) = self.universe.needs(index).filter(|_| self.seen.insert(index)) else { return };
        for dependency in needs.before.iter().chain(&needs.beside) {
            for next in answers(self.universe, dependency, self.chosen) {
                self.visit(next);
            }
        }
        self.order.push(index);
    }
}

/// Takes, again and again, the first package whose pre-dependencies have been taken.
fn pre_dependencies_first(
    universe: &Universe,
    mut waiting: Vec<usize>,
    chosen: &[usize],
) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = Vec::new();
    while let Some(&first) = waiting.first() {
        let is_ready = |index: &usize| {
            let before = universe.needs(*index).map_or(&[][..], |needs| &needs.before);
            before.iter().all(|dependency| {
                let mut answers = answers(universe, dependency, chosen).peekable();
                universe.is_satisfied(dependency)
                    || answers.peek().is_none()
                    || answers.any(|answer| order.contains(&answer))
            })
        };
        let ready = waiting.iter().position(is_ready).ok_or_else(|| {
            let name =
                universe.candidates.get(first).map_or_else(String::new, |known| known.identity.to_string());
            Error::Conflict(Detail::new(Kind::PreDependencyCycle(name)))
        })?;
        order.push(waiting.remove(ready));
    }
    Ok(order)
}

/// The chosen packages that answer a dependency.
fn answers<'b>(
    universe: &'b Universe,
    dependency: &'b Dependency,
    chosen: &'b [usize],
) -> impl Iterator<Item = usize> + 'b {
    let satisfying = dependency.alternatives.iter().flat_map(|relation| universe.satisfying(relation));
    satisfying.filter(|index| chosen.contains(index))
}
