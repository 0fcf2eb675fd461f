//! Which packages to add to a base so that some are there, with all they need.
//!
//! What the base has stays as it is: nothing is upgraded or removed, for neither can be done offline. So its packages
//! are facts, and only new ones are up for decision; the search itself is resolvo's.

mod explain;
mod order;
mod solver;
mod universe;

use crate::database::Database;
use crate::dependency::Relation;
use crate::error::{Detail, Error, Result};
use crate::repository::Candidate;

use self::universe::Universe;

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("cannot install:\n{0}")]
    Unsolvable(String),
    #[error("{0} pre-depends on itself")]
    PreDependencyCycle(String),
    #[error("the base does not say which architecture it is")]
    NoArchitecture,
}

/// A base, and what repositories offer for it.
#[derive(Debug)]
pub struct Resolver<'a> {
    universe: Universe<'a>,
}

impl<'a> Resolver<'a> {
    /// Reads the relations of all packages. Of candidates with equal names and versions the first counts; packages of
    /// other architectures than the base's do not. `recommends` says whether `Recommends` of new packages count, where
    /// they can be had at all.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a relationship field cannot be read, or the base does not say which architecture it is.
    pub fn new(base: &'a Database, candidates: &'a [Candidate], recommends: bool) -> Result<Self> {
        let architecture = base.native_architecture();
        let architecture = architecture.ok_or(Error::Malformed(Detail::new(Kind::NoArchitecture)))?;
        Ok(Resolver { universe: Universe::new(base, candidates, architecture, recommends)? })
    }

    /// Finds the packages to add so that all of `wanted` is there, in an order in which they can be unpacked: what a
    /// package pre-depends on comes before it, and what it depends on too unless they depend on each other. The result
    /// holds indices into the candidates; equal requests have equal results.
    ///
    /// The first of several alternatives is preferred, then the latest version. What the base satisfies adds nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is no such set, with the reasons as apt would list them.
    pub fn resolve(&self, wanted: &[Relation]) -> Result<Vec<usize>> {
        match solver::solve(&self.universe, wanted) {
            Ok(chosen) => order::for_unpacking(&self.universe, &chosen),
            Err(report) => {
                let text = explain::explain(&self.universe, wanted).unwrap_or(report);
                Err(Error::Conflict(Detail::new(Kind::Unsolvable(text))))
            }
        }
    }
}

#[cfg(test)]
mod tests;
