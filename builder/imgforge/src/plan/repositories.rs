//! Repositories of the settings, for apt on the node: sources.list(5).

use imgforge_spec::{ImagePath, Repository};

use super::{Draft, Error};
use crate::image::change::{Origin, Volume};

const ORIGIN: Origin = Origin::Node("repositories");

/// Has apt know `repositories`, each with its own key and no other.
pub(crate) fn add(draft: &mut Draft<'_>, repositories: &[Repository]) -> Result<(), Error> {
    for (index, repository) in repositories.iter().enumerate() {
        let Some(key) = repository.key() else {
            let setting = format!("repositories[{index}].signed-by");
            return Err(Error::clash(setting, "nobody has read it"));
        };
        let ending = if repository.is_armoured() { "asc" } else { "gpg" };
        let keyring = ImagePath::new(format!("/etc/apt/keyrings/imgforge-{}.{ending}", repository.name))?;
        draft.write(Volume::Root, &keyring, key, None, ORIGIN)?;
        let list = format!("/etc/apt/sources.list.d/imgforge-{}.sources", repository.name);
        draft.write(Volume::Root, &ImagePath::new(list)?, stanza(repository, &keyring), None, ORIGIN)?;
    }
    Ok(())
}

fn stanza(repository: &Repository, keyring: &ImagePath) -> String {
    let Repository { uri, suite, components, .. } = repository;
    let place = match suite {
        Some(suite) => format!("Suites: {suite}\nComponents: {}\n", components.join(" ")),
        None => "Suites: /\n".to_owned(),
    };
    format!("Types: deb\nURIs: {uri}\n{place}Signed-By: {keyring}\n")
}
