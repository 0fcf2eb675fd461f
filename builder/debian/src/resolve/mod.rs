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

/// What to resolve, and from what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the base has.
    pub base: &'a Database,
    /// What the repositories offer. Of equal names and versions, the first counts.
    pub candidates: &'a [Candidate],
    /// What must be there in the end; one that the base satisfies adds nothing.
    pub wanted: &'a [Relation],
    /// Whether `Recommends` of new packages count, where they can be had at all.
    pub recommends: bool,
}

/// Finds the packages to add, in an order in which they can be unpacked: what a package pre-depends on comes before it,
/// and what it depends on too unless they depend on each other. The result holds indices into the candidates; equal
/// requests have equal results.
///
/// The first of several alternatives is preferred, then the latest version.
///
/// # Errors
/// [`Error::Conflict`] if there is no such set, with the reasons as apt would list them; [`Error::Malformed`] if a
/// relationship field cannot be read.
pub fn resolve(request: &Request) -> Result<Vec<usize>> {
    let architecture = request.base.native_architecture();
    let architecture = architecture.ok_or(Error::Malformed(Detail::new(Kind::NoArchitecture)))?;
    let universe = Universe::new(request, architecture)?;
    match solver::solve(&universe, request.wanted) {
        Ok(chosen) => order::for_unpacking(&universe, &chosen),
        Err(report) => {
            let text = explain::explain(&universe, request.wanted).unwrap_or(report);
            Err(Error::Conflict(Detail::new(Kind::Unsolvable(text))))
        }
    }
}

#[cfg(test)]
mod tests;
