//! A snapshot of etcd as its own tools and `imgforge cluster backup` write it, a database and then its SHA-256: whether it is whole,
//! and whose it is. In every cluster lies the authority that signs for it, in the clear.

mod bolt;

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
};

use base64ct::{Base64, Encoding};
use imgforge_spec::{Hasher, Sha256};

use crate::version::Version;

/// etcd's hash at the end, in bytes.
const HASH: u64 = 32;
/// A database has a multiple of this, so that what is beyond is the hash.
const SECTOR: u64 = 512;
/// etcd itself takes no more than 8 GiB.
const MOST: u64 = 9 << 30;
/// An object of Kubernetes has 1.5 MiB at most.
const MOST_OBJECT: usize = 2 << 20;

/// The bucket with all that was ever put: a revision is the key.
const BUCKET: &[u8] = b"key";
/// A revision has 17 bytes; one more says that the key is deleted.
const DELETED: usize = 18;

/// kubeadm's note for nodes that join, with the authority.
const CLUSTER_INFO: &str = "/configmaps/kube-public/cluster-info";
/// The authority, which the controller manager gives to each namespace.
const ROOT_CA: &str = "/configmaps/kube-system/kube-root-ca.crt";
/// kubeadm's own settings.
const SETTINGS: &str = "/configmaps/kube-system/kubeadm-config";

/// A snapshot, read and found whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes of the database.
    pub size: u64,
    /// Their SHA-256, as etcd says and as has been found.
    pub sha256: Sha256,
    /// What the cluster is called, where it says so.
    pub cluster: Option<String>,
    /// The release of its control plane, where it says so.
    pub release: Option<Version>,
    /// The texts in which its authority is.
    authorities: Vec<String>,
}

/// Why a file is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is longer than any.
    #[error("it has more than {} GiB", MOST >> 30)]
    Long,
    /// It is a database only.
    #[error("there is no hash at its end: it is a copy of etcd's file, and no snapshot")]
    NoHash,
    /// No database has as many bytes.
    #[error(
        "its length, {0} bytes, is not that of a database with its hash: it is cut off, or something else"
    )]
    Length(u64),
    /// It is not what etcd wrote.
    #[error("its SHA-256 is {found}, and etcd wrote {said} at its end: it was altered, or is cut off")]
    Altered {
        /// Of what is there.
        found: Sha256,
        /// What etcd says.
        said: String,
    },
    /// The database is none, though the hash is right.
    #[error(transparent)]
    Database(#[from] bolt::Error),
    /// It is etcd's, but of something else.
    #[error("no cluster is in it: neither cluster-info nor kube-root-ca.crt")]
    NoCluster,
}

impl Snapshot {
    /// Reads `file` from its beginning to its end, twice. Memory is bounded, whatever is in it.
    pub fn read(file: &mut (impl Read + Seek)) -> Result<Self, Error> {
        let length = file.seek(SeekFrom::End(0))?;
        if length > MOST {
            return Err(Error::Long);
        }
        match length % SECTOR {
            0 if length > 0 => return Err(Error::NoHash),
            HASH if length > HASH => {}
            _ => return Err(Error::Length(length)),
        }
        let size = length - HASH;
        let sha256 = check_hash(file, size)?;
        let objects = objects(file, size)?;
        let authorities: Vec<String> = [CLUSTER_INFO, ROOT_CA]
            .iter()
            .filter_map(|name| objects.get(name))
            .flat_map(|object| authorities(object))
            .collect();
        if authorities.is_empty() {
            return Err(Error::NoCluster);
        }
        let setting = |name| objects.get(SETTINGS).and_then(|object| setting(object, name));
        let release = setting("kubernetesVersion").and_then(|text| text.parse().ok());
        Ok(Self { size, sha256, cluster: setting("clusterName"), release, authorities })
    }

    /// Whether it is of the cluster whose authority has this `certificate`, in PEM.
    pub fn is_of(&self, certificate: &str) -> bool {
        let body: String =
            certificate.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        !body.is_empty() && self.authorities.iter().any(|text| text.contains(&body))
    }
}

fn check_hash(file: &mut (impl Read + Seek), size: u64) -> Result<Sha256, Error> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hasher, mut left, mut piece) = (Hasher::default(), size, vec![0; 1 << 18]);
    while left > 0 {
        let most = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        let part = piece.get_mut(..most).unwrap_or_default();
        file.read_exact(part)?;
        hasher.update(&*part);
        left -= part.len() as u64;
    }
    let mut said = [0; HASH as usize];
    file.read_exact(&mut said)?;
    let found = hasher.finish();
    if *found.as_bytes() == said {
        return Ok(found);
    }
    Err(Error::Altered { found, said: said.iter().map(|byte| format!("{byte:02x}")).collect() })
}

/// The objects that tell whose it is, as they were last.
fn objects(file: &mut (impl Read + Seek), size: u64) -> Result<BTreeMap<&'static str, Vec<u8>>, Error> {
    let mut found = BTreeMap::new();
    bolt::Database::open(file, size)?.visit(BUCKET, &mut |_, revision, entry| {
        let Some((key, value)) = key_and_value(entry) else { return };
        // Whatever the API server's prefix is.
        let Some(name) =
            [CLUSTER_INFO, ROOT_CA, SETTINGS].into_iter().find(|name| key.ends_with(name.as_bytes()))
        else {
            return;
        };
        if revision.len() == DELETED {
            found.remove(name);
        } else if value.len() <= MOST_OBJECT {
            found.insert(name, value.to_vec());
        }
    })?;
    Ok(found)
}

/// Key and value of etcd's KeyValue, a message of protocol buffers: its fields 1 and 5.
/// <https://protobuf.dev/programming-guides/encoding/>
fn key_and_value(mut message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => drop(varint(&mut message)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (field, rest) = message.split_at_checked(length)?;
                message = rest;
                match tag >> 3 {
                    1 => key = field,
                    5 => value = field,
                    _ => {}
                }
            }
            _ => return None,
        }
    }
    Some((key, value))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The texts of `object` in which a certificate may be: itself, and what is once more in base64, as in a kubeconfig. Without what
/// breaks lines, there and in JSON.
fn authorities(object: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(object);
    let encoded = text.split("certificate-authority-data:").skip(1).filter_map(|rest| {
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let rest = rest.trim_start();
        let end = rest.find(|c| !is_base64(c)).unwrap_or(rest.len());
        Base64::decode_vec(rest.get(..end)?).ok()
    });
    let decoded = encoded.map(|bytes| joined(&String::from_utf8_lossy(&bytes)));
    decoded.chain([joined(&text)]).collect()
}

fn joined(text: &str) -> String {
    text.replace("\\n", "").split_whitespace().collect()
}

/// The value of a setting at the beginning of a line of YAML.
fn setting(object: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(object).replace("\\n", "\n");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))?;
    let value = line.trim_matches(['"', '\'', '\\']);
    (!value.is_empty() && value.len() < 256 && !value.contains(char::is_control)).then(|| value.to_owned())
}
