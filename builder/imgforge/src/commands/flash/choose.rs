//! Which device an image goes onto: the one that is named, the only one that is there, or the one that is answered.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use indicatif::DecimalBytes;

use crate::{
    commands::table,
    flash::{BlockDevice, Error, Machine, Refusal},
    host::console::Console,
};

/// What is known of the device beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    /// The one that is named.
    pub device: Option<&'a Path>,
    /// The one that need not be removable.
    pub forced: Option<&'a Path>,
    /// Whether everything on it may go without a question.
    pub yes: bool,
}

/// What an image goes onto.
#[derive(Debug)]
pub(super) enum Chosen {
    /// A disk.
    Device(BlockDevice),
    /// A file that stands for a card.
    File { path: PathBuf, size: u64 },
}

/// Asks a question; `None` where there is nobody to ask.
type Ask<'a> = dyn FnMut(&str) -> std::io::Result<Option<String>> + 'a;

/// Chooses the device for the image called `image`, of `needed` bytes where that is known.
pub(super) fn choose(
    (image, needed): (&str, Option<u64>),
    wish: Wish<'_>,
    machine: &Machine,
    console: &Console,
) -> Result<Chosen, Error> {
    let chosen = match named(wish)? {
        Some(path) if path.is_file() => file(path, image)?,
        Some(path) => Chosen::Device(machine.find(path)?),
        None => {
            let mut ask = |question: &str| console.ask(question);
            let devices = machine.removable()?;
            return among(devices, (image, needed), wish.yes, &mut ask).map(Chosen::Device);
        }
    };
    if let Some(refusal) = chosen.refusal(wish.forced, needed) {
        return Err(refusal.into());
    }
    if !wish.yes {
        confirm(&chosen, image, &mut |question| console.ask(question))?;
    }
    Ok(chosen)
}

/// The device that is named, whichever way.
fn named(wish: Wish<'_>) -> Result<Option<&Path>, Refusal> {
    match (wish.device, wish.forced) {
        (Some(path), Some(forced)) if resolved(path) != resolved(forced) => {
            Err(Refusal::OtherForced { path: path.to_owned(), forced: forced.to_owned() })
        }
        (device, forced) => Ok(device.or(forced)),
    }
}

/// `path` without links.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Whether both are names of one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    resolved(one) == resolved(other) || file(one).is_ok_and(|one| file(other).is_ok_and(|other| one == other))
}

fn file(path: &Path, image: &str) -> Result<Chosen, Error> {
    if is_same(path, Path::new(image)) {
        return Err(Refusal::Itself { path: path.to_owned() }.into());
    }
    let failed = |source| Error::Device { what: "open".into(), path: path.to_owned(), source };
    let size = path.metadata().map_err(failed)?.len();
    Ok(Chosen::File { path: path.to_owned(), size })
}

/// The one of `devices` that is meant.
fn among(
    devices: Vec<BlockDevice>,
    (image, needed): (&str, Option<u64>),
    yes: bool,
    ask: &mut Ask<'_>,
) -> Result<BlockDevice, Error> {
    let mut usable = Vec::new();
    let mut unusable = Vec::new();
    for device in devices {
        match refusal(&device, None, needed) {
            Some(refusal) => unusable.push(format!("\n  {refusal}")),
            None => usable.push(device),
        }
    }
    let chosen = match usable.as_slice() {
        [] => return Err(Refusal::NoCard { unusable }.into()),
        [one] if yes => one,
        [one] => {
            confirm(&Chosen::Device(one.clone()), image, ask)?;
            one
        }
        several => {
            let paths = several.iter().map(|device| device.path.display().to_string());
            let devices: Vec<String> = paths.collect();
            let question = format!(
                "{}Everything on the one that you name goes, and {image} takes its place. Which one? [{}, Enter for none]",
                listing(several),
                devices.join(", ")
            );
            let answer = if yes { None } else { answered(ask(&question))? };
            let answer = answer.ok_or(Refusal::Several { devices })?;
            let is_meant = |device: &&BlockDevice| is_name_of(&answer, &device.path);
            several.iter().find(is_meant).ok_or(Refusal::Declined)?
        }
    };
    Ok(chosen.clone())
}

/// Whether somebody who types `answer` means `path`: `/dev/sdb`, or `sdb`.
fn is_name_of(answer: &str, path: &Path) -> bool {
    !answer.is_empty() && Path::new("/dev").join(answer) == path
}

fn confirm(chosen: &Chosen, image: &str, ask: &mut Ask<'_>) -> Result<(), Error> {
    let path = chosen.path();
    let what = match chosen {
        Chosen::Device(device) => listing(std::slice::from_ref(device)),
        Chosen::File { size, .. } => format!("{} is a file of {}.\n", path.display(), DecimalBytes(*size)),
    };
    let question =
        format!("{what}Everything on {} goes, and {image} takes its place. Write it? [y/N]", path.display());
    let answer = answered(ask(&question))?;
    let answer = answer.ok_or_else(|| Refusal::NoTerminal { path: path.to_owned() })?;
    let is_yes = ["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes));
    if is_yes { Ok(()) } else { Err(Refusal::Declined.into()) }
}

fn answered(answer: std::io::Result<Option<String>>) -> Result<Option<String>, Error> {
    let failed = |source| Error::Device { what: "ask at".into(), path: "/dev/stdin".into(), source };
    answer.map_err(failed)
}

/// Why an image of `needed` bytes must not go onto `device`.
fn refusal(device: &BlockDevice, forced: Option<&Path>, needed: Option<u64>) -> Option<Refusal> {
    let forced = forced.map(resolved);
    device.refusal(forced.as_deref()).or_else(|| too_small(&device.path, device.size, needed))
}

fn too_small(path: &Path, size: u64, needed: Option<u64>) -> Option<Refusal> {
    let needed = needed.filter(|needed| *needed > size)?;
    Some(Refusal::TooSmall { path: path.to_owned(), size, needed })
}

/// A table of `devices`, for people.
pub(super) fn listing(devices: &[BlockDevice]) -> String {
    let header = ["DEVICE", "SIZE", "MODEL", "REACHED BY", "ON IT"].map(String::from);
    let row = |device: &BlockDevice| {
        let model = if device.model.is_empty() { "-" } else { &device.model };
        [
            device.path.display().to_string(),
            DecimalBytes(device.size).to_string(),
            model.to_owned(),
            device.transport.name().to_owned(),
            device.contents.clone(),
        ]
    };
    table([header].into_iter().chain(devices.iter().map(row)).collect())
}

impl Chosen {
    /// Where it is opened.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Device(device) => &device.path,
            Self::File { path, .. } => path,
        }
    }

    fn refusal(&self, forced: Option<&Path>, needed: Option<u64>) -> Option<Refusal> {
        match self {
            Self::Device(device) => refusal(device, forced, needed),
            Self::File { path, size } => too_small(path, *size, needed),
        }
    }
}

#[cfg(test)]
mod tests;
