//! Looking things up in a tree: what is not there is nothing, what cannot be read is an error.

use imgforge_spec::{ImagePath, Octets};

use crate::image::read::{Entry, Error, Kind, Tree};

/// Files of a survey are small; dpkg's status file, the largest, has 10 MB where 20,000 packages are installed.
const MOST_BYTES: u64 = 64 << 20;

/// As many links are followed (path_resolution(7)).
const MOST_LINKS: u32 = 40;

/// Words of an image as they may be shown: without control characters.
pub(crate) fn shown(text: &str) -> String {
    Octets(text.as_bytes().to_vec()).to_string()
}

/// A tree, looked at by paths that the program knows.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a>(pub &'a dyn Tree);

impl Look<'_> {
    /// What is at `path`; a link in last place is not followed.
    pub fn entry(self, path: &str) -> Result<Option<Entry>, Error> {
        let Ok(path) = ImagePath::new(path) else { return Ok(None) };
        self.0.entry(&path)
    }

    /// Whether there is anything at `path`.
    pub fn has(self, path: &str) -> Result<bool, Error> {
        Ok(self.entry(path)?.is_some())
    }

    /// The file `path` as text; `None` where there is no such file.
    pub fn text(self, path: &str) -> Result<Option<String>, Error> {
        let Ok(path) = ImagePath::new(path) else { return Ok(None) };
        match self.0.entry(&path)? {
            Some(Entry { kind: Kind::File, size, .. }) if size > MOST_BYTES => {
                let reason = format!("it has {size} bytes, at most {MOST_BYTES} are read");
                Err(Error::Path { what: "image", path, reason })
            }
            Some(Entry { kind: Kind::File, .. }) => {
                Ok(Some(String::from_utf8_lossy(&self.0.read(&path)?).into_owned()))
            }
            _ => Ok(None),
        }
    }

    /// The names in the directory `path`, sorted; none where there is no such directory.
    pub fn names(self, path: &str) -> Result<Vec<String>, Error> {
        let Ok(path) = ImagePath::new(path) else { return Ok(Vec::new()) };
        match self.0.entry(&path)? {
            Some(Entry { kind: Kind::Directory, .. }) => {
                let names = self.0.names(&path)?;
                Ok(names.into_iter().map(|name| Octets(name).to_string()).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// `path` with the links on the way, and in last place, followed as the kernel does. What leads round in a circle stays.
    pub fn behind_links(self, path: &ImagePath) -> Result<ImagePath, Error> {
        let mut left: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut done = ImagePath::root();
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name == b".." {
                done = done.parent().unwrap_or_else(ImagePath::root);
                continue;
            }
            let Ok(next) = done.join(&name) else { return Ok(path.clone()) };
            let is_link = matches!(self.0.entry(&next)?, Some(Entry { kind: Kind::Symlink, .. }));
            if !is_link {
                done = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Ok(path.clone());
            }
            let target = self.0.target(&next)?;
            if target.starts_with(b"/") {
                done = ImagePath::root();
            }
            let parts = target.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
            left.extend(parts.rev().map(<[u8]>::to_vec));
        }
        Ok(done)
    }

    /// Where the link `path` points; `None` where there is no such link.
    pub fn target(self, path: &str) -> Result<Option<String>, Error> {
        let Ok(path) = ImagePath::new(path) else { return Ok(None) };
        match self.0.entry(&path)? {
            Some(Entry { kind: Kind::Symlink, .. }) => Ok(Some(Octets(self.0.target(&path)?).to_string())),
            _ => Ok(None),
        }
    }
}
