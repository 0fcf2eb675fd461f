//! `imgforge boards new`: starts a profile from an image.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use imgforge_disk::FileContent;
use imgforge_spec::{BoardName, Sha256};

use crate::{
    build::error::Error,
    catalogue::{Catalogue, profile::TableKind, vendor::Vendor},
    cli::NewBoardArgs,
    host::{console::Console, settings},
    image::{
        open::OpenImage,
        recognise::{Recognised, recognise},
    },
};

/// What only a person can say, in the order of the file.
const TO_FILL_IN: &str =
    "name, cores, memory; base.url in place of base.file, so that others can use the profile; kubernetes";

/// Runs the command; `folder` is the one asked for with `--profiles`, `catalogue` has the vendors.
pub fn run(
    args: &NewBoardArgs,
    folder: Option<&Path>,
    catalogue: &Catalogue,
    console: &Console,
) -> Result<(), Error> {
    let folder = folder.map(Path::to_owned).or_else(settings::own_profiles).ok_or(Error::NoProfileFolder)?;
    let image = args.from.canonicalize().map_err(|source| io("find", &args.from, source))?;
    let opened = OpenImage::open(&image, console)?;
    let vendors = catalogue.vendors()?;
    let seen = recognise(&opened, &vendors).map_err(|error| Error::from(error).of_image(image.display()))?;
    let seen = seen.ok_or_else(|| Error::NoRoot { found: opened.listing() }.of_image(image.display()))?;
    let draft = Draft {
        board: &args.name,
        seen: &seen,
        vendors: &vendors,
        sha256: sha256_of(&image)?,
        image_sha256: opened.sha256()?,
        image_size: opened.content.len(),
        image,
    };
    let path = folder.join(format!("{}.yaml", args.name));
    fs::create_dir_all(&folder).map_err(|source| io("make the folder", &folder, source))?;
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(draft.text().as_bytes()));
    written.map_err(|source| io("write", &path, source))?;
    console.note(&format!("fill in: {TO_FILL_IN}"));
    super::super::print(console, &format!("{}\n", path.display()))
}

fn io(what: &str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { what: format!("{what} {}", path.display()), source }
}

fn sha256_of(path: &Path) -> Result<Sha256, Error> {
    let content = FileContent::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
    imgforge_disk::sha256_of(&content).map_err(|source| io("read", path, source))
}

/// All that goes into a new profile.
struct Draft<'a> {
    board: &'a BoardName,
    seen: &'a Recognised,
    vendors: &'a [Vendor],
    image: PathBuf,
    sha256: Sha256,
    image_sha256: Sha256,
    image_size: u64,
}

impl Draft<'_> {
    /// What to call a vendor that is not known: what its system calls itself, unless that is the name of what it was made from.
    fn unknown_vendor(&self) -> &str {
        let is_name = |id: &&str| {
            !id.is_empty() && id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        };
        let id = self.seen.os.as_deref().filter(is_name).unwrap_or("unknown");
        if self.vendors.iter().any(|vendor| vendor.vendor == id) { "unknown" } else { id }
    }

    fn text(&self) -> String {
        let Self { board, seen, image, sha256, image_sha256, image_size, .. } = self;
        let Recognised { root, .. } = seen;
        let vendor = match &seen.vendor {
            Some(vendor) => format!("vendor: {vendor}\n"),
            None => {
                let name = self.unknown_vendor();
                format!(
                    "# The image is of no vendor that is described: describe it in vendors/{name}.yaml beside this file.\nvendor: {name}\n"
                )
            }
        };
        let architecture = match seen.architecture {
            Some(architecture) => format!("architecture: {architecture}\n"),
            None => {
                "# No program was found in the image: fill in arm64, armv7 or armv6.\narchitecture: arm64\n"
                    .into()
            }
        };
        let table = match seen.table {
            TableKind::Mbr => "mbr",
            TableKind::Gpt => "gpt",
        };
        let boot = seen
            .boot
            .as_ref()
            .map(|(number, mount)| format!("  boot: {{ partition: {number}, mount: {mount} }}\n"));
        let file = serde_json::Value::from(image.display().to_string());
        format!(
            "board: {board}
# Fill in: the full name of the hardware.
name: {board}
{vendor}# What the image's own programs are made for.
{architecture}# Fill in: with one core, the board can be no master.
cores: 1
# Fill in: MiB of the smallest variant.
memory: 512
base:
  # Fill in: `url:` with the vendor's address in place of `file:`.
  file: {file}
  sha256: {sha256}
  image-size: {image_size}
  image-sha256: {image_sha256}
layout:
  table: {table}
  root: {root}
{}# Fill in, if it is to run Kubernetes: kubernetes: {{ release: \"1.36\" }}; a 32-bit board takes \"1.26\".
",
            boot.unwrap_or_default(),
        )
    }
}
