//! `imgforge flash`: an image onto a card, or the nodes of a cluster, card after card.

mod choose;
mod nodes;

use std::path::Path;

use indicatif::DecimalBytes;

use self::choose::{Chosen, Wish, choose, listing};
use crate::{
    build::error::Error,
    cli::FlashArgs,
    flash::{self, Card, Machine, Medium, Source, unfinished},
    host::{console::Console, interrupt::Unfinished, settings::Settings},
};

/// Runs the command.
pub fn run(args: &FlashArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    if args.list {
        return list(console);
    }
    let image = Path::new(args.image.as_deref().unwrap_or_default());
    let at_hand = if image.exists() { None } else { nodes::cluster_at_hand(&image.to_string_lossy()) };
    match args.cluster.as_ref().or(at_hand.as_ref()) {
        Some(cluster) => nodes::run(cluster, args, settings, console),
        None => {
            let source = Source::file(image)?;
            let chosen = choose((&source.name, source.size), wish(args), &Machine::this(), console)?;
            let command = format!("sudo imgforge flash {} {}", source.name, device_words(&chosen, args));
            put(&source, &open(&chosen, &command)?, console)
        }
    }
}

fn list(console: &Console) -> Result<(), Error> {
    let devices = Machine::this().removable()?;
    if devices.is_empty() {
        console.note("there is no card or stick");
        return Ok(());
    }
    super::print(console, &listing(&devices))
}

/// What is asked of the device.
fn wish(args: &FlashArgs) -> Wish<'_> {
    Wish { device: args.device.as_deref(), forced: args.force_device.as_deref(), yes: args.yes }
}

/// Opens what was chosen; `command` is what whoever may not is told to have root do.
fn open(chosen: &Chosen, command: &str) -> Result<Card, Error> {
    Ok(match chosen {
        Chosen::Device(device) => Card::open(device, command)?,
        Chosen::File { path, .. } => Card::open_file(path)?,
    })
}

/// Writes `source` onto `card`, and says so.
fn put(source: &Source, card: &Card, console: &Console) -> Result<(), Error> {
    let path = card.path();
    let begun = Unfinished::new(format!("{}: flash it again", unfinished(path)));
    let written = flash::write(source, card, console)?;
    drop(begun);
    let written = DecimalBytes(written);
    super::print(console, &format!("{}: {}, {written} written and read back\n", path.display(), source.name))
}

/// How a command line names what was chosen.
fn device_words(chosen: &Chosen, args: &FlashArgs) -> String {
    let path = chosen.path().display();
    if args.force_device.is_some() { format!("{path} --force-device {path}") } else { path.to_string() }
}
