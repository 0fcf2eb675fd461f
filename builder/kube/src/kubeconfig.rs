//! kubeconfig files: where a cluster is, and who one is there.
//!
//! <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>

mod merge;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

use crate::{
    cluster::Cluster,
    pki::{self, CertifiedKey, Secret, Secrets},
    yaml,
};

pub use merge::{Error as MergeError, merge};

/// A kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kubeconfig {
    /// Version of the format: `v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `Config`.
    pub kind: String,
    /// Clusters, by name.
    pub clusters: Vec<NamedCluster>,
    /// Users, by name.
    pub users: Vec<NamedUser>,
    /// Pairs of the two, by name.
    pub contexts: Vec<NamedContext>,
    /// The pair that is used.
    pub current_context: String,
}

/// A cluster with its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCluster {
    /// The name.
    pub name: String,
    /// The cluster.
    pub cluster: Target,
}

/// Where a cluster is and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Target {
    /// The authority's certificate: PEM in base64.
    pub certificate_authority_data: String,
    /// `https://host:port`.
    pub server: String,
}

/// A user with a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NamedUser {
    /// The name.
    pub name: String,
    /// The user.
    pub user: User,
}

/// What a user is known by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// The certificate: PEM in base64.
    pub client_certificate_data: String,
    /// The private key: PEM in base64.
    pub client_key_data: Secret,
}

/// A context with its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NamedContext {
    /// The name.
    pub name: String,
    /// The context.
    pub context: Context,
}

/// A user at a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the user.
    pub user: String,
}

impl Kubeconfig {
    /// The kubeconfig of `user` at `cluster`, whose API server is at `authority` (`host:port`) and is known by
    /// `ca_certificate` (PEM).
    pub fn new(
        cluster: &str,
        authority: &str,
        ca_certificate: &str,
        user: &str,
        identity: &CertifiedKey,
    ) -> Self {
        let context = format!("{user}@{cluster}");
        Self {
            api_version: "v1".into(),
            kind: "Config".into(),
            clusters: vec![NamedCluster {
                name: cluster.into(),
                cluster: Target {
                    certificate_authority_data: base64(ca_certificate),
                    server: format!("https://{authority}"),
                },
            }],
            users: vec![NamedUser {
                name: user.into(),
                user: User {
                    client_certificate_data: base64(&identity.certificate),
                    client_key_data: Secret::new(base64(identity.key.reveal())),
                },
            }],
            contexts: vec![NamedContext {
                name: context.clone(),
                context: Context { cluster: cluster.into(), user: user.into() },
            }],
            current_context: context,
        }
    }

    /// The administrator's kubeconfig for the workstation: `kubectl` works with it and without ever logging in to a
    /// node. Nothing where the cluster has no master.
    pub fn admin(cluster: &Cluster, secrets: &Secrets) -> Result<Option<Self>, pki::Error> {
        let Some(endpoint) = cluster.control_plane_endpoint() else { return Ok(None) };
        Ok(Some(Self::new(
            &cluster.name,
            &endpoint.authority(),
            &secrets.ca.certificate,
            "kubernetes-admin",
            &secrets.admin_of(cluster)?,
        )))
    }

    /// The same with names that say which cluster they are of, to stand among others: the context is called as the cluster,
    /// and so is the user, who in other files may be called as in this.
    pub fn named_by_cluster(mut self) -> Self {
        let Some(cluster) = self.clusters.first().map(|cluster| cluster.name.clone()) else { return self };
        let named = |user: &str| format!("{user}-{cluster}");
        self.users.iter_mut().for_each(|user| user.name = named(&user.name));
        for context in &mut self.contexts {
            context.context.user = named(&context.context.user);
            context.name.clone_from(&cluster);
        }
        self.current_context = cluster;
        self
    }

    /// The file's text: a secret, because of the user's key.
    pub fn to_yaml(&self) -> Result<Secret, serde_yaml::Error> {
        yaml::to_string(self).map(Secret::new)
    }
}

fn base64(pem: &str) -> String {
    Base64::encode_string(pem.as_bytes())
}
