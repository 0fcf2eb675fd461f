//! `imgforge plan`: every change a build would make, with who asked for it.

use serde::Serialize;

use crate::{
    change::{Action, Change},
    cli::PlanArgs,
    console::Console,
    error::Error,
    lock::LockedPackage,
    manifest::{BaseEntry, ChangeEntry},
    node::Role,
    oci::LockedImage,
    prepare::{Inputs, Prepared, prepare},
    settings::Settings,
    target::targets,
};

/// The plan as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Plan<'a> {
    board: &'a str,
    role: Role,
    hostname: String,
    epoch: i64,
    base: BaseEntry,
    notes: &'a [String],
    changes: Vec<ChangeEntry>,
}

/// Runs the command.
pub fn run(args: &PlanArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    for target in targets(&args.target, settings, console)? {
        let prepared = prepare(&target, &args.target, settings, console)?;
        if args.json {
            super::print_json(console, &as_json(&prepared)?)?;
        } else {
            super::print(console, &as_text(&prepared))?;
        }
    }
    Ok(())
}

fn as_json(prepared: &Prepared) -> Result<Plan<'_>, Error> {
    let Prepared { inputs: Inputs { request, notes, base, .. }, changes, .. } = prepared;
    Ok(Plan {
        board: &request.profile.board,
        role: request.role,
        hostname: request.hostname(),
        epoch: request.epoch,
        base: BaseEntry::new(&base.origin, &base.decoded.record),
        notes,
        changes: ChangeEntry::all(changes)
            .map_err(|source| Error::Io { what: "read what goes into the image".into(), source })?,
    })
}

fn as_text(prepared: &Prepared) -> String {
    let Prepared { inputs: Inputs { request, notes, base, set, .. }, changes, .. } = prepared;
    let profile = &request.profile;
    let mut text = format!(
        "{} ({}), {} {}\nbase {}\n     SHA-256 {}\n",
        profile.name,
        profile.board,
        request.role.name(),
        request.hostname(),
        base.origin,
        base.decoded.record.sha256,
    );
    for note in notes {
        text.push_str(&format!("note {note}\n"));
    }
    let locked = prepared.lock.iter().flat_map(|lock| lock.packages_of(set));
    locked.for_each(|package| text.push_str(&package_line(package)));
    let images: Vec<_> = prepared.lock.iter().flat_map(|lock| lock.images_of(set)).collect();
    images.iter().for_each(|image| text.push_str(&image_line(image)));
    if !images.is_empty() {
        let size = images.iter().fold(0, |sum: u64, image| sum.saturating_add(image.size()));
        text.push_str(&format!("images    {}, {} MiB on the card\n", images.len(), mebibytes(size)));
    }
    changes.iter().for_each(|change| text.push_str(&line(change)));
    text
}

/// A package with what becomes of its scripts, where that is more than waiting for the first boot.
fn package_line(package: &LockedPackage) -> String {
    let LockedPackage { name, version, architecture, repository, imitated, .. } = package;
    let mut effects: Vec<&str> = imitated.iter().map(String::as_str).collect();
    if package.rebuilds_initramfs {
        effects.push("rebuilds the initramfs at the first boot");
    }
    let effects = if effects.is_empty() { String::new() } else { format!("; {}", effects.join("; ")) };
    format!("package   {name} {version} {architecture}{effects}  [{repository}]\n")
}

fn image_line(image: &LockedImage) -> String {
    let LockedImage { reference, platform, manifest, .. } = image;
    format!(
        "image     {reference} {platform} {} MiB  [sha256:{}]\n",
        mebibytes(image.size()),
        manifest.sha256
    )
}

/// Rounded up.
fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn line(change: &Change) -> String {
    let detail = match &change.action {
        Action::File { bytes, attributes } => format!(" {} {} B", attributes.access, bytes.content.len()),
        Action::Directory { attributes } => format!(" {}", attributes.access),
        Action::Symlink { target, .. } => format!(" -> {}", String::from_utf8_lossy(target)),
        Action::HardLink { target } => format!(" = {target}"),
        Action::Remove => String::new(),
    };
    let origins: Vec<String> = change.origins.iter().map(ToString::to_string).collect();
    format!(
        "{:9} {}:{}{detail}  [{}]\n",
        change.action.verb(),
        change.volume,
        change.path,
        origins.join(", ")
    )
}
