//! `imgforge verify --rebuild`: what the inputs of a manifest make today. Nothing is written: the image is hashed as it would be.

use crate::{
    build::{
        error::Error,
        manifest::{self, ChangeEntry, Manifest},
        release::images,
    },
    cli::{RebuildArgs, TargetArgs},
    host::{console::Console, settings::Settings},
    target::targets,
};

/// How the image that is built now differs from the one of `manifest`; `None` where it does not.
pub fn deviation(
    manifest: &Manifest,
    args: &RebuildArgs,
    settings: &Settings,
    console: &Console,
) -> Result<Option<String>, Error> {
    let args = target_args(manifest, args);
    let targets = targets(&args, settings, console)?;
    let Some(image) = images(&targets, &args, settings, console)?.pop() else { return Ok(None) };
    let layered = image.layered()?;
    let sha256 = manifest::sha256_of(layered.disk.as_ref())
        .map_err(|source| Error::Io { what: "read the image as it would be written".into(), source })?;
    Ok((sha256 != manifest.image.sha256).then(|| {
        format!(
            "built again, the image has SHA-256 {sha256} instead of {}: {}",
            manifest.image.sha256,
            first_difference(manifest, &image.manifest(&layered))
        )
    }))
}

/// The build that `manifest` is of.
fn target_args(manifest: &Manifest, args: &RebuildArgs) -> TargetArgs {
    let alone = args.cluster.is_none();
    TargetArgs {
        board: alone.then(|| manifest.board.clone()),
        role: alone.then_some(manifest.role),
        hostname: alone.then(|| manifest.hostname.clone()),
        cluster: args.cluster.clone(),
        node: if alone { args.node.iter().cloned().collect() } else { vec![manifest.hostname.clone()] },
        secrets: args.secrets.clone(),
        base: args.base.clone(),
        lock: args.lock.clone(),
        locked: true,
        offline: args.offline,
        frozen: false,
        store: args.store.clone(),
        profiles: args.profiles.clone(),
        overlays: args.overlays.clone(),
        epoch: Some(manifest.epoch),
    }
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
