//! Why packages cannot be installed, in the words of apt.

use std::collections::BTreeMap;

use super::universe::Universe;
use crate::dependency::{Dependency, Relation};

/// Says why, where one missing or unfit package is enough of a reason; `None` where only the combination fails.
pub(super) fn explain(universe: &Universe, wanted: &[Relation]) -> Option<String> {
    let mut explanation = Explanation { universe, reasons: BTreeMap::new() };
    let lines: Vec<String> = wanted
        .iter()
        .filter(|relation| !universe.is_installed(relation))
        .filter_map(|relation| {
            let dependency = Dependency { alternatives: vec![relation.clone()] };
            explanation.unmet(&dependency).map(|reason| format!(" {reason}"))
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

struct Explanation<'u, 'a> {
    universe: &'u Universe<'a>,
    /// Why a candidate cannot be installed; `None` if it can, or is being looked at.
    reasons: BTreeMap<usize, Option<String>>,
}

impl Explanation<'_, '_> {
    /// Why no alternative can be had.
    fn unmet(&mut self, dependency: &Dependency) -> Option<String> {
        if self.universe.is_satisfied(dependency) {
            return None;
        }
        let mut reasons = Vec::new();
        for relation in &dependency.alternatives {
            let satisfying = self.universe.satisfying(relation);
            if satisfying.is_empty() {
                reasons.push(self.absent(relation));
            }
            for index in satisfying {
                reasons.push(self.reason(index)?);
            }
        }
        reasons.dedup();
        Some(reasons.join("; "))
    }

    fn absent(&self, relation: &Relation) -> String {
        let present = self.universe.installed(&relation.name).map(|known| &known.identity.version);
        let offered = self.universe.named(&relation.name).first();
        let offered = offered.and_then(|&index| self.universe.candidates.get(index));
        match (present, offered.map(|known| &known.identity.version)) {
            (Some(version), _) => format!("{relation}: the base has {version}, which stays"),
            (None, Some(version)) => format!("{relation}: {version} is to be installed"),
            (None, None) => match self.universe.foreign(&relation.name).as_slice() {
                [] => format!("{relation}: not installable"),
                others => {
                    let architecture = self.universe.architecture();
                    format!("{relation}: offered for {}, the base is {architecture}", others.join(" and "))
                }
            },
        }
    }

    fn reason(&mut self, index: usize) -> Option<String> {
        if let Some(known) = self.reasons.get(&index) {
            return known.clone();
        }
        self.reasons.insert(index, None);
        let name = self.universe.candidates.get(index).map_or("", |known| &known.identity.name);
        let blocked = self.universe.blocked(index).map(|reason| format!("{name}: {reason}"));
        let reason = blocked.or_else(|| {
            let needs = self.universe.needs(index)?;
            let fields = [("Pre-Depends", &needs.before), ("Depends", &needs.beside)];
            fields.into_iter().find_map(|(field, dependencies)| {
                dependencies.iter().find_map(|dependency| {
                    let reason = self.unmet(dependency)?;
                    Some(format!("{name}: {field}: {reason}"))
                })
            })
        });
        self.reasons.insert(index, reason.clone());
        reason
    }
}
