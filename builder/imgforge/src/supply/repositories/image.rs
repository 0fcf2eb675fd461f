//! The repositories that apt on the image uses: sources.list(5).

use imgforge_debian::{
    Fingerprint, Keyring, SignedBy, Source, TreePath, parse_deb822_sources, parse_source_list, read_resolved,
};
use imgforge_spec::ImagePath;

use super::{Error, Repository};
use crate::{
    host::console::Console,
    image::read::{Kind, PackageTree, Tree},
};

/// Files with keys for sources that name none (apt-secure(8)).
const TRUSTED_KEYS: &str = "/etc/apt/trusted.gpg";
const TRUSTED_FOLDER: &str = "/etc/apt/trusted.gpg.d";
const SOURCES: &str = "/etc/apt/sources.list";
const SOURCES_FOLDER: &str = "/etc/apt/sources.list.d";

/// The image's package sources for `architecture` that are signed by one of the `pinned` keys. The others are left out,
/// and said to be.
pub fn of_image(
    tree: &dyn Tree,
    architecture: &str,
    pinned: &[Fingerprint],
    console: &Console,
) -> Result<Vec<Repository>, Error> {
    let image = Image { tree: PackageTree(tree) };
    let mut repositories: Vec<Repository> = Vec::new();
    for source in image.sources()? {
        if !source.architectures.is_empty() && !source.architectures.iter().any(|of| of == architecture) {
            continue;
        }
        let keyring = image.keyring(&source)?;
        let present = keyring.fingerprints();
        let trusted: Vec<Fingerprint> = pinned.iter().copied().filter(|key| present.contains(key)).collect();
        let repository = Repository { uri: source.uri, layout: source.layout, keyring, trusted };
        if repository.trusted.is_empty() {
            console.note(&format!("left out: {}, signed by no key that is pinned", repository.name()));
        } else if !repositories
            .iter()
            .any(|known| known.uri == repository.uri && known.layout == repository.layout)
        {
            repositories.push(repository);
        }
    }
    Ok(repositories)
}

struct Image<'a> {
    tree: PackageTree<'a>,
}

impl Image<'_> {
    fn sources(&self) -> Result<Vec<Source>, Error> {
        let mut sources = Vec::new();
        let mut files = vec![SOURCES.to_owned()];
        files.extend(self.files_in(SOURCES_FOLDER, &["list", "sources"])?);
        for path in files {
            let Some(text) = self.read(&path)? else { continue };
            let parsed = if path.ends_with(".sources") {
                parse_deb822_sources(&text)
            } else {
                parse_source_list(&text)
            };
            sources.extend(
                parsed.map_err(|source| Error::Source { what: format!("{path} in the image"), source })?,
            );
        }
        Ok(sources)
    }

    /// The keys that apt would believe for `source`.
    fn keyring(&self, source: &Source) -> Result<Keyring, Error> {
        let named: Vec<String> = match &source.signed_by {
            Some(SignedBy::Embedded(text)) => return parse(text.as_bytes(), "Signed-By"),
            Some(SignedBy::Keys { files, .. }) => files.iter().map(ToString::to_string).collect(),
            None => Vec::new(),
        };
        let mut paths = named;
        if paths.is_empty() {
            paths.push(TRUSTED_KEYS.to_owned());
            paths.extend(self.files_in(TRUSTED_FOLDER, &["gpg", "asc"])?);
        }
        let mut keyring = Keyring::default();
        for path in paths {
            if let Some(bytes) = self.read(&path)? {
                keyring.extend(parse(&bytes, &path)?);
            }
        }
        Ok(keyring)
    }

    /// The files of `folder` with one of these endings, by name, as apt lists them.
    fn files_in(&self, folder: &str, endings: &[&str]) -> Result<Vec<String>, Error> {
        let Ok(path) = ImagePath::new(folder) else { return Ok(Vec::new()) };
        let is_folder = self.tree.0.entry(&path)?.is_some_and(|entry| entry.kind == Kind::Directory);
        let names = if is_folder { self.tree.0.names(&path)? } else { Vec::new() };
        let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
        let fits = |name: &String| name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending));
        Ok(names.filter(fits).map(|name| format!("{folder}/{name}")).collect())
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let fail = |source| Error::Source { what: format!("{path} in the image"), source };
        let path = TreePath::from_absolute(path.as_bytes()).map_err(fail)?;
        read_resolved(&self.tree, &path).map_err(fail)
    }
}

fn parse(bytes: &[u8], path: &str) -> Result<Keyring, Error> {
    Keyring::parse(bytes).map_err(|source| Error::Source { what: format!("{path} in the image"), source })
}
