//! The add-ons' manifests that are known: `add-ons/NAME.yaml` in the profile folders.

use std::path::PathBuf;

use imgforge_kube::add_ons::{Manifest, Manifests};

use crate::{
    catalogue::profile::{Error, yaml_files},
    yaml,
};

/// All of `folders`; one in an earlier folder hides one of the same name in a later folder.
pub(crate) fn manifests(folders: &[PathBuf]) -> Result<Manifests, Error> {
    let mut manifests = Manifests::new();
    for folder in folders.iter().map(|folder| folder.join("add-ons")).filter(|folder| folder.is_dir()) {
        for path in yaml_files(&folder)? {
            let manifest: Manifest = yaml::read(&path)?;
            if path.file_stem().is_none_or(|stem| stem != manifest.name.as_str()) {
                let message = format!("describes the add-on `{}`; name the file {0}.yaml", manifest.name);
                return Err(Error::Inconsistent { path, message });
            }
            manifests.entry(manifest.name.clone()).or_insert(manifest);
        }
    }
    Ok(manifests)
}
