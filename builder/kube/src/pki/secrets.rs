//! The secrets file of a cluster.

use serde::{Deserialize, Serialize};

use super::{CertifiedKey, Error, Lifetime, Random, Secret, key::PrivateKey};
use crate::cluster::Cluster;

/// Names of the authorities, as kubeadm has them: <https://kubernetes.io/docs/setup/best-practices/certificates/>.
const CLUSTER_CA: &str = "kubernetes";
const FRONT_PROXY_CA: &str = "front-proxy-ca";
const ETCD_CA: &str = "etcd-ca";

/// The administrator's name, as kubeadm has it.
const ADMIN: &str = "kubernetes-admin";

/// The group that may do everything, whatever the cluster's rules say.
const MASTERS: &str = "system:masters";

/// All secrets of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Secrets {
    /// Name of the cluster they belong to.
    pub cluster: String,
    /// Lets nodes join: `[a-z0-9]{6}.[a-z0-9]{16}`.
    pub bootstrap_token: Secret,
    /// Was made for masters that people add by hand, and used by nothing; old files have it.
    #[serde(default, skip_serializing)]
    certificate_key: Option<Secret>,
    /// Signs the certificates of API server and kubelets.
    pub ca: CertifiedKey,
    /// Signs those who extend the API.
    pub front_proxy_ca: CertifiedKey,
    /// Signs etcd's members and clients.
    pub etcd_ca: CertifiedKey,
    /// Signs the tokens of service accounts.
    pub service_account: ServiceAccount,
    /// The administrator, for `kubectl` on the workstation.
    pub admin: CertifiedKey,
    /// kube-vip on the masters. It has to work before the cluster has any rules, so its group needs none; who has a
    /// master's card has the authority's key anyway.
    pub kube_vip: CertifiedKey,
}

/// The key that signs tokens of service accounts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServiceAccount {
    /// The private key, in PEM.
    pub key: Secret,
    /// The public key, in PEM.
    pub public: String,
}

impl Secrets {
    /// New secrets for `cluster`. The same random bytes give the same secrets.
    pub fn generate(cluster: &Cluster, lifetime: Lifetime, random: &mut Random<'_>) -> Result<Self, Error> {
        let mut authority = |name| CertifiedKey::authority(name, lifetime, random);
        let (ca, front_proxy_ca, etcd_ca) =
            (authority(CLUSTER_CA)?, authority(FRONT_PROXY_CA)?, authority(ETCD_CA)?);
        let mut client = |name, group| {
            let issuer = (CLUSTER_CA, PrivateKey::from_pem("ca", &ca.key)?);
            CertifiedKey::client((name, group), issuer, lifetime, PrivateKey::generate(random)?)
        };
        Ok(Self {
            cluster: cluster.name.clone(),
            admin: client(ADMIN, cluster.engine.admin_group(cluster.kubernetes))?,
            kube_vip: client("kube-vip", MASTERS)?,
            ca,
            front_proxy_ca,
            etcd_ca,
            service_account: ServiceAccount::generate(random)?,
            bootstrap_token: bootstrap_token(random)?,
            certificate_key: None,
        })
    }

    /// Reads a secrets file and checks that it is whole and that of `cluster`.
    pub fn from_yaml(text: &str, cluster: &Cluster) -> Result<Self, Error> {
        let secrets: Self = serde_yaml::from_str(text)
            .map_err(|error| Error::NotSecrets { line: error.location().map(|place| place.line()) })?;
        if secrets.cluster != cluster.name {
            return Err(Error::OtherCluster { wanted: cluster.name.clone(), found: secrets.cluster });
        }
        secrets.check().map(|()| secrets)
    }

    /// The secrets file. To be kept where only its owner can read it.
    pub fn to_yaml(&self) -> Result<Secret, Error> {
        let body = serde_yaml::to_string(self)
            .map_err(|error| Error::Encode { name: self.cluster.clone(), reason: error.to_string() })?;
        Ok(Secret::new(format!(
            "# The secrets of the cluster {}. Who has them owns it; without them no node can be added. Keep a copy.\n{body}",
            self.cluster
        )))
    }

