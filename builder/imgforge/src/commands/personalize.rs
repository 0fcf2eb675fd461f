//! `imgforge personalize`: a node's image from a release image.

use std::path::Path;

use super::{build, verify::read_manifest};
use crate::{
    build::{
        Workbench,
        destination::{Destination, format_of},
        error::Error,
        output,
        personalize::ReleaseImage,
    },
    cli::PersonalizeArgs,
    host::{console::Console, settings::Settings},
    target::{Alone, targets},
};

/// Runs the command.
pub fn run(args: &PersonalizeArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    args.output.as_deref().map_or(Ok(()), |file| format_of(file, args.format).map(drop))?;
    let store = super::store(settings, args.places.store.as_deref())?;
    let release = ReleaseImage::open(&args.image, store.clone(), console)?;
    let manifest_path =
        args.manifest.clone().unwrap_or_else(|| output::beside(&args.image, ".manifest.json"));
    let manifest = read_manifest(&manifest_path)?;
    let catalogue = super::catalogue(settings, args.places.profiles.as_deref())?;
    let (board, role) = (release.record.board.to_string(), release.record.role);
    let asked = args.asked(Alone { board, role, hostname: None, node: None, lock: None })?;
    let options = args.options();
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let targets = targets(&asked, &catalogue, console)?;
    release.check(&manifest_path, &manifest)?;
    for target in targets {
        let to = match &args.output {
            Some(file) => Destination::file(file, args.format, target.hostname())?,
            None => Destination::in_folder(Path::new(""), args.format, target.hostname()),
        };
        to.check(Some(&args.image), args.force, console)?;
        let image = release.personalize(&target, &manifest, &bench)?;
        let (images, destinations) = ([image], [to]);
        build::write(&images, &destinations, args.making, console, |image| {
            build::print_path(console, &image)
        })?;
        build::say_what_is_next(None, &images, &destinations, console);
    }
    Ok(())
}
