//! Debian packages without dpkg: archives, control files, versions, signed repositories, resolution, the dpkg database.
//!
//! A library over bytes: it opens no file and no connection, reads no clock, and runs no code of a package. The caller
//! fetches what [`Layout`] names and [`Release`] holds to its sums, shows the base through [`Tree`], and carries out a
//! [`Plan`].
//!
//! ```no_run
//! use imgforge_debian::{Assessment, Database, Limits, Package, Resolver, Result, Tree};
//! use imgforge_debian::{parse_relations, plan_unpack, read_packages};
//!
//! /// Adds packages to a base: `index` is a verified `Packages` file, `fetch` opens a verified `.deb`.
//! fn add(base: &dyn Tree, index: &[u8], wanted: &str, fetch: fn(&str) -> std::fs::File) -> Result<()> {
//!     let database = Database::load(base)?;
//!     let candidates = read_packages(index).collect::<Result<Vec<_>>>()?;
//!     let chosen = Resolver::new(&database, &candidates, false)?.resolve(&parse_relations(wanted)?)?;
//!     let read = |&index: &usize| {
//!         Package::read(fetch(&candidates[index].filename), &Limits::default(), |member, content| {
//!             let _ = (member, content); // Keep the content where the plan will look for it.
//!             Ok(())
//!         })
//!     };
//!     let packages = chosen.iter().map(read).collect::<Result<Vec<_>>>()?;
//!     assert!(packages.iter().all(|package| Assessment::of(package, base).refusals().is_empty()));
//!     for operation in plan_unpack(base, &packages)?.operations {
//!         println!("{}: {:?}", operation.path, operation.action);
//!     }
//!     Ok(())
//! }
//! ```

mod archive;
mod assessment;
mod compression;
mod control;
mod database;
mod dependency;
mod digest;
mod elf;
mod error;
mod escape;
mod hex;
mod identity;
mod path;
mod pattern;
mod repository;
mod resolve;
mod shown;
mod tree;
mod unpack;
mod version;

pub use archive::{ControlFile, Limits, Member, MemberKind, Owner, Package, read_tarball};
pub use assessment::{Assessment, Effect, Preinst, Refusal};
pub use compression::Compression;
pub use control::{Field, Paragraph, Paragraphs};
pub use database::{Database, DatabaseFile, Diversion, Stanza, Stanzas, State};
pub use dependency::{Dependency, Operator, Relation, parse_dependencies, parse_relations};
pub use digest::{Checked, Sha256};
pub use elf::{ArmAttributes, Elf, FloatAbi, Target};
pub use error::{Detail, Error, Result};
pub use identity::{Identity, MultiArch};
pub use path::TreePath;
pub use pattern::Pattern;
pub use repository::{
    Candidate, FileSum, Fingerprint, Index, IndexFile, Keyring, Layout, Release, Signed, SignedBy, Source,
    Trust, parse_deb822_sources, parse_source_list, read_packages,
};
pub use resolve::Resolver;
pub use tree::{Node, Tree, read_resolved};
pub use unpack::{Action, Attributes, Operation, Plan, plan_unpack};
pub use version::Version;
