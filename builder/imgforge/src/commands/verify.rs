//! `imgforge verify`: an image against its manifest, and against what the same inputs make today.

use std::{
    fs,
    path::{Path, PathBuf},
};

use imgforge_debian::Fingerprint;

use super::rebuild;
use crate::{
    build::{
        error::Error,
        manifest::{FORMAT, Manifest},
        output,
    },
    cli::VerifyArgs,
    host::{console::Console, settings::Settings},
    image::{
        open::OpenImage,
        partitions::{Partitions, Trees},
        read_back,
    },
    supply::signature,
};

/// Runs the command.
pub fn run(args: &VerifyArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let signer = args.key.as_deref().map(|key| signer(args, key)).transpose()?;
    let path = args.manifest.clone().unwrap_or_else(|| output::beside(&args.image, ".manifest.json"));
    let manifest = read_manifest(&path)?;
    let image = OpenImage::open(&args.image, console)?;
    let sha256 = image.sha256()?;
    let mut deviations = Vec::new();
    if image.content.len() != manifest.image.size {
        deviations.push(format!(
            "the image has {} bytes instead of {}",
            image.content.len(),
            manifest.image.size
        ));
    }
    if sha256 != manifest.image.sha256 {
        deviations.push(format!("the image has SHA-256 {sha256} instead of {}", manifest.image.sha256));
    }
    let partitions =
        Partitions::by_number(&image.table, manifest.image.root_partition, manifest.image.boot_partition)?;
    let trees = Trees::open(&image.content, &partitions)?;
    let paths = read_back::compare(&trees, &manifest.changes)?;
    deviations.extend(paths.iter().map(ToString::to_string));
    if args.rebuild {
        deviations.extend(rebuild::deviation(&manifest, &args.inputs, settings, console)?);
    }
    if !deviations.is_empty() {
        return Err(Error::Deviates {
            what: format!("{} is not what {} says", args.image.display(), path.display()),
            deviations,
        });
    }
    let summary = format!(
        "{}: as its manifest says{}{} ({} changes, SHA-256 {sha256})\n",
        args.image.display(),
        if args.rebuild { ", and the same when built again" } else { "" },
        signer.map(|signer| format!(", signed by {signer}")).unwrap_or_default(),
        manifest.changes.len()
    );
    super::print(console, &summary)
}

/// Who signed the image file, with a key of the file `keys`.
fn signer(args: &VerifyArgs, keys: &Path) -> Result<Fingerprint, signature::Error> {
    let signature = args.signature.clone().unwrap_or_else(|| output::beside(&args.image, ".asc"));
    signature::signer(&args.image, &signature, keys)
}

/// Reads a manifest of a format that this imgforge knows.
pub(super) fn read_manifest(path: &Path) -> Result<Manifest, Error> {
    let failed = |message: String| Error::Manifest { path: PathBuf::from(path), message };
    let text = fs::read_to_string(path)
        .map_err(|source| Error::Io { what: format!("read {}", path.display()), source })?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    if manifest.format > FORMAT {
        return Err(failed(format!(
            "has format {}, newer than this imgforge knows ({FORMAT})",
            manifest.format
        )));
    }
    Ok(manifest)
}
