//! `imgforge personalize`: a node's image from a release image.

use super::{
    build::{self, Destination},
    verify::read_manifest,
};
use crate::{
    build::{error::Error, output, personalize::ReleaseImage},
    cli::PersonalizeArgs,
    host::{console::Console, settings::Settings},
    supply::store::Store,
    target::targets,
};

/// Runs the command.
pub fn run(args: &PersonalizeArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let store = Store::open(&settings.store_folder(args.store.as_deref()).ok_or(Error::NoStore)?)?;
    let release = ReleaseImage::open(&args.image, store, console)?;
    let manifest_path =
        args.manifest.clone().unwrap_or_else(|| output::beside(&args.image, ".manifest.json"));
    let manifest = (manifest_path.as_path(), &read_manifest(&manifest_path)?);
    let target_args = args.target(&release.record.board, release.record.role);
    for target in targets(&target_args, settings, console)? {
        let image = release.personalize(&target, manifest, &target_args, settings, console)?;
        let to = Destination::new(None, args.output.as_deref(), args.format, &image.request.hostname());
        build::write(&[image], &[to], args.threads, console)?;
    }
    Ok(())
}
