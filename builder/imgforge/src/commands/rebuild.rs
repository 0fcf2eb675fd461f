//! `imgforge verify --rebuild`: what the inputs of a manifest make today. Nothing is written: the image is hashed as it would be.

use std::{num::NonZeroUsize, thread};

use imgforge_disk::sha256_of;

use crate::{
    build::{
        Workbench,
        error::Error,
        manifest::Manifest,
        output::{self, Identity},
        release::images,
    },
    cli::RebuildArgs,
    host::{console::Console, settings::Settings},
    image::entry::ChangeEntry,
    target::{Alone, targets},
};

/// How the image that is built now differs from the one of `manifest`; `None` where it does not.
pub(crate) fn deviation(
    manifest: &Manifest,
    args: &RebuildArgs,
    settings: &Settings,
    console: &Console,
) -> Result<Option<String>, Error> {
    let catalogue = super::catalogue(settings, args.places.profiles.as_deref())?;
    let alone = Alone {
        board: manifest.board.to_string(),
        role: manifest.role,
        hostname: Some(manifest.hostname.clone()),
        node: None,
        lock: None,
    };
    let targets = targets(&args.asked(alone, &manifest.hostname), &catalogue, console)?;
    let store = super::store(settings, args.places.store.as_deref())?;
    let options = args.options(manifest.epoch);
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let Some(image) = images(&targets, &bench)?.pop() else { return Ok(None) };
    let layered = image.layered()?;
    let unread = |source| Error::Io { what: "read the image as it would be written".into(), source };
    let disk = layered.disk.as_ref();
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let map_sha256 = output::map_sha256(disk, &layered.free, threads).map_err(unread)?;
    // A manifest of before format 3 names no map.
    let sha256 = manifest.image.sha256.map(|_| sha256_of(disk)).transpose().map_err(unread)?;
    let now = image.manifest(&layered, Identity { map_sha256, sha256, size: disk.size() });
    Ok((now.image.identity() != manifest.image.identity()).then(|| {
        let (now_named, then_named) = (now.image.named(), manifest.image.named());
        let difference = first_difference(manifest, &now);
        format!("built again, the image has {now_named} instead of {then_named}: {difference}")
    }))
}

/// The first thing that went into the image and is not the same `now`.
fn first_difference(then: &Manifest, now: &Manifest) -> String {
    if now.base.image_sha256 != then.base.image_sha256 {
        return format!("the base has SHA-256 {}, not {}", now.base.image_sha256, then.base.image_sha256);
    }
    let same = then.changes.iter().zip(&now.changes).take_while(|(then, now)| then == now).count();
    let differs = |entry: &ChangeEntry, how: &str| {
        format!(
            "{} in the {} file system, from {}, {how}",
            entry.path,
            entry.volume,
            entry.origins.join(", ")
        )
    };
    match (then.changes.get(same), now.changes.get(same)) {
        (Some(then), Some(now)) if then.path == now.path => differs(now, "is the first path that differs"),
        (_, Some(new)) if !then.changes.iter().any(|entry| entry.path == new.path) => {
            differs(new, "is the first path that was not changed then")
        }
        (Some(old), _) => differs(old, "is the first path that is missing or has another place in the order"),
        (None, _) if then.imgforge != now.imgforge => {
            format!(
                "all changes are the same, but they were made by imgforge {}, not {}",
                then.imgforge, now.imgforge
            )
        }
        (None, _) => "all changes are the same, but they were made in another way".into(),
    }
}
