//! A node's place in its cluster, as a plan needs it.

use std::{path::PathBuf, sync::Arc};

use imgforge_kube::{
    add_ons::{self, AddOn, Manifest, Manifests},
    cluster::{Cluster, NetworkPlugin, Role, Runtime},
    containerd, images,
    member::Member,
    node_files::{NodeFile, Sources, node_files},
    pki::Secrets,
};
use imgforge_spec::{Hostname, ImagePath, InvalidPath};

use super::{Boards, ClusterFile, Error, own::Own, secrets::SecretsFile};
use crate::{
    catalogue::{
        artifact::{Artifact, Images},
        kubernetes::Bundle,
    },
    image::change::Bytes,
};

/// A node's place in its cluster.
#[derive(Debug, Clone)]
pub struct Membership {
    cluster: Arc<Cluster>,
    cluster_path: PathBuf,
    boards: Arc<Boards>,
    manifests: Arc<Manifests>,
    own: Arc<Own>,
    hostname: Hostname,
    runtime: (Runtime, Arc<Bundle>),
    secrets_file: SecretsFile,
    secrets: Option<Arc<Secrets>>,
    snapshot: Option<Bytes>,
}

impl Membership {
    /// The place of the node `hostname`, whose containers a runtime runs that `bundle` brings.
    pub(super) fn new(
        file: &ClusterFile<'_>,
        hostname: Hostname,
        (runtime, bundle): (Runtime, Bundle),
    ) -> Self {
        Self {
            cluster: Arc::clone(&file.cluster),
            cluster_path: file.path.clone(),
            boards: Arc::clone(&file.boards),
            manifests: Arc::clone(&file.manifests),
            own: Arc::clone(&file.own),
            hostname,
            runtime: (runtime, Arc::new(bundle)),
            secrets_file: file.secrets.clone(),
            secrets: None,
            snapshot: None,
        }
    }

    /// Reads the cluster's secrets. Until then the node's files are those without any.
    pub fn read_secrets(&mut self) -> Result<(), Error> {
        self.share_secrets(&mut None)
    }

    /// Takes the cluster's secrets from `read`; they are read where that is empty.
    pub(crate) fn share_secrets(&mut self, read: &mut Option<Arc<Secrets>>) -> Result<(), Error> {
        let secrets = match read {
            Some(secrets) => Arc::clone(secrets),
            None => Arc::new(self.secrets_file.read(&self.cluster_path, &self.cluster)?),
        };
        *read = Some(Arc::clone(&secrets));
        self.secrets = Some(secrets);
        Ok(())
    }

    /// Has the node start from a snapshot of etcd.
    pub(super) fn start_from(&mut self, snapshot: Bytes) {
        self.snapshot = Some(snapshot);
    }

    /// The snapshot of etcd from which it starts, if it does.
    pub(crate) fn snapshot(&self) -> Option<&Bytes> {
        self.snapshot.as_ref()
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster.name
    }

    /// What the cluster's pods reach each other by.
    pub fn network(&self) -> NetworkPlugin {
        self.cluster.add_ons.network
    }

    /// The node's name.
    pub fn hostname(&self) -> &Hostname {
        &self.hostname
    }

    /// What runs the node's containers.
    pub fn runtime(&self) -> Runtime {
        self.runtime.0
    }

    /// What the node adds to its release: another runtime, archives of container images.
    pub(crate) fn bundle(&self) -> &Bundle {
        &self.runtime.1
    }

    /// The manifests that the node applies, as they are published: [`Membership::files`] has them with the cluster's
    /// settings, at the same paths.
    pub(crate) fn manifests(&self) -> Result<Vec<Artifact>, InvalidPath> {
        if self.is_first_master() { self.pinned() } else { Ok(Vec::new()) }
    }

    fn is_first_master(&self) -> bool {
        self.cluster.first_master().is_some_and(|first| first.hostname == self.hostname.as_str())
    }

    /// The container images that the node carries. Pods of add-ons may run anywhere.
    pub fn images(&self) -> Result<Images, Error> {
        let member = self.member()?;
        if !self.cluster.carry_images || member.node.role == Role::Base {
            return Ok(Images::default());
        }
        let manifests = self.pinned().map_err(|error| Error::Machine(error.to_string()))?;
        let mut references = images::images(&member).references;
        references.extend(self.own.images.iter().cloned());
        references.sort();
        references.dedup();
        Ok(Images { references, manifests })
    }

    fn pinned(&self) -> Result<Vec<Artifact>, InvalidPath> {
        pinned(&self.cluster, &self.manifests)
    }

    fn member(&self) -> Result<Member<'_>, Error> {
        Ok(Member::new(&self.cluster, self.hostname.as_str(), &|board| self.boards.get(board).copied())?)
    }

    /// The node's files; `manifest` gives the bytes of a pinned manifest.
    pub fn files(
        &self,
        containerd: containerd::Runtime<'_>,
        manifest: &dyn Fn(&Manifest) -> Option<Vec<u8>>,
    ) -> Result<Vec<NodeFile>, Error> {
        let member = self.member()?;
        let sources =
            Sources { secrets: self.secrets.as_deref(), containerd, manifests: &self.manifests, manifest };
        let mut files = node_files(&member, &sources)
            .map_err(|source| Error::Files { hostname: self.hostname.to_string(), source })?;
        if self.is_first_master() {
            // There may be Secrets in them.
            let secret = |manifest: &AddOn| NodeFile {
                path: format!("{}/{}", add_ons::FOLDER, manifest.name),
                mode: 0o600,
                content: manifest.content.clone(),
                secret: true,
            };
            files.extend(self.own.manifests.iter().map(secret));
            files.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(files)
    }
}

/// The manifests of the add-ons of `cluster`, as they are published, each with its place on the first master.
pub(super) fn pinned(cluster: &Cluster, manifests: &Manifests) -> Result<Vec<Artifact>, InvalidPath> {
    // One that is not known was told by the check of the cluster file.
    let known = add_ons::needed(cluster)
        .into_iter()
        .enumerate()
        .filter_map(|(index, name)| Some((index, manifests.get(name)?)));
    let artifact = |(index, manifest): (usize, &Manifest)| {
        let file = add_ons::file_name(index, &manifest.name);
        Ok(Artifact {
            url: manifest.url.clone(),
            size: None,
            sha256: manifest.sha256,
            path: ImagePath::new(format!("{}/{file}", add_ons::FOLDER))?,
            mode: Some("0644".into()),
            unpack: false,
        })
    };
    known.map(artifact).collect()
}
