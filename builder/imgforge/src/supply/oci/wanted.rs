//! Which images a node is to carry.

use crate::catalogue::artifact::Artifact;

/// The images a node is to carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// By their references.
    pub references: Vec<String>,
    /// Those that manifests of add-ons name.
    pub manifests: Vec<Artifact>,
}

impl Wanted {
    /// References and the manifests' URLs: what a lock records as asked for.
    pub fn names(&self) -> Vec<String> {
        self.references.iter().chain(self.manifests.iter().map(|manifest| &manifest.url)).cloned().collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.references.is_empty() && self.manifests.is_empty()
    }
}
