//! `imgforge plan`: every change a build would make, with who asked for it.

use serde::Serialize;

use crate::{
    build::{
        error::Error,
        manifest::{BaseEntry, ChangeEntry, State},
        release::{Image, images},
    },
    cli::PlanArgs,
    host::{console::Console, settings::Settings},
    supply::{lock::LockedPackage, oci::LockedImage},
    target::{node::Role, targets},
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
    let targets = targets(&args.target, settings, console)?;
    for image in images(&targets, &args.target, settings, console)? {
        let changes = image.layered()?.changes;
        if args.json {
            super::print_json(console, &as_json(&image, changes))?;
        } else {
            super::print(console, &as_text(&image, &changes))?;
        }
    }
    Ok(())
}

fn as_json(image: &Image, changes: Vec<ChangeEntry>) -> Plan<'_> {
    let Image { request, release, .. } = image;
    Plan {
        board: &request.profile.board,
        role: request.role,
        hostname: request.hostname(),
        epoch: request.epoch,
        base: BaseEntry::new(&release.base.origin, &release.base.decoded.record),
        notes: &release.notes,
        changes,
    }
}

fn as_text(image: &Image, changes: &[ChangeEntry]) -> String {
    let Image { request, release, added, .. } = image;
    let profile = &request.profile;
    let mut text = format!(
        "{} ({}), {} {}\nbase {}\n     SHA-256 {}\n",
        profile.name,
        profile.board,
        request.role.name(),
        request.hostname(),
        release.base.origin,
        release.base.decoded.record.sha256,
    );
    for note in &release.notes {
        text.push_str(&format!("note {note}\n"));
    }
    added.packages.iter().for_each(|package| text.push_str(&package_line(package)));
    added.images.iter().for_each(|image| text.push_str(&image_line(image)));
    if !added.images.is_empty() {
        let size = added.images.iter().fold(0, |sum: u64, image| sum.saturating_add(image.size()));
        text.push_str(&format!("images    {}, {} MiB on the card\n", added.images.len(), mebibytes(size)));
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

fn line(change: &ChangeEntry) -> String {
    let (verb, detail) = match &change.state {
        State::File { size, mode, owner, .. } => ("file", format!(" {mode} {owner} {size} B")),
        State::Directory { mode, owner } => ("directory", format!(" {mode} {owner}")),
        State::Symlink { target } => ("symlink", format!(" -> {target}")),
        State::HardLink { target } => ("hardlink", format!(" = {target}")),
        State::Absent => ("remove", String::new()),
    };
    format!("{verb:9} {}:{}{detail}  [{}]\n", change.volume, change.path, change.origins.join(", "))
}
