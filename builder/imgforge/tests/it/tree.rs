//! A file system in memory, for plans over a base of a few files.

use std::collections::BTreeMap;

use imgforge::image::{
    change::Access,
    read::{Entry, Error, Kind, Tree},
};
use imgforge_spec::ImagePath;

/// A tree of the given files and links; the directories they lie in come with them.
#[derive(Debug, Default)]
pub struct MemoryTree {
    nodes: BTreeMap<ImagePath, (Kind, Access, Vec<u8>)>,
}

impl MemoryTree {
    /// Files by path.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        tree.put("/", Kind::Directory, 0o755, b"");
        files.iter().for_each(|(path, text)| tree.put(path, Kind::File, 0o644, text.as_bytes()));
        tree
    }

    /// The same, with a link.
    pub fn with_link(mut self, path: &str, target: &str) -> Self {
        self.put(path, Kind::Symlink, 0o777, target.as_bytes());
        self
    }

    /// The same, with a file of bytes.
    pub fn with_bytes(mut self, path: &str, bytes: &[u8]) -> Self {
        self.put(path, Kind::File, 0o755, bytes);
        self
    }

    /// The same, with a file of another mode and owner.
    pub fn with_file(mut self, path: &str, text: &str, access: Access) -> Self {
        self.put(path, Kind::File, 0, text.as_bytes());
        self.nodes.insert(ImagePath::new(path).unwrap(), (Kind::File, access, text.as_bytes().to_vec()));
        self
    }

    fn put(&mut self, path: &str, kind: Kind, mode: u16, content: &[u8]) {
        let path = ImagePath::new(path).unwrap();
        for parent in path.ancestors() {
            self.nodes.entry(parent).or_insert((Kind::Directory, Access::root(0o755), Vec::new()));
        }
        self.nodes.insert(path, (kind, Access::root(mode), content.to_vec()));
    }

    fn content(&self, path: &ImagePath, kind: Kind) -> Result<Vec<u8>, Error> {
        match self.nodes.get(path) {
            Some((found, _, content)) if *found == kind => Ok(content.clone()),
            _ => Err(Error::Path { what: "memory", path: path.clone(), reason: "not there".into() }),
        }
    }
}

impl Tree for MemoryTree {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, Error> {
        let entry = |(kind, access, content): &(Kind, Access, Vec<u8>)| Entry {
            kind: *kind,
            access: *access,
            size: content.len() as u64,
            mtime: None,
        };
        Ok(self.nodes.get(path).map(entry))
    }

    fn read(&self, path: &ImagePath) -> Result<Vec<u8>, Error> {
        self.content(path, Kind::File)
    }

    fn read_to(&self, path: &ImagePath, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        sink(&self.read(path)?);
        Ok(())
    }

    fn target(&self, path: &ImagePath) -> Result<Vec<u8>, Error> {
        self.content(path, Kind::Symlink)
    }

    fn names(&self, path: &ImagePath) -> Result<Vec<Vec<u8>>, Error> {
        let inside = self.nodes.keys().filter(|node| node.parent().as_ref() == Some(path));
        Ok(inside.map(|node| node.name().to_vec()).collect())
    }
}
