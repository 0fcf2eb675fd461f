//! Scripts that run once: where the first boot's stage `scripts` looks for them (`docs/first-boot.md`).

use imgforge_spec::{ImagePath, RunOnce};

use super::{Draft, Error, units};
use crate::image::change::{Access, Origin, Volume};

const ORIGIN: Origin = Origin::Node("run-once");

/// The node runs what is in here in the order of the names.
const FOLDER: &str = "/etc/imgforge/run-once";

/// The stage that runs them, which only a node with scripts has.
const UNIT: &str = "imgforge-scripts.service";

/// Puts in `scripts`, in their order, and has the first boot run them. People write passwords into such scripts: they are root's
/// alone, and an image with one is for its owner.
pub(crate) fn add(draft: &mut Draft<'_>, scripts: &[RunOnce]) -> Result<(), Error> {
    if scripts.is_empty() {
        return Ok(());
    }
    let folder = ImagePath::new(FOLDER)?;
    draft.directory(Volume::Root, &folder, Access::root(0o700), ORIGIN)?;
    // As many digits as the last one needs, since the shell sorts by letters.
    let digits = scripts.len().to_string().len().max(2);
    for (index, script) in scripts.iter().enumerate() {
        let Some(text) = script.text() else {
            let setting = format!("run-once[{index}].file");
            return Err(Error::clash(setting, "nobody has read it"));
        };
        let path = folder.join(format!("{:0digits$}-{}", index + 1, script.name))?;
        draft.write_secret(&path, text, Access::root(0o700), ORIGIN)?;
    }
    match units::find(draft, UNIT)? {
        Some(file) => units::enable(draft, UNIT, &file, &ORIGIN),
        None => Err(Error::NoUnit { unit: UNIT.into(), origin: ORIGIN }),
    }
}
