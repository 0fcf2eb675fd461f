//! What the user brings along: manifests that lie beside the cluster file, and container images.

use std::path::Path;

use crate::{supply::oci::Reference, yaml};
use imgforge_kube::{
    add_ons::{self, AddOn},
    check::{Finding, Severity},
    cluster::Cluster,
    images::{self, InvalidManifest},
    objects::objects,
};

/// The user's manifests, and all images that come with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Own {
    /// The manifests, under the names that they have on the first master.
    pub manifests: Vec<AddOn>,
    /// References that the file or a manifest names, sorted, each once.
    pub images: Vec<String>,
}

impl Own {
    /// What `cluster` names, whose file lies in `folder`, and what is wrong with it.
    pub fn read(cluster: &Cluster, folder: &Path) -> (Self, Vec<Finding>) {
        let (mut own, mut findings) = (Self::default(), Vec::new());
        let mut tell = |severity, path: String, message: String| {
            findings.push(Finding { name: "own", severity, path, message, suggestion: None });
        };
        if !cluster.carry_images && !cluster.images.own.is_empty() {
            let message = "with `carry-images: false` the cards carry none of them";
            tell(Severity::Notice, "images.own".into(), message.into());
        }
        let mut wrong = |path, message| tell(Severity::Error, path, message);
        for (index, reference) in cluster.images.own.iter().enumerate() {
            own.add_image(reference).unwrap_or_else(|message| wrong(format!("images.own[{index}]"), message));
        }
        for (index, file) in cluster.manifests.iter().enumerate() {
            own.add_manifest(index, &folder.join(file))
                .unwrap_or_else(|message| wrong(format!("manifests[{index}]"), message));
        }
        own.images.sort();
        own.images.dedup();
        (own, findings)
    }

    fn add_image(&mut self, reference: &str) -> Result<(), String> {
        let reference: Reference =
            reference.parse().map_err(|error: crate::supply::oci::InvalidReference| error.to_string())?;
        self.images.push(reference.to_string());
        Ok(())
    }

    fn add_manifest(&mut self, index: usize, path: &Path) -> Result<(), String> {
        let content = yaml::text_of_file(path).map_err(|error| told(&error))?;
        let of_file = |message: String| format!("{}: {message}", path.display());
        if objects(&content).map_err(|error| of_file(told(&error)))?.is_empty() {
            return Err(of_file("there is no object in it".into()));
        }
        let images = match images::of_manifest(&content) {
            Err(InvalidManifest::None) => Vec::new(),
            images => images.map_err(|error| of_file(told(&error)))?,
        };
        images.iter().try_for_each(|image| self.add_image(image)).map_err(of_file)?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        self.manifests.push(AddOn { name: add_ons::own_file_name(index, &stem), content });
        Ok(())
    }
}

/// An error with what is below it.
fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", told(source)),
        None => error.to_string(),
    }
}
