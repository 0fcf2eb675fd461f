//! `imgforge verify`: an image against its manifest, and against what the same inputs make today.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use imgforge_debian::Fingerprint;
use imgforge_disk::{Content, FileContent};
use schemars::JsonSchema;
use serde::Serialize;

use super::rebuild;
use crate::{
    build::{
        error::Error,
        manifest::{FORMAT, ImageEntry, Manifest},
        output,
    },
    cli::VerifyArgs,
    host::{console::Console, settings::Settings},
    image::{
        open::OpenImage,
        partitions::{self, Partitions},
        read_back,
    },
    supply::signature,
};

/// What `verify --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Verified {
    image: PathBuf,
    manifest: PathBuf,
    /// Whether it was made again, and compared with that, too.
    rebuilt: bool,
    /// The fingerprint of the key that signed the image; none where nobody asked.
    signed_by: Option<String>,
    /// How many changes the manifest tells, and were looked at.
    changes: usize,
    /// Where the image is not as it should be: none of a good one.
    deviations: Vec<String>,
}

/// Runs the command.
pub fn run(args: &VerifyArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let signer = args.key.as_deref().map(|key| signer(args, key)).transpose()?;
    let path = args.manifest.clone().unwrap_or_else(|| output::beside(&args.image, ".manifest.json"));
    FileContent::open(&args.image).map_err(|source| Error::Open { path: args.image.clone(), source })?;
    let manifest = read_manifest(&path)?;
    let mut image = OpenImage::open(&args.image, console)?;
    let mut deviations = Vec::new();
    // A card is larger than its image.
    let (size, wanted) = (image.content.len(), manifest.image.size);
    if size > wanted {
        image.content = Arc::new(Start { content: Arc::clone(&image.content), size: wanted });
        console.note(&format!("{} bytes behind the image were not looked at", size - wanted));
    }
    if size < wanted {
        deviations.push(format!("the image has {} bytes instead of {}", size, wanted));
    }
    let partitions =
        Partitions::by_number(&image.table, manifest.image.root_partition, manifest.image.boot_partition)?;
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    deviations.extend(other_bytes(&image, &partitions, &manifest.image, threads)?);
    let paths = read_back::compare(&image.content, &partitions, &manifest.changes, threads)?;
    deviations.extend(paths.iter().map(ToString::to_string));
    if args.rebuild {
        deviations.extend(rebuild::deviation(&manifest, &args.inputs, settings, console)?);
    }
    let verified = Verified {
        image: args.image.clone(),
        manifest: path,
        rebuilt: args.rebuild,
        signed_by: signer.map(|signer| signer.to_string()),
        changes: manifest.changes.len(),
        deviations,
    };
    if args.json {
        super::print_json(console, &verified)?;
    }
    let Verified { deviations, manifest: path, .. } = verified;
    if !deviations.is_empty() {
        return Err(Error::Deviates {
            what: format!("{} is not what {} says", args.image.display(), path.display()),
            deviations,
        });
    }
    if args.json {
        return Ok(());
    }
    let summary = format!(
        "{}: as its manifest says{}{} ({} changes, {})\n",
        args.image.display(),
        if args.rebuild { ", and the same when built again" } else { "" },
        signer.map(|signer| format!(", signed by {signer}")).unwrap_or_default(),
        manifest.changes.len(),
        manifest.image.named()
    );
    super::print(console, &summary)
}

/// The first `size` bytes of something longer.
#[derive(Debug)]
struct Start {
    content: Arc<dyn Content>,
    size: u64,
}

impl Content for Start {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.content.read_at(offset, buf)
    }
}

/// What shows that the bytes of `image` are not those that were `written`.
fn other_bytes(
    image: &OpenImage,
    partitions: &Partitions,
    written: &ImageEntry,
    threads: NonZeroUsize,
) -> Result<Option<String>, Error> {
    let (what, found, wanted) = match (written.sha256, written.map_sha256) {
        (Some(wanted), _) => ("SHA-256", image.sha256()?, wanted),
        (None, Some(wanted)) => {
            let free = partitions::free(&image.content, partitions)?;
            let found = output::map_sha256(&*image.content, &free, threads)
                .map_err(|source| Error::Io { what: "read the image".into(), source })?;
            ("block map SHA-256", found, wanted)
        }
        (None, None) => return Ok(Some("the manifest names no digest of the image".into())),
    };
    Ok((found != wanted).then(|| format!("the image has {what} {found} instead of {wanted}")))
}

/// Who signed the image file, with a key of the file `keys`.
fn signer(args: &VerifyArgs, keys: &Path) -> Result<Fingerprint, signature::Error> {
    let signature = args.signature.clone().unwrap_or_else(|| output::beside(&args.image, ".asc"));
    signature::signer(&args.image, &signature, keys)
}

/// Reads a manifest of a format that this imgforge knows.
pub(super) fn read_manifest(path: &Path) -> Result<Manifest, Error> {
    let failed = |message: String| Error::Manifest { path: PathBuf::from(path), message };
    let unread = |source| Error::Io { what: format!("read {}", path.display()), source };
    let found = fs::metadata(path);
    if found.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(failed(
            "there is no such file; `build` writes it beside the image, `--manifest` names another".into(),
        ));
    }
    if !found.map_err(unread)?.is_file() {
        return Err(unread(io::Error::other("it is no file")));
    }
    let text = fs::read_to_string(path).map_err(unread)?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    if manifest.format > FORMAT {
        return Err(failed(format!(
            "has format {}, newer than this imgforge knows ({FORMAT})",
            manifest.format
        )));
    }
    Ok(manifest)
}
