//! Debian packages without dpkg: archives, control files, versions, signed repositories, resolution, the dpkg database.
//!
//! A library over bytes: it opens no file and no connection, reads no clock, and runs no code of a package.

mod control;
mod dependency;
mod error;
mod version;

pub use control::{Field, Paragraph, Paragraphs};
pub use dependency::{Dependency, Operator, Relation, parse_dependencies, parse_relations};
pub use error::{Detail, Error, Result};
pub use version::Version;
