//! `imgforge schema`: JSON Schemas generated from the types that read the files, so they cannot disagree.

use imgforge_kube::{add_ons::Manifest, cluster::Cluster};
use schemars::{Schema, schema_for};

use super::{build::Made, diff::Differences, inspect::Inspected, verify::Verified};
use crate::{
    catalogue::{keys::ArchiveKey, kubernetes::Release, profile::Profile, vendor::Vendor},
    cli::SchemaKind,
    host::settings::Settings,
    plan::Declarations,
    running::look::Look,
    target::node::Node,
};

/// The schema of `kind`, as text.
pub fn schema_of(kind: SchemaKind) -> String {
    let schema: Schema = match kind {
        SchemaKind::Profile => schema_for!(Profile),
        SchemaKind::Vendor => schema_for!(Vendor),
        SchemaKind::Node => schema_for!(Node),
        SchemaKind::Cluster => schema_for!(Cluster),
        SchemaKind::Kubernetes => schema_for!(Release),
        SchemaKind::AddOn => schema_for!(Manifest),
        SchemaKind::Keys => schema_for!(Vec<ArchiveKey>),
        SchemaKind::Overlay => schema_for!(Declarations),
        SchemaKind::Config => schema_for!(Settings),
        SchemaKind::Status => schema_for!(Look),
        SchemaKind::Build => schema_for!(Made),
        SchemaKind::Inspect => schema_for!(Inspected),
        SchemaKind::Diff => schema_for!(Differences),
        SchemaKind::Verify => schema_for!(Verified),
    };
    format!("{:#}\n", schema.as_value())
}
