//! Container images in a plan: archives in the folder from which the first boot imports them.

use imgforge_spec::ImagePath;

use super::{Draft, Error};
use crate::{
    image::change::{Access, Action, Bytes, Origin, Volume},
    supply::oci::LockedImage,
};

/// The folder (`docs/first-boot.md`).
const FOLDER: &str = "/var/lib/imgforge/images";

/// Puts the archives of `images` where the first boot finds them.
pub(crate) fn carry(draft: &mut Draft<'_>, images: &[(LockedImage, Bytes)]) -> Result<(), Error> {
    for (image, archive) in images {
        // No reference has a plus sign, so no two have the same file.
        let name = format!("{}.tar", image.reference.replace('/', "+"));
        let path = ImagePath::new(FOLDER)?.join(name)?;
        let origin = Origin::ContainerImage(image.reference.clone());
        let action = Action::File { bytes: archive.clone(), attributes: Access::root(0o644).into() };
        draft.put(Volume::Root, &path, action, origin)?;
    }
    Ok(())
}
