//! A node's place in its cluster, as a plan needs it.

use std::{path::PathBuf, sync::Arc};

use imgforge_kube::{
    add_ons::{self, Manifest},
    cluster::Cluster,
    containerd::Runtime,
    member::Member,
    node_files::{NodeFile, Sources, node_files},
    pki::Secrets,
};

use super::{Boards, ClusterFile, Error, secrets};
use crate::{artifact::Artifact, image_path::ImagePath};

/// A node's place in its cluster.
#[derive(Debug, Clone)]
pub struct Membership {
    cluster: Arc<Cluster>,
    cluster_path: PathBuf,
    boards: Arc<Boards>,
    hostname: String,
    secrets_path: PathBuf,
    secrets: Option<Arc<Secrets>>,
}

impl Membership {
    pub(super) fn new(file: &ClusterFile<'_>, hostname: &str) -> Self {
        Self {
            cluster: Arc::clone(&file.cluster),
            cluster_path: file.path.clone(),
            boards: Arc::clone(&file.boards),
            hostname: hostname.to_owned(),
            secrets_path: file.secrets_path.clone(),
            secrets: None,
        }
    }

    /// Reads the cluster's secrets. Until then the node's files are those without any.
    pub fn read_secrets(&mut self) -> Result<(), Error> {
        self.share_secrets(&mut None)
    }

    /// Takes the cluster's secrets from `read`; they are read where that is empty.
    pub fn share_secrets(&mut self, read: &mut Option<Arc<Secrets>>) -> Result<(), Error> {
        let secrets = match read {
            Some(secrets) => Arc::clone(secrets),
            None => Arc::new(secrets::read(&self.secrets_path, &self.cluster_path, &self.cluster)?),
        };
        *read = Some(Arc::clone(&secrets));
        self.secrets = Some(secrets);
        Ok(())
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster.name
    }

    /// The node's name.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The manifests that the node applies, as they are published: [`Membership::files`] has them with the cluster's
    /// settings, at the same paths.
    pub fn manifests(&self) -> Result<Vec<Artifact>, crate::image_path::InvalidPath> {
        let is_first = self.cluster.first_master().is_some_and(|first| first.hostname == self.hostname);
        let pinned = if is_first { add_ons::pinned(&self.cluster) } else { Vec::new() };
        let artifact = |(index, manifest): (usize, &&'static Manifest)| {
            Ok(Artifact {
                url: manifest.url.to_owned(),
                size: None,
                sha256: manifest.sha256.to_owned(),
                path: ImagePath::new(format!("{}/{}", add_ons::FOLDER, add_ons::file_name(index, manifest)))?,
                mode: Some("0644".into()),
                unpack: false,
            })
        };
        pinned.iter().enumerate().map(artifact).collect()
    }

    /// The node's files; `manifest` gives the bytes of a pinned manifest.
    pub fn files(
        &self,
        containerd: Runtime<'_>,
        manifest: &dyn Fn(&Manifest) -> Option<Vec<u8>>,
    ) -> Result<Vec<NodeFile>, Error> {
        let member = Member::new(&self.cluster, &self.hostname, &|board| self.boards.get(board).copied())?;
        let sources = Sources { secrets: self.secrets.as_deref(), containerd, manifest };
        node_files(&member, &sources)
            .map_err(|source| Error::Files { hostname: self.hostname.clone(), source })
    }
}
