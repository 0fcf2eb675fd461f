//! `imgforge plan`: every change a build would make, with who asked for it.

use imgforge_spec::{BoardName, Hostname, Role};
use serde::Serialize;

use super::finding::FindingEntry;
use crate::{
    build::{
        Workbench,
        error::Error,
        manifest::BaseEntry,
        release::{Image, images},
    },
    cli::PlanArgs,
    host::{clock, console::Console, settings::Settings},
    image::entry::{ChangeEntry, State},
    plan::Pinned,
    supply::{lock::LockedPackage, oci::LockedImage},
    target::{Located, targets},
};

/// The plan as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Plan<'a> {
    board: &'a BoardName,
    role: Role,
    hostname: Hostname,
    epoch: i64,
    base: BaseEntry,
    notes: &'a [String],
    findings: Vec<FindingEntry<'a>>,
    changes: &'a [ChangeEntry],
}

/// An image, what the rules say of it, and every path that it changes.
type Judged = (Image, Vec<Located>, Vec<ChangeEntry>);

/// Runs the command.
pub fn run(args: &PlanArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = super::catalogue(settings, args.target.places.profiles.as_deref())?;
    let targets = targets(&args.target.asked()?.restoring(args.restore.as_ref()), &catalogue, console)?;
    let store = super::store(settings, args.target.places.store.as_deref())?;
    let options = args.target.options(clock::source_date_epoch()?);
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let mut count = 0;
    let mut judged = Vec::new();
    for image in images(&targets, &bench)? {
        let layered = image.layered()?;
        let findings = image.findings(&layered)?;
        count += findings.iter().filter(|finding| finding.is_error()).count();
        let image = (image, findings, layered.changes);
        if args.json {
            judged.push(image);
        } else {
            super::print(console, &as_text(&image))?;
        }
    }
    if args.json {
        let plans: Vec<Plan<'_>> = judged.iter().map(as_json).collect();
        match (&args.target.cluster, &plans[..]) {
            (None, [plan]) => super::print_json(console, plan)?,
            // Of a cluster it is a list, however many nodes are asked for.
            _ => super::print_json(console, &plans)?,
        }
    }
    if count > 0 { Err(Error::Found { count }) } else { Ok(()) }
}

fn as_json((image, findings, changes): &Judged) -> Plan<'_> {
    let Image { pinned: Pinned { request, epoch, .. }, release, .. } = image;
    Plan {
        board: &request.board.profile.board,
        role: request.role,
        hostname: request.hostname(),
        epoch: *epoch,
        base: release.base.clone(),
        notes: &release.notes,
        findings: findings.iter().map(FindingEntry::from).collect(),
        changes,
    }
}

fn as_text((image, findings, changes): &Judged) -> String {
    let Image { pinned: Pinned { request, .. }, release, added, .. } = image;
    let profile = &request.board.profile;
    let mut text = format!(
        "{} ({}), {} {}\nbase {}\n     SHA-256 {}\n",
        profile.name,
        profile.board,
        request.role.name(),
        request.hostname(),
        release.base.origin,
        release.base.sha256,
    );
    for note in &release.notes {
        text.push_str(&format!("note {note}\n"));
    }
    findings.iter().for_each(|finding| text.push_str(&(finding.labelled() + "\n")));
    added.packages.iter().for_each(|package| text.push_str(&package_line(package)));
    added.images.iter().for_each(|image| text.push_str(&image_line(image)));
    if !added.images.is_empty() {
        let size = added.images.iter().fold(0, |sum: u64, image| sum.saturating_add(image.size()));
        text.push_str(&format!("images    {}, {} MiB on the card\n", added.images.len(), mebibytes(size)));
    }
    changes.iter().for_each(|change| text.push_str(&line(change)));
    text + &total(added.packages.len(), changes)
}

/// What all changes come to, in one line.
fn total(packages: usize, changes: &[ChangeEntry]) -> String {
    let (mut files, mut folders, mut links, mut removed, mut bytes) = (0, 0, 0, 0, 0u64);
    for change in changes {
        match &change.state {
            State::File { size, .. } => {
                files += 1;
                bytes = bytes.saturating_add(*size);
            }
            State::Directory { .. } => folders += 1,
            State::Symlink { .. } | State::HardLink { .. } => links += 1,
            State::Absent => removed += 1,
        }
    }
    let size = mebibytes(bytes);
    format!(
        "total     {packages} packages; {files} files of {size} MiB, {folders} directories, {links} links, {removed} removed\n"
    )
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
        State::Symlink { target, .. } => ("symlink", format!(" -> {target}")),
        State::HardLink { target } => ("hardlink", format!(" = {target}")),
        State::Absent => ("remove", String::new()),
    };
    format!("{verb:9} {}:{}{detail}  [{}]\n", change.volume, change.path, change.origins.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_ends_with_what_it_comes_to() {
        let change = |path: &str, state: &str| {
            format!(r#"{{ "volume": "root", "path": "{path}", "origins": [], {state} }}"#)
        };
        let changes = [
            change("/a", r#""is": "directory", "mode": "0755", "owner": "0:0""#),
            change("/a/b", r#""is": "symlink", "target": "c""#),
            change("/a/c", r#""is": "hard-link", "target": "/d""#),
            change("/d", r#""is": "absent""#),
        ];
        let changes: Vec<ChangeEntry> = serde_json::from_str(&format!("[{}]", changes.join(","))).unwrap();
        assert_eq!(
            total(3, &changes),
            "total     3 packages; 0 files of 0 MiB, 1 directories, 2 links, 1 removed\n"
        );
    }
}
