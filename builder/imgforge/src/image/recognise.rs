//! Looking at an unknown image to start a board's profile from it: what can be seen in it. What only a person knows of a
//! board (its name, its cores, its memory) is not here.

use imgforge_debian::Target;
use imgforge_disk::partition::Format;
use imgforge_spec::{Architecture, ImagePath};

use crate::{
    catalogue::{profile::TableKind, vendor::Vendor},
    image::{
        open::OpenImage,
        partitions::{self, Trees},
        programs,
        read::{self, Kind, Tree},
        survey::Survey,
    },
};

/// What an image shows of itself to whoever has to describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// `ID` of the system's os-release: `debian`.
    pub os: Option<String>,
    /// Whose image it is: the vendor's name in profiles; `None` where no vendor is recognised.
    pub vendor: Option<String>,
    /// What its programs are made for; `None` where no program was found.
    pub architecture: Option<Architecture>,
    /// Kind of partition table.
    pub(crate) table: TableKind,
    /// Number of the root file system's partition.
    pub root: u32,
    /// Number of the boot partition and where the image's own fstab mounts it.
    pub boot: Option<(u32, String)>,
}

/// From the narrowest on: what an ARMv6 can run, an ARMv7 can, too.
const ARCHITECTURES: [Architecture; 3] = [Architecture::Arm64, Architecture::Armv6, Architecture::Armv7];

/// Looks at `image`, which may be one of `vendors`; `None` where it has no ext4 file system.
pub fn recognise(image: &OpenImage, vendors: &[Vendor]) -> Result<Option<Recognised>, partitions::Error> {
    let Some(partitions) = image.guess_partitions() else { return Ok(None) };
    let trees = Trees::open(&image.content, &partitions)?;
    let root = &*trees.root;
    let table = match image.table.format() {
        Format::Mbr => TableKind::Mbr,
        Format::Gpt => TableKind::Gpt,
    };
    let boot =
        partitions.boot.map(|boot| Ok::<_, read::Error>((boot.number, boot_mount(root)?))).transpose()?;
    let os = Survey::of(&trees)?.os;
    let (vendor, architecture) = (vendor_of(root, os.as_deref(), vendors)?, architecture(root)?);
    Ok(Some(Recognised { os, vendor, architecture, table, root: partitions.root.number, boot }))
}

/// The vendor that knows the most files of the image as those of all its images, of those whose system it can be.
pub fn vendor_of(
    root: &dyn Tree,
    os: Option<&str>,
    vendors: &[Vendor],
) -> Result<Option<String>, read::Error> {
    let mut best: Option<&Vendor> = None;
    for vendor in vendors {
        let signs = &vendor.recognised_by;
        if signs.len() <= best.map_or(0, |best| best.recognised_by.len()) {
            continue;
        }
        let is_other =
            os.is_some_and(|os| !vendor.os_ids.is_empty() && !vendor.os_ids.iter().any(|id| id == os));
        if !is_other && has_all(root, signs)? && !has_any(root, &vendor.not_recognised_by)? {
            best = Some(vendor);
        }
    }
    Ok(best.map(|vendor| vendor.vendor.clone()))
}

fn has_all(root: &dyn Tree, paths: &[ImagePath]) -> Result<bool, read::Error> {
    for path in paths {
        if root.entry(path)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_any(root: &dyn Tree, paths: &[ImagePath]) -> Result<bool, read::Error> {
    for path in paths {
        if root.entry(path)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn architecture(root: &dyn Tree) -> Result<Option<Architecture>, read::Error> {
    let Some(program) = programs::typical(root)? else { return Ok(None) };
    let fits = |architecture: &Architecture| program.misfit(Target::from(*architecture)).is_none();
    Ok(ARCHITECTURES.into_iter().find(fits))
}

/// Where fstab mounts the FAT partition; `/boot` where it says nothing.
fn boot_mount(root: &dyn Tree) -> Result<String, read::Error> {
    let fstab = file(root, "/etc/fstab")?.unwrap_or_default();
    let fstab = String::from_utf8_lossy(&fstab).into_owned();
    let lines = fstab.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mount = lines.into_iter().find_map(|fields| match fields.as_slice() {
        [source, target, "vfat", ..] if !source.starts_with('#') => Some((*target).to_owned()),
        _ => None,
    });
    Ok(mount.unwrap_or_else(|| "/boot".to_owned()))
}

/// The content of the file `path`, if it is one.
fn file(root: &dyn Tree, path: &str) -> Result<Option<Vec<u8>>, read::Error> {
    let Ok(path) = ImagePath::new(path) else { return Ok(None) };
    match root.entry(&path)? {
        Some(entry) if entry.kind == Kind::File => root.read(&path).map(Some),
        _ => Ok(None),
    }
}
