//! The nodes of a cluster onto cards: each is made over what it shares with others and written as it is, without an image
//! file on the way.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use imgforge_spec::Diagnose;

use super::{choose::choose, device_words, open, put, wish};
use crate::{
    build::{
        Workbench,
        error::Error,
        output,
        release::{Image, images},
    },
    cli::FlashArgs,
    commands::{build, catalogue, store},
    flash::{self, Card, Machine, Medium, Refusal, Source},
    host::{
        clock,
        console::{self, Console},
        settings::Settings,
    },
    target::{Located, cluster::at_hand, targets},
};

/// The one cluster file in the working directory that has the node called `node`.
pub(super) fn cluster_at_hand(node: &str) -> Option<PathBuf> {
    let mut files = at_hand().into_iter().filter(|(_, nodes)| nodes.iter().any(|name| name == node));
    let (file, _) = files.next()?;
    files.next().is_none().then_some(file)
}

/// Flashes the node of `cluster` that is named, or all of them.
pub(super) fn run(
    cluster: &Path,
    args: &FlashArgs,
    settings: &Settings,
    console: &Console,
) -> Result<(), Error> {
    let catalogue = catalogue(settings, args.places.profiles.as_deref())?;
    let targets = targets(&args.asked(cluster), &catalogue, console)?;
    if targets.len() > 1 && !console.can_ask() {
        return Err(nobody_changes_cards());
    }
    // What goes wrong with a single card is known before anything is built.
    let card = match targets.as_slice() {
        [target] => Some(card((target.hostname().as_str(), None), cluster, args, console)?),
        _ => None,
    };
    let store = store(settings, args.places.store.as_deref())?;
    let options = args.options(clock::source_date_epoch()?);
    let bench = Workbench { catalogue: &catalogue, store: &store, settings, console, options: &options };
    let images = images(&targets, &bench)?;
    match (images.as_slice(), card) {
        ([image], Some(card)) => put(&source(image, console)?, &card, console),
        (images, _) => flash_all(images, cluster, args, console),
    }
}

/// The card for the node called `node`, whose image has `needed` bytes where that is known.
fn card(
    (node, needed): (&str, Option<u64>),
    cluster: &Path,
    args: &FlashArgs,
    console: &Console,
) -> Result<Card, Error> {
    let chosen = choose((node, needed), wish(args), &Machine::this(), console)?;
    // Only the writing is for root; what is built, and from which store, stays the user's.
    let command = format!(
        "imgforge build --cluster {} --node {node} --output out && sudo imgforge flash out/{node}.img {}",
        cluster.display(),
        device_words(&chosen, args)
    );
    open(&chosen, &command)
}

/// One card after the other. One that fails is followed by another for the same node; one that is not written leaves its node
/// out.
fn flash_all(images: &[Image], cluster: &Path, args: &FlashArgs, console: &Console) -> Result<(), Error> {
    // What is wrong with the last node is known before the first card is written.
    let sources = images.iter().map(|image| source(image, console)).collect::<Result<Vec<_>, _>>()?;
    let mut written = BTreeMap::new();
    let mut left_out = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let Source { name, size, .. } = source;
        let of = format!("{} of {}", number + 1, sources.len());
        loop {
            let question = format!("Insert the card for {name} ({of}), then press Enter; s leaves it out:");
            let answer = console.ask(&question).map_err(unanswered)?.ok_or_else(nobody_changes_cards)?;
            if answer.eq_ignore_ascii_case("s") {
                left_out.push(name.as_str());
                break;
            }
            let card = card((name, *size), cluster, args, console).and_then(|card| another(card, &written));
            match card.and_then(|card| put(source, &card, console).map(|()| card)) {
                Ok(card) => {
                    written.extend(card.sequence().map(|sequence| (sequence.to_owned(), name.clone())));
                    break;
                }
                Err(error) => console.note(console::render(&error, error.hint().as_deref()).trim_end()),
            }
        }
    }
    if !left_out.is_empty() {
        console.note(&format!("left out: {}", left_out.join(", ")));
    }
    Ok(())
}

/// `card`, if it is none of those that were `written`, each with its node.
fn another(card: Card, written: &BTreeMap<String, String>) -> Result<Card, Error> {
    match card.sequence().and_then(|sequence| written.get(sequence)) {
        Some(node) => {
            let (path, node) = (card.path().to_owned(), node.clone());
            Err(flash::Error::from(Refusal::StillThere { path, node }).into())
        }
        None => Ok(card),
    }
}

fn nobody_changes_cards() -> Error {
    flash::Error::from(Refusal::NobodyChangesCards).into()
}

/// The disk of a node, judged and read back before any of it is written.
fn source(image: &Image, console: &Console) -> Result<Source, Error> {
    let layered = image.layered()?;
    let notices = image.notices(&layered)?;
    let content = layered.content();
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    build::read_back(&content, &layered, &layered.changes, threads)?;
    let hostname = image.pinned.request.hostname();
    let mut notes = build::notes(image, &layered);
    notes.extend(notices.iter().map(Located::labelled));
    notes.iter().for_each(|note| console.note(&format!("{hostname}: {note}")));
    let needed = output::needed(&layered.free, content.len());
    Ok(Source::disk(hostname.to_string(), content, &needed))
}

fn unanswered(source: std::io::Error) -> Error {
    Error::Io { what: "ask which card".into(), source }
}
