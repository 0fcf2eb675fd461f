//! `imgforge store`: what is kept of downloads and decoded images.

use std::path::{Path, PathBuf};

use imgforge_spec::{Sha256, is_url};
use indicatif::BinaryBytes;
use serde::Serialize;

use crate::{
    build::error::Error,
    cli::{StoreArgs, StoreCommand},
    host::{
        console::Console,
        settings::{Settings, in_cache},
    },
    supply::{
        download::Downloader,
        pin,
        store::{Entry, Kind, References, Store},
    },
};

/// Runs the command.
pub fn run(args: &StoreArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let store = super::store(settings, args.store.as_deref())?;
    match &args.command {
        StoreCommand::List { locks, json } => {
            show(console, &store.entries()?, &References::read(locks)?, *json)
        }
        StoreCommand::Prune { keep, dry_run } => prune(console, &store, keep, *dry_run),
        StoreCommand::Export { file, locks } => export(console, &store, file, locks),
        StoreCommand::Push { url, locks } => push(console, &store, url, locks),
        StoreCommand::Import { file } => {
            let bar = console.progress(&format!("importing {}", file.display()), None);
            let count = store.import(file, &|at| bar.set(at, None))?;
            super::print(console, &format!("{count} files imported\n"))
        }
    }
}

/// Something in the store as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    kind: Kind,
    /// Of what is unfinished there is none.
    sha256: Option<Sha256>,
    /// Space on disk, in bytes.
    size: u64,
    /// What the locks call it.
    names: Vec<&'a str>,
}

/// Prints what is in the store, or has been taken out.
fn show(console: &Console, entries: &[Entry], references: &References, json: bool) -> Result<(), Error> {
    let rows = entries.iter().map(|entry| Row {
        kind: entry.kind,
        sha256: entry.sha256,
        size: entry.size,
        names: entry.sha256.into_iter().flat_map(|sha256| references.names(sha256)).collect(),
    });
    if json {
        return super::print_json(console, &rows.collect::<Vec<_>>());
    }
    let cells = rows.map(|row| {
        let size = BinaryBytes(row.size).to_string();
        [
            row.kind.to_string(),
            size,
            row.sha256.map(|sha256| sha256.to_string()).unwrap_or_default(),
            row.names.join(", "),
        ]
    });
    let total = entries.iter().map(|entry| entry.size).fold(0, u64::saturating_add);
    let total = ["total".to_owned(), BinaryBytes(total).to_string(), String::new(), String::new()];
    super::print(console, &super::table(cells.chain([total]).collect()))
}

fn prune(console: &Console, store: &Store, keep: &[PathBuf], dry_run: bool) -> Result<(), Error> {
    let references = References::read(keep)?;
    let keep = (!keep.is_empty()).then_some(&references);
    let entries = store.prune(keep, !dry_run)?;
    console.note(if dry_run { "would go:" } else { "taken out:" });
    show(console, &entries, &references, false)
}

fn export(console: &Console, store: &Store, file: &Path, locks: &[PathBuf]) -> Result<(), Error> {
    let references = References::read(locks)?;
    let only = (!locks.is_empty()).then_some(&references);
    let bar = console.progress(&format!("exporting to {}", file.display()), None);
    let count = store.export(file, only, &|at| bar.set(at, None))?;
    super::print(console, &format!("{count} files exported\n"))
}

/// Who puts files onto a server.
const TOKEN: &str = "IMGFORGE_CACHE_TOKEN";

fn push(console: &Console, store: &Store, url: &str, locks: &[PathBuf]) -> Result<(), Error> {
    // One with a password would be said again and again.
    let has_password = url.contains('@');
    if !is_url(url) || has_password {
        let given = if has_password { "an address with a password" } else { url };
        return Err(Error::NoAddress { given: given.to_owned() });
    }
    let references = References::read(locks)?;
    let files = store.published((!locks.is_empty()).then_some(&references))?;
    let downloader = Downloader::new().map_err(pin::Error::from)?;
    let token = std::env::var(TOKEN).ok();
    let total = files.iter().map(|(.., size)| size).sum();
    let bar = console.progress(&format!("pushing {} files to {url}", files.len()), Some(total));
    let (mut put, mut done) = (0_usize, 0);
    for (sha256, path, size) in &files {
        let is_new = downloader.offer(&in_cache(url, *sha256), (path, *size), token.as_deref());
        put += usize::from(is_new.map_err(pin::Error::from)?);
        done += size;
        bar.set(done, Some(total));
    }
    let there = files.len() - put;
    super::print(console, &format!("{put} files pushed, {there} were there\n"))
}
