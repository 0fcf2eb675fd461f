//! `imgforge os-list`: a folder of built images as a list that Raspberry Pi Imager loads as a custom repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use imgforge_spec::{Sha256, is_url};
use serde::Serialize;

use super::verify::read_manifest;
use crate::{
    build::{error::Error, manifest::Manifest, output::beside},
    catalogue::{self, Catalogue},
    cli::OsListArgs,
    host::{clock, console::Console, settings::Settings},
    supply::checksum_file,
};

const MANIFEST: &str = ".manifest.json";
/// A card, where no icon is given: the list must have one.
const ICON: &str = "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20width='40'%20height='40'%3E\
                    %3Cpath%20d='M8%202h16l8%208v28H8z'%20fill='%23444'/%3E\
                    %3Cpath%20d='M13%206v6M18%206v6M23%206v6'%20stroke='%23fc0'%20stroke-width='3'/%3E%3C/svg%3E";

/// The list. <https://github.com/raspberrypi/rpi-imager/blob/main/doc/json-schema/os-list-schema.json>
#[derive(Debug, Serialize)]
struct OsList {
    os_list: Vec<Entry>,
}

/// One image.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    description: String,
    /// Address of a picture, or the picture itself in a `data:` address.
    icon: String,
    url: String,
    /// Address of the block map, by which Imager skips what need not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    bmap_url: Option<String>,
    /// Bytes of the disk image.
    extract_size: u64,
    /// SHA-256 of the disk image.
    extract_sha256: Sha256,
    /// Bytes of the file as it is downloaded.
    image_download_size: u64,
    /// SHA-256 of the file as it is downloaded.
    image_download_sha256: Sha256,
    /// `2026-09-15`: the day of the time that is written in the image.
    release_date: String,
    /// How Imager may customise the image: not at all, since its user and host name are its node's settings. Without a word
    /// Imager 1 would do it in its own way.
    init_format: &'static str,
    /// Imager's names for the boards that start it; Imager offers an image without them only where no board is chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<String>,
}

/// Runs the command.
pub fn run(args: &OsListArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    // Names are put behind it, so it ends with its path.
    let is_address = |url: &&String| is_url(url) && !url.contains(['?', '#']);
    if let Some(given) =
        [Some(&args.url), args.icon.as_ref()].into_iter().flatten().find(|url| !is_address(url))
    {
        return Err(Error::NoAddress { given: given.clone() });
    }
    let catalogue = super::catalogue(settings, args.profiles.as_deref())?;
    let mut os_list = Vec::new();
    for path in manifests(&args.folder)? {
        os_list.push(entry(&path, args, &catalogue)?);
    }
    super::print_json(console, &OsList { os_list })
}

/// The manifests in `folder`, by name.
fn manifests(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Io { what: format!("list {}", folder.display()), source };
    let entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let is_manifest = |path: &PathBuf| path.to_string_lossy().ends_with(MANIFEST);
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_manifest).collect();
    paths.sort();
    Ok(paths)
}

fn entry(path: &Path, args: &OsListArgs, catalogue: &Catalogue) -> Result<Entry, Error> {
    let fail = |message: String| Error::Manifest { path: path.to_owned(), message };
    let manifest = read_manifest(path)?;
    if manifest.secrets {
        return Err(fail("says that the image holds secrets: it must not be published".into()));
    }
    let text = path.to_string_lossy();
    let image = PathBuf::from(text.trim_end_matches(MANIFEST));
    let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = |path: &Path, source| Error::Io { what: format!("read {}", path.display()), source };
    let size = fs::metadata(&image).map_err(|source| read(&image, source))?.len();
    let sums_path = beside(&image, ".sha256");
    let sums = fs::read_to_string(&sums_path).map_err(|source| read(&sums_path, source))?;
    let sha256 = checksum_file::find(&sums, &name)
        .ok_or_else(|| fail(format!("{} has no hash of {name}", sums_path.display())))?;
    let (board, devices) = match catalogue.find(manifest.board.as_str()) {
        Ok((_, profile)) => (profile.name.clone(), profile.imager_devices.clone()),
        Err(catalogue::Error::UnknownBoard { .. }) => (manifest.board.to_string(), Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let extract_sha256 = manifest.image.sha256.ok_or_else(|| {
        fail("names no SHA-256 of the image: build it compressed, or with --checksum".into())
    })?;
    let url = format!("{}/{name}", args.url.trim_end_matches('/'));
    let has_map = beside(&image, ".bmap").is_file();
    Ok(Entry {
        name: format!("{board}: {}", manifest.role.name()),
        description: description(&manifest),
        icon: args.icon.as_deref().unwrap_or(ICON).to_owned(),
        bmap_url: has_map.then(|| format!("{url}.bmap")),
        url,
        extract_size: manifest.image.size,
        extract_sha256,
        image_download_size: size,
        image_download_sha256: sha256,
        release_date: clock::utc(manifest.epoch).chars().take("2026-09-15".len()).collect(),
        init_format: "none",
        devices,
    })
}

fn description(manifest: &Manifest) -> String {
    let base = manifest.base.origin.rsplit('/').next().unwrap_or_default();
    format!("{base}, made a {} node by imgforge {}", manifest.role.name(), manifest.imgforge)
}
