//! Certificates of authorities: where `update-ca-certificates` looks for those of this machine. The first boot has it run
//! (`docs/first-boot.md`), since the base's bundle is made by it.

use imgforge_spec::{Certificates, ImagePath};

use super::{Draft, Error};
use crate::image::change::{Origin, Volume};

const ORIGIN: Origin = Origin::Node("system");

/// A file with one certificate each (update-ca-certificates(8)).
const FOLDER: &str = "/usr/local/share/ca-certificates";

/// Puts in each of `certificates`; one that is there twice is no harm.
pub(crate) fn add(draft: &mut Draft<'_>, certificates: &[Certificates]) -> Result<(), Error> {
    let mut all = Vec::new();
    for (index, some) in certificates.iter().enumerate() {
        let clash = |error: imgforge_spec::Invalid| {
            Error::clash(format!("system.certificates[{index}].{}", error.setting), error.message)
        };
        all.extend(some.each().map_err(clash)?);
    }
    for (index, certificate) in all.into_iter().enumerate() {
        let path = ImagePath::new(format!("{FOLDER}/imgforge-{}.crt", index + 1))?;
        draft.write(Volume::Root, &path, certificate, None, ORIGIN)?;
    }
    Ok(())
}
