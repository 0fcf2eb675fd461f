//! Debian packages without dpkg: archives, control files, versions, signed repositories, resolution, the dpkg database.
//!
//! A library over bytes: it opens no file and no connection, reads no clock, and runs no code of a package.

mod archive;
mod assessment;
mod compression;
mod control;
mod database;
mod dependency;
mod digest;
mod elf;
mod error;
mod identity;
mod path;
mod repository;
mod resolve;
mod tree;
mod unpack;
mod version;

pub use archive::{ControlFile, Limits, Member, MemberKind, Owner, Package};
pub use assessment::{Assessment, Preinst, Refusal};
pub use compression::Compression;
pub use control::{Field, Paragraph, Paragraphs};
pub use database::{Database, DatabaseFile, Stanza, State};
pub use dependency::{Dependency, Operator, Relation, parse_dependencies, parse_relations};
pub use digest::{Checked, Sha256};
pub use elf::{ArmAttributes, Elf, Target};
pub use error::{Detail, Error, Result};
pub use identity::{Identity, MultiArch};
pub use path::TreePath;
pub use repository::{
    Candidate, FileSum, Fingerprint, Index, IndexFile, Keyring, Layout, Release, Signed, Trust, read_packages,
};
pub use resolve::Resolver;
pub use tree::{Node, Tree};
pub use unpack::{Action, Attributes, Operation, Plan, plan_unpack};
pub use version::Version;
