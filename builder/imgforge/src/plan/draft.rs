//! A plan while it is made: the base as it will look with the changes asked for so far.

use std::{collections::BTreeMap, sync::Arc};

use imgforge_debian::Pattern;
use imgforge_ext4::Content;
use imgforge_spec::ImagePath;

use super::Error;
use crate::image::{
    change::{Access, Action, Change, Origin, Volume},
    read::{Kind, Tree},
    read_back::sha256_at,
};

/// As many links in one path as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Files that are edited are small; a larger one in a base is not what it should be.
const MOST_BYTES: u64 = 4 << 20;

/// The base with the changes so far on top.
pub struct Draft<'a> {
    root: &'a dyn Tree,
    boot: Option<&'a dyn Tree>,
    /// What is taken from the base. It stays taken when something else is put there.
    removed: BTreeMap<(Volume, ImagePath), Change>,
    changes: BTreeMap<(Volume, ImagePath), Change>,
}

impl std::fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl<'a> Draft<'a> {
    /// Nothing changed yet.
    pub fn new(root: &'a dyn Tree, boot: Option<&'a dyn Tree>) -> Self {
        Self { root, boot, removed: BTreeMap::new(), changes: BTreeMap::new() }
    }

    /// The changes: removals, then what is put there, boot partition first, parents before what is in them.
    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.removed.into_values().chain(self.changes.into_values()).collect()
    }

    /// Whether there is a boot partition.
    pub fn has_boot(&self) -> bool {
        self.boot.is_some()
    }

    /// What is at `path`.
    pub fn kind(&self, volume: Volume, path: &ImagePath) -> Result<Option<Kind>, Error> {
        self.kind_at(volume, &self.locate(volume, path)?)
    }

    /// The directory that `path` is in the end, be there one or not: `path` with the links on its way and itself resolved.
    pub(crate) fn behind_links(&self, volume: Volume, path: &ImagePath) -> Result<ImagePath, Error> {
        Ok(self.locate(volume, &path.join("x")?)?.parent().unwrap_or_else(ImagePath::root))
    }

    /// Where the file `path` is that is to be edited: what a link in last place leads to, since the link may be what another
    /// program reads.
    pub(crate) fn edited(&self, volume: Volume, path: &ImagePath) -> Result<ImagePath, Error> {
        match self.kind(volume, path)? {
            Some(Kind::Symlink) => self.behind_links(volume, path),
            _ => Ok(path.clone()),
        }
    }

    /// The content of the file `path`, `None` where there is none.
    pub fn read(&self, volume: Volume, path: &ImagePath) -> Result<Option<Vec<u8>>, Error> {
        let path = self.locate(volume, path)?;
        if let Some(change) = self.changes.get(&(volume, path.clone())) {
            let Action::File { bytes, .. } = &change.action else { return Ok(None) };
            return bytes_of(&bytes.content, &path).map(Some);
        }
        match self.kind_at(volume, &path)? {
            Some(Kind::File) => {
                let size = self.base_entry(volume, &path)?.map_or(0, |entry| entry.size);
                if size > MOST_BYTES {
                    return Err(Error::TooLarge { path, size });
                }
                Ok(Some(self.tree(volume)?.read(&path)?))
            }
            _ => Ok(None),
        }
    }

    /// The content of `path` as text; an error where the vendor's file is none.
    pub(crate) fn read_text(&self, volume: Volume, path: &ImagePath) -> Result<Option<String>, Error> {
        let Some(bytes) = self.read(volume, path)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| Error::NotText { path: path.clone() })
    }

    /// The paths that fit `pattern`, where `*` stands for any run of characters in a component.
    pub fn matching(&self, volume: Volume, pattern: &ImagePath) -> Result<Vec<ImagePath>, Error> {
        let mut found = vec![ImagePath::root()];
        for component in pattern.components() {
            let mut deeper = Vec::new();
            for directory in &found {
                // A link to a directory is looked into, as a shell would.
                let inside = self.behind_links(volume, directory)?;
                deeper.extend(self.matching_in(volume, &inside, component)?);
            }
            found = deeper;
        }
        Ok(found)
    }

    /// What in `directory` fits one component of a pattern. Only where that has stars the directory is listed.
    fn matching_in(
        &self,
        volume: Volume,
        directory: &ImagePath,
        component: &[u8],
    ) -> Result<Vec<ImagePath>, Error> {
        if !component.contains(&b'*') {
            let path = directory.join(self.spelled(volume, directory, component.to_vec())?)?;
            return Ok(self.kind_at(volume, &path)?.map(|_| path).into_iter().collect());
        }
        let component = Pattern::of_stars(&folded(volume, component));
        let names = self.names(volume, directory)?.into_iter();
        let fitting = names.filter(|name| component.matches(&folded(volume, name)));
        Ok(fitting.map(|name| directory.join(name)).collect::<Result<_, _>>()?)
    }

    /// Puts a file at `path`. Without `access`, a file that is there keeps its own; a new one is 0644 and root's.
    pub fn write(
        &mut self,
        volume: Volume,
        path: &ImagePath,
        content: impl Into<Vec<u8>>,
        access: Option<Access>,
        origin: Origin,
    ) -> Result<(), Error> {
        let kept = match access {
            Some(access) => access,
            None => self.access(volume, path)?.unwrap_or(Access::root(0o644)),
        };
        self.write_content(volume, path, Arc::new(content.into()), kept, origin)
    }

    /// Puts a file at `path` that must not be seen: an image with it is for its owner only.
    pub(crate) fn write_secret(
        &mut self,
        path: &ImagePath,
        content: impl Into<Vec<u8>>,
        access: Access,
        origin: Origin,
    ) -> Result<(), Error> {
        let content: Arc<dyn Content> = Arc::new(content.into());
        self.put_secret(path, Action::File { bytes: content.into(), attributes: access.into() }, origin)
    }

    /// The same for a file whose content may be anywhere.
    pub(crate) fn put_secret(
        &mut self,
        path: &ImagePath,
        action: Action,
        origin: Origin,
    ) -> Result<(), Error> {
        self.put(Volume::Root, path, action, origin)?;
        self.hide(Volume::Root, path)
    }

    /// Says of a file that was put at `path` that it must not be seen.
    pub(crate) fn hide(&mut self, volume: Volume, path: &ImagePath) -> Result<(), Error> {
        let path = self.locate(volume, path)?;
        if let Some(change) = self.changes.get_mut(&(volume, path)) {
            change.secret = true;
        }
        Ok(())
    }

    /// Puts a file at `path` whose content may be anywhere.
    pub(crate) fn write_content(
        &mut self,
        volume: Volume,
        path: &ImagePath,
        content: Arc<dyn Content>,
        access: Access,
        origin: Origin,
    ) -> Result<(), Error> {
        self.put(volume, path, Action::File { bytes: content.into(), attributes: access.into() }, origin)
    }

    /// Makes the directory `path`, or gives it this access.
    pub fn directory(
        &mut self,
        volume: Volume,
        path: &ImagePath,
        access: Access,
        origin: Origin,
    ) -> Result<(), Error> {
        self.put(volume, path, Action::Directory { attributes: access.into() }, origin)
    }

    /// Makes the directory `path` where there is none.
    pub(crate) fn ensure_directory(&mut self, path: &ImagePath, origin: Origin) -> Result<(), Error> {
        match self.kind(Volume::Root, path)? {
            Some(Kind::Directory | Kind::Symlink) => Ok(()),
            _ => self.directory(Volume::Root, path, Access::root(0o755), origin),
        }
    }

    /// Makes the link `path` point to `target`.
    pub fn symlink(
        &mut self,
        path: &ImagePath,
        target: impl Into<Vec<u8>>,
        origin: Origin,
    ) -> Result<(), Error> {
        let attributes = Access::root(0o777).into();
        self.put(Volume::Root, path, Action::Symlink { target: target.into(), attributes }, origin)
    }

    /// Takes `path` away, with all in it. Nothing there is fine.
    pub fn remove(&mut self, volume: Volume, path: &ImagePath, origin: Origin) -> Result<(), Error> {
        let path = self.locate(volume, path)?;
        let gone: Vec<_> = self.planned_at(volume, &path).cloned().collect();
        gone.iter().for_each(|key| drop(self.changes.remove(key)));
        if self.base_entry(volume, &path)?.is_some() {
            let change = Change {
                volume,
                path: path.clone(),
                action: Action::Remove,
                origins: vec![origin],
                secret: false,
            };
            self.removed.insert((volume, path), change);
        }
        Ok(())
    }

    /// The folders on the way to `path` that are missing, and who owns the last one that is there: its user and group.
    pub(crate) fn missing_folders(&self, path: &ImagePath) -> Result<(Vec<ImagePath>, (u32, u32)), Error> {
        let mut owner = (0, 0);
        let mut missing = Vec::new();
        for folder in self.locate(Volume::Root, path)?.ancestors() {
            match self.changes.get(&(Volume::Root, folder.clone())).map(|change| &change.action) {
                Some(Action::Directory { attributes }) => {
                    owner = (attributes.access.uid, attributes.access.gid)
                }
                _ => match self.base_entry(Volume::Root, &folder)? {
                    Some(entry) => owner = (entry.access.uid, entry.access.gid),
                    None => missing.push(folder),
                },
            }
        }
        Ok((missing, owner))
    }

    /// Mode and owner of what is at `path`.
    fn access(&self, volume: Volume, path: &ImagePath) -> Result<Option<Access>, Error> {
        let path = self.locate(volume, path)?;
        match self.changes.get(&(volume, path.clone())).map(|change| &change.action) {
            Some(Action::File { attributes, .. } | Action::Directory { attributes }) => {
                Ok(Some(attributes.access))
            }
            Some(_) => Ok(None),
            None => Ok(self.base_entry(volume, &path)?.filter(|e| e.kind == Kind::File).map(|e| e.access)),
        }
    }

    /// Puts what `action` says at `path`, with the directories above that are missing.
    pub fn put(
        &mut self,
        volume: Volume,
        path: &ImagePath,
        action: Action,
        origin: Origin,
    ) -> Result<(), Error> {
        let path = self.locate(volume, path)?;
        for parent in path.ancestors() {
            match self.kind_at(volume, &parent)? {
                Some(Kind::Directory) => {}
                Some(kind) => return Err(Error::NotADirectory { path: parent, kind, wanted: path }),
                None => self.record(
                    volume,
                    parent,
                    Action::Directory { attributes: Access::root(0o755).into() },
                    origin.clone(),
                ),
            }
        }
        let replaces_directory = self.kind_at(volume, &path)? == Some(Kind::Directory);
        if replaces_directory && !matches!(action, Action::Directory { .. }) {
            return Err(Error::IsADirectory { path, origin });
        }
        // What the base has already is no change: a link that `systemctl enable` made there, a file of the same content.
        if !self.changes.contains_key(&(volume, path.clone())) && self.is_in_base(volume, &path, &action)? {
            return Ok(());
        }
        self.record(volume, path, action, origin);
        Ok(())
    }

    fn is_in_base(&self, volume: Volume, path: &ImagePath, action: &Action) -> Result<bool, Error> {
        let Some(there) = self.base_entry(volume, path)? else { return Ok(false) };
        let tree = self.tree(volume)?;
        let failed = |source| Error::Content { path: path.clone(), source };
        Ok(match action {
            Action::File { bytes, attributes } => {
                let alike = there.kind == Kind::File && there.size == bytes.content.len();
                let same_access = volume == Volume::Boot || there.access == attributes.access;
                let is_plain = attributes.xattrs.is_empty();
                alike
                    && same_access
                    && is_plain
                    && sha256_at(tree, path)? == bytes.sha256().map_err(failed)?
            }
            Action::Directory { attributes } => {
                there.kind == Kind::Directory && there.access == attributes.access
            }
            Action::Symlink { target, .. } => there.kind == Kind::Symlink && tree.target(path)? == *target,
            Action::HardLink { .. } | Action::Remove => false,
        })
    }

    fn record(&mut self, volume: Volume, path: ImagePath, action: Action, origin: Origin) {
        let key = (volume, path.clone());
        let mut origins = self.changes.remove(&key).map(|change| change.origins).unwrap_or_default();
        origins.retain(|earlier| *earlier != origin);
        origins.push(origin);
        self.changes.insert(key, Change { volume, path, action, origins, secret: false });
    }

    /// `path` with the links in its parent resolved, inside the image only: an absolute target starts again at the
    /// image's root, and `..` stops there.
    fn locate(&self, volume: Volume, path: &ImagePath) -> Result<ImagePath, Error> {
        let mut left: Vec<Vec<u8>> = path.components().map(<[u8]>::to_vec).rev().collect();
        let mut at = ImagePath::root();
        let mut links = 0;
        while let Some(component) = left.pop() {
            if component == b".." {
                at = at.parent().unwrap_or_else(ImagePath::root);
                continue;
            }
            let next = at.join(self.spelled(volume, &at, component)?)?;
            if left.is_empty() || self.kind_at(volume, &next)? != Some(Kind::Symlink) {
                at = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(Error::TooManyLinks { path: path.clone() });
            }
            let target = self.target_at(volume, &next)?;
            if target.first() == Some(&b'/') {
                at = ImagePath::root();
            }
            let components = target.split(|&byte| byte == b'/').filter(|c| !c.is_empty() && *c != b".");
            left.extend(components.map(<[u8]>::to_vec).rev());
        }
        Ok(at)
    }

    /// `name` as it is written in `directory`: FAT tells no case apart.
    fn spelled(&self, volume: Volume, directory: &ImagePath, name: Vec<u8>) -> Result<Vec<u8>, Error> {
        if volume == Volume::Root {
            return Ok(name);
        }
        let wanted = folded(volume, &name);
        let there = self.names(volume, directory)?.into_iter().find(|there| folded(volume, there) == wanted);
        Ok(there.unwrap_or(name))
    }

    fn target_at(&self, volume: Volume, path: &ImagePath) -> Result<Vec<u8>, Error> {
        match self.changes.get(&(volume, path.clone())).map(|change| &change.action) {
            Some(Action::Symlink { target, .. }) => Ok(target.clone()),
            _ => Ok(self.tree(volume)?.target(path)?),
        }
    }

    fn kind_at(&self, volume: Volume, path: &ImagePath) -> Result<Option<Kind>, Error> {
        match self.changes.get(&(volume, path.clone())).map(|change| &change.action) {
            Some(Action::File { .. } | Action::HardLink { .. }) => Ok(Some(Kind::File)),
            Some(Action::Directory { .. }) => Ok(Some(Kind::Directory)),
            Some(Action::Symlink { .. }) => Ok(Some(Kind::Symlink)),
            Some(Action::Remove) | None => Ok(self.base_entry(volume, path)?.map(|entry| entry.kind)),
        }
    }

    /// What the base has at `path`, unless it or a directory above is taken away.
    fn base_entry(
        &self,
        volume: Volume,
        path: &ImagePath,
    ) -> Result<Option<crate::image::read::Entry>, Error> {
        let is_removed = |path: &ImagePath| self.removed.contains_key(&(volume, path.clone()));
        if is_removed(path) || path.ancestors().iter().any(is_removed) {
            return Ok(None);
        }
        Ok(self.tree(volume)?.entry(path)?)
    }

    fn names(&self, volume: Volume, directory: &ImagePath) -> Result<Vec<Vec<u8>>, Error> {
        let mut names = match self.base_entry(volume, directory)?.map(|entry| entry.kind) {
            Some(Kind::Directory) => self.tree(volume)?.names(directory)?,
            _ => Vec::new(),
        };
        let is_removed = |name: &Vec<u8>| {
            directory.join(name).is_ok_and(|path| self.removed.contains_key(&(volume, path)))
        };
        names.retain(|name| !is_removed(name));
        let planned = self.planned_at(volume, directory);
        let inside = planned.filter(|(_, path)| path.parent().as_ref() == Some(directory));
        names.extend(inside.map(|(_, path)| path.name().to_vec()));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The keys of what is planned at `path` and below it.
    fn planned_at<'s>(
        &'s self,
        volume: Volume,
        path: &'s ImagePath,
    ) -> impl Iterator<Item = &'s (Volume, ImagePath)> {
        // `/a-b` comes between `/a` and `/a/b`.
        let begins_alike = move |key: &&(Volume, ImagePath)| {
            key.0 == volume && key.1.as_bytes().starts_with(path.as_bytes())
        };
        let from = self.changes.range((volume, path.clone())..).map(|(key, _)| key);
        from.take_while(begins_alike).filter(move |(_, at)| at.is_below(path))
    }

    fn tree(&self, volume: Volume) -> Result<&'a dyn Tree, Error> {
        match volume {
            Volume::Root => Ok(self.root),
            Volume::Boot => self.boot.ok_or(Error::NoBootPartition),
        }
    }
}

/// `name` so that it can be compared: in lower case on FAT.
fn folded(volume: Volume, name: &[u8]) -> Vec<u8> {
    match volume {
        Volume::Root => name.to_vec(),
        Volume::Boot => String::from_utf8_lossy(name).to_lowercase().into_bytes(),
    }
}

/// All of `content`, which goes to `path`.
fn bytes_of(content: &Arc<dyn Content>, path: &ImagePath) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; content.len() as usize];
    content.read_at(0, &mut bytes).map_err(|source| Error::Content { path: path.clone(), source })?;
    Ok(bytes)
}
