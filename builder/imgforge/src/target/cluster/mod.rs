//! The cluster file on the build machine: its boards are found, its nodes become targets, its secrets lie beside it.
//!
//! `imgforge-kube` knows what a cluster is; here is what ties it to profiles, files and images.

mod at_hand;
mod error;
mod membership;
mod node;
mod own;
mod releases;
mod restore;
mod secrets;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_kube::{
    add_ons::{self, AddOn, Manifest, Manifests},
    check::{self, Finding},
    cluster::Cluster,
    pki::{Secrets, age::Recipient},
};
use imgforge_spec::{BoardFacts, BoardName};

pub use self::{at_hand::at_hand, error::Error, membership::Membership, secrets::recipients};
use self::{own::Own, secrets::SecretsFile};
use super::{Located, SecretsPaths, Target};
use crate::{
    catalogue::{self, Catalogue, artifact::Artifact, limits},
    yaml::{self, Place},
};

/// A cluster file, read, with the boards there are.
#[derive(Debug)]
pub struct ClusterFile<'a> {
    path: PathBuf,
    text: String,
    secrets: SecretsFile,
    cluster: Arc<Cluster>,
    boards: Arc<Boards>,
    manifests: Arc<Manifests>,
    own: Arc<Own>,
    /// What is wrong with what the user brings along.
    flaws: Vec<Finding>,
    catalogue: &'a Catalogue,
}

/// What the rules need to know of the boards, by every name.
type Boards = BTreeMap<String, BoardFacts>;

impl<'a> ClusterFile<'a> {
    /// Reads the cluster file `path`. Its secrets are where `secrets` says, or beside it: `home.secrets.yaml` for
    /// `home.yaml`, or `home.secrets.yaml.age`.
    pub fn read(path: &Path, secrets: &SecretsPaths, catalogue: &'a Catalogue) -> Result<Self, Error> {
        let text = yaml::text(path)?;
        let mut cluster: Cluster = yaml::parse(path, &text)?;
        let unread = node::read_beside(&mut cluster, path);
        let cluster = Arc::new(cluster);
        let secrets = SecretsFile::new(secrets, path);
        let boards = catalogue
            .profiles()
            .flat_map(|profile| profile.names().map(|name| (name.to_owned(), limits::facts(profile))));
        let boards = Arc::new(boards.collect());
        let manifests = Arc::new(catalogue.add_ons()?);
        let (own, mut flaws) = Own::read(&cluster, path.parent().unwrap_or(Path::new("")));
        flaws.extend(unread);
        let own = Arc::new(own);
        Ok(Self { path: path.to_owned(), text, secrets, cluster, boards, manifests, own, flaws, catalogue })
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Everything there is to say about the file, with where it stands there.
    pub fn findings(&self) -> Vec<Located> {
        // Each look goes through the file; a setting may have many findings.
        let mut places: BTreeMap<String, Place> = BTreeMap::new();
        let locate = |finding: Finding| {
            let look = || Place::of(&finding.path, &self.path, &self.text);
            let place = places.entry(finding.path.clone()).or_insert_with(look).clone();
            Located { place: Some(place), finding }
        };
        self.check().into_iter().map(locate).collect()
    }

    fn check(&self) -> Vec<Finding> {
        let mut findings =
            check::check(&self.cluster, &|board| self.boards.get(board).copied(), &self.manifests);
        for (index, node) in self.cluster.nodes.iter().enumerate() {
            let path = format!("nodes[{index}].board");
            let Err(catalogue::Error::UnknownBoard { suggestion: Some(nearest), .. }) =
                self.catalogue.find(&node.board)
            else {
                continue;
            };
            for finding in findings.iter_mut().filter(|finding| finding.path == path) {
                finding.suggestion = Some(format!("did you mean `{nearest}`?"));
            }
        }
        findings.extend(node::findings(&self.cluster));
        findings.extend(releases::findings(&self.cluster, self.catalogue));
        findings.extend(self.flaws.iter().cloned());
        findings
    }

    /// What should be known of the file, if nothing of it is an error.
    pub fn notices(&self) -> Result<Vec<Located>, Error> {
        let (errors, notices): (Vec<_>, Vec<_>) = self.findings().into_iter().partition(Located::is_error);
        if errors.is_empty() { Ok(notices) } else { Err(Error::Unfit { path: self.path.clone(), errors }) }
    }

    /// The targets for the nodes with these `names`, or for all, in the file's order.
    pub fn targets(&self, names: &[String]) -> Result<Vec<Target>, super::Error> {
        names.iter().try_for_each(|name| self.require(name))?;
        let wanted = |hostname: &String| names.is_empty() || names.contains(hostname);
        self.cluster
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| wanted(&node.hostname))
            .map(|(index, node)| self.target(index, node))
            .collect()
    }

    /// That there is a node called `hostname`.
    pub fn require(&self, hostname: &str) -> Result<(), Error> {
        if self.cluster.node(hostname).is_some() {
            return Ok(());
        }
        let hostnames: Vec<&str> = self.cluster.nodes.iter().map(|node| node.hostname.as_str()).collect();
        let suggestion = yaml::nearest(hostname, hostnames);
        let hostnames = self.cluster.nodes.iter().map(|node| node.hostname.clone()).collect();
        Err(Error::UnknownNode { path: self.path.clone(), name: hostname.into(), suggestion, hostnames })
    }

    /// The cluster's secrets.
    pub fn secrets(&self) -> Result<Secrets, Error> {
        self.secrets.read(&self.path, &self.cluster)
    }

    /// Makes new secrets and puts them into a file, which must not be there yet, encrypted if there are `recipients`;
    /// returns where.
    pub fn make_secrets(&self, recipients: &[Recipient]) -> Result<&Path, Error> {
        self.secrets.make(&self.cluster, recipients)
    }

    /// The manifests of the cluster's add-ons, with the file's settings, and then the user's own; `fetch` gives the bytes of what is published.
    pub(crate) fn add_ons<E: From<Error>>(
        &self,
        fetch: &dyn Fn(&Artifact) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<AddOn>, E> {
        let pinned = membership::pinned(&self.cluster, &self.manifests)
            .map_err(|error| Error::Machine(error.to_string()))?;
        let fetched = pinned.iter().map(|artifact| Ok((artifact.url.as_str(), fetch(artifact)?)));
        let fetched = fetched.collect::<Result<BTreeMap<_, _>, E>>()?;
        let bytes = |manifest: &Manifest| fetched.get(manifest.url.as_str()).cloned();
        let mut add_ons = add_ons::add_ons(&self.cluster, &self.manifests, &bytes).map_err(Error::AddOns)?;
        add_ons.extend(self.own.manifests.iter().cloned());
        Ok(add_ons)
    }

    /// The lock for the nodes on `board`: one a board, because packages are chosen for what its base holds.
    fn lock_path(&self, board: &BoardName) -> PathBuf {
        self.path.with_extension(format!("{board}.lock.yaml"))
    }
}