    /// The administrator of `cluster`. Which group may do everything is its engine's and its release's matter, and both may
    /// change after its secrets were made: then the key gets another certificate, the same each time.
    pub fn admin_of(&self, cluster: &Cluster) -> Result<CertifiedKey, Error> {
        let group = cluster.engine.admin_group(cluster.kubernetes);
        if self.admin.is_of(group) {
            return Ok(self.admin.clone());
        }
        let issuer = (CLUSTER_CA, PrivateKey::from_pem("ca", &self.ca.key)?);
        let key = PrivateKey::from_pem("admin", &self.admin.key)?;
        CertifiedKey::client((ADMIN, group), issuer, Lifetime::UNLIMITED, key)
    }

    /// A client of etcd's members, who let in whom their authority vouches for, and with kubeadm's settings let do everything.
    /// The key is the administrator's, so it is the same each time.
    pub fn etcd_client(&self) -> Result<CertifiedKey, Error> {
        let issuer = (ETCD_CA, PrivateKey::from_pem("etcd-ca", &self.etcd_ca.key)?);
        let key = PrivateKey::from_pem("admin", &self.admin.key)?;
        CertifiedKey::client((ADMIN, MASTERS), issuer, Lifetime::UNLIMITED, key)
    }

    /// What `kubeadm join` knows the cluster's authority by: `sha256:` and the hash of its public key.
    pub fn ca_pin(&self) -> Result<String, Error> {
        PrivateKey::from_pem("ca", &self.ca.key).map(|key| key.pin())
    }

    fn check(&self) -> Result<(), Error> {
        let damaged = |part, problem| Err(Error::Damaged { part, problem });
        if !is_bootstrap_token(self.bootstrap_token.reveal()) {
            return damaged("bootstrap-token", "a token is 6 and 16 of a-z and 0-9 with a dot between them");
        }
        let pairs = [
            ("ca", &self.ca),
            ("front-proxy-ca", &self.front_proxy_ca),
            ("etcd-ca", &self.etcd_ca),
            ("admin", &self.admin),
            ("kube-vip", &self.kube_vip),
        ];
        pairs.into_iter().try_for_each(|(part, pair)| pair.check(part))?;
        let account = &self.service_account;
        if PrivateKey::from_pem("service-account", &account.key)?.public_pem()? != account.public {
            return damaged("service-account", "the two keys do not belong together");
        }
        Ok(())
    }
}

impl ServiceAccount {
    fn generate(random: &mut Random<'_>) -> Result<Self, Error> {
        let key = PrivateKey::generate(random)?;
        Ok(Self { key: key.to_pem()?, public: key.public_pem()? })
    }
}

/// 6 public and 16 secret characters: <https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/>.
fn bootstrap_token(random: &mut Random<'_>) -> Result<Secret, Error> {
    let id = characters(6, random)?;
    let secret = characters(16, random)?;
    Ok(Secret::new(format!("{id}.{secret}")))
}

/// `count` of a-z and 0-9, each as likely as any other: bytes beyond the last multiple of 36 are thrown away.
fn characters(count: usize, random: &mut Random<'_>) -> Result<String, Error> {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    const ATTEMPTS: usize = 8;
    let mut text = String::with_capacity(count);
    for _ in 0..ATTEMPTS {
        let mut bytes = [0; 32];
        random(&mut bytes);
        let usable = bytes.iter().filter(|byte| **byte < 252);
        text.extend(usable.filter_map(|byte| ALPHABET.get(usize::from(*byte) % 36)).map(|c| char::from(*c)));
        if text.len() >= count {
            text.truncate(count);
            return Ok(text);
        }
    }
    Err(Error::Random)
}

fn is_bootstrap_token(text: &str) -> bool {
    let is_of = |text: &str, length| {
        text.len() == length && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.split_once('.').is_some_and(|(id, secret)| is_of(id, 6) && is_of(secret, 16))
}
