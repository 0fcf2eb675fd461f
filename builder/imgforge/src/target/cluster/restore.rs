//! A snapshot of etcd from which the first master starts: whether it is whole, and this cluster's.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use imgforge_disk::FileContent;
use imgforge_ext4::Content;
use imgforge_kube::{
    snapshot::{self, Snapshot},
    version::Version,
};

use super::{ClusterFile, Error};
use crate::target::Target;

impl ClusterFile<'_> {
    /// Has the first master among `targets` start from the snapshot in the file `path`; returns what there is to say of it.
    pub(crate) fn restore(&self, path: &Path, targets: &mut [Target]) -> Result<String, Error> {
        if !self.cluster.engine.has_etcd(&self.cluster) {
            return Err(Error::NoRestore { cluster: self.cluster.name.clone() });
        }
        let master =
            self.cluster.first_master().ok_or_else(|| Error::NoMaster { path: self.path.clone() })?;
        let memberships = targets.iter_mut().filter_map(|target| target.membership.as_mut());
        let first = memberships.into_iter().find(|member| member.hostname().as_str() == master.hostname);
        let hostname = master.hostname.clone();
        let first = first.ok_or_else(|| Error::NotFirstMaster { hostname: hostname.clone() })?;
        let content = open(path)?;
        let snapshot = Snapshot::read(&mut Reader { content: &content, at: 0 });
        let snapshot = snapshot.map_err(|source| match source {
            snapshot::Error::Io(source) => unreadable(path, source),
            source => Error::Snapshot { path: path.to_owned(), source },
        })?;
        if !snapshot.is_of(&self.secrets()?.ca.certificate) {
            let (cluster, wanted) = (snapshot.cluster, self.cluster.name.clone());
            return Err(Error::OtherSnapshot { path: path.to_owned(), cluster, wanted });
        }
        let wanted = self.cluster.version_of(master);
        if let Some(found) = snapshot.release.filter(|found| !goes_on_with(*found, wanted)) {
            return Err(Error::SnapshotRelease { path: path.to_owned(), found, hostname, wanted });
        }
        let content: Arc<dyn Content> = Arc::new(content);
        first.start_from(content.into());
        let release = snapshot.release.map(|release| format!(" of Kubernetes {release}")).unwrap_or_default();
        let (size, sha256) = (snapshot.size >> 10, snapshot.sha256);
        Ok(format!(
            "{hostname} starts from a snapshot{release}: {size} KiB, sha256 {sha256}, as etcd wrote it"
        ))
    }
}

/// Whether Kubernetes goes on with the data of another release: of the same minor number, or of the one before.
fn goes_on_with(data: Version, card: Version) -> bool {
    (data.minor..=data.minor.saturating_add(1)).contains(&card.minor)
}

fn open(path: &Path) -> Result<FileContent, Error> {
    let metadata = path.metadata().map_err(|source| unreadable(path, source))?;
    if !metadata.is_file() {
        return Err(unreadable(path, io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    FileContent::open(path).map_err(|error| unreadable(path, io::Error::other(error)))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::NoSnapshot { path: path.to_owned() },
        _ => Error::Io { what: "read", path: path.to_owned(), source },
    }
}

/// Content, read from a place on.
struct Reader<'a> {
    content: &'a FileContent,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.content.len().saturating_sub(self.at);
        let length = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.content.read_at(self.at, bytes.get_mut(..length).unwrap_or_default())?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.content.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
