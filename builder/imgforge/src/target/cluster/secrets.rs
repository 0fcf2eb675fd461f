//! The secrets file on the build machine: made once, plain for its owner only or encrypted, never overwritten.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use imgforge_kube::{
    cluster::Cluster,
    pki::{
        self, Lifetime, Secrets,
        age::{self, Identity, Recipient},
    },
};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{Error, SecretsPaths};
use crate::host::clock;

/// A secrets file has some 5 KiB, encrypted 7 and 150 bytes a recipient.
const MOST_BYTES: usize = 1 << 20;

/// Where a cluster's secrets are, and what opens them if they are encrypted.
#[derive(Debug, Clone)]
pub(crate) struct SecretsFile {
    path: PathBuf,
    /// Where they will be if they are made for recipients.
    encrypted: PathBuf,
    identity: Option<PathBuf>,
}

impl SecretsFile {
    /// The file that `paths` name; else the one beside the cluster file: `home.secrets.yaml` for `home.yaml`, or where there is only
    /// that, `home.secrets.yaml.age`.
    pub fn new(paths: &SecretsPaths, cluster_path: &Path) -> Self {
        let identity = paths.identity.clone();
        if let Some(path) = &paths.file {
            return Self { path: path.clone(), encrypted: path.clone(), identity };
        }
        let plain = cluster_path.with_extension("secrets.yaml");
        let encrypted = cluster_path.with_extension("secrets.yaml.age");
        let path = if is_there(&encrypted) && !is_there(&plain) { encrypted.clone() } else { plain };
        Self { path, encrypted, identity }
    }

    /// Reads the secrets of `cluster`, whose file is `cluster_path`. Only if they are encrypted may others read the file.
    pub fn read(&self, cluster_path: &Path, cluster: &Cluster) -> Result<Secrets, Error> {
        let path = &self.path;
        let missing = || Error::NoSecrets { path: path.clone(), cluster: cluster_path.to_owned() };
        let (mut content, mode) = read(path, missing)?;
        if age::is_encrypted(&content) {
            content = self.decrypt(&content)?;
        } else if mode & 0o077 != 0 {
            return Err(Error::Exposed { path: path.clone(), mode });
        }
        let text = str::from_utf8(&content).map_err(|_| pki::Error::NotSecrets { line: None });
        text.and_then(|text| Secrets::from_yaml(text, cluster)).map_err(unusable(path))
    }

    fn decrypt(&self, content: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let path = || self.path.clone();
        let key = self.identity.as_ref().ok_or_else(|| Error::Encrypted { path: path() })?;
        let (text, mode) = read(key, || Error::NoIdentity { path: key.clone() })?;
        if mode & 0o077 != 0 {
            return Err(Error::ExposedIdentity { path: key.clone(), mode });
        }
        let failed = |source| Error::Identity { path: key.clone(), source };
        let identities = Identity::parse_all(&String::from_utf8_lossy(&text)).map_err(failed)?;
        age::decrypt(content, &identities).map_err(|source| match source {
            age::Error::NoMatch => Error::OtherIdentity { path: path(), identity: key.clone() },
            source => Error::Undecryptable { path: path(), source },
        })
    }

    /// Makes new secrets for `cluster`, encrypted if there are `recipients`, in a file that must not be there yet;
    /// returns where.
    pub fn make(&self, cluster: &Cluster, recipients: &[Recipient]) -> Result<&Path, Error> {
        if is_there(&self.path) {
            return Err(Error::SecretsExist { path: self.path.clone() });
        }
        let text = generate(cluster)?.to_yaml().map_err(unusable(&self.path))?;
        if recipients.is_empty() {
            write(&self.path, text.reveal()).map(|()| self.path.as_path())
        } else {
            let file = encrypt(text.reveal(), recipients)?;
            write(&self.encrypted, &file).map(|()| self.encrypted.as_path())
        }
    }
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The content of a small file, and its permission bits.
fn read(path: &Path, missing: impl Fn() -> Error) -> Result<(Zeroizing<Vec<u8>>, u32), Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => missing(),
        _ => Error::Io { what: "read", path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    // As large as it may ever be: a buffer that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() > MOST_BYTES {
        return Err(Error::TooLong { path: path.to_owned(), most: MOST_BYTES });
    }
    Ok((content, mode))
}

/// Gives a new file its name when it is whole and on disk. Its mode is 0600.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Io { what: "write", path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::SecretsExist { path: path.to_owned() })
        }
        Err(error) => Err(failed(error.error)),
    }
}

/// The recipients among `words`, and those in `file`.
pub fn recipients(words: &[String], file: Option<&Path>) -> Result<Vec<Recipient>, Error> {
    let given = words.iter().map(|word| Recipient::parse(word).map_err(Error::Recipient));
    let mut recipients = given.collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = file {
        let (text, _) = read(path, || Error::NoRecipients { path: path.to_owned() })?;
        let failed = |source| Error::Recipients { path: path.to_owned(), source };
        recipients.extend(Recipient::parse_all(&String::from_utf8_lossy(&text)).map_err(failed)?);
    }
    Ok(recipients)
}

fn encrypt(text: &str, recipients: &[Recipient]) -> Result<String, Error> {
    let mut random = SystemRandom::default();
    let file = age::encrypt(text.as_bytes(), recipients, &mut |bytes| random.fill(bytes));
    random.check()?;
    file.map_err(Error::Recipient)
}

/// What it makes is an input of every build from then on.
fn generate(cluster: &Cluster) -> Result<Secrets, Error> {
    let now = clock::now().and_then(|now| i64::try_from(now).ok());
    let now = now.ok_or_else(|| Error::Machine("the clock is before 1970".into()))?;
    let mut random = SystemRandom::default();
    let secrets = Secrets::generate(cluster, Lifetime::generous(now), &mut |bytes| random.fill(bytes));
    random.check()?;
    secrets.map_err(|error| Error::Machine(error.to_string()))
}

/// The one place with randomness.
#[derive(Default)]
struct SystemRandom {
    refused: Option<getrandom::Error>,
}

impl SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        if self.refused.is_none() {
            self.refused = getrandom::fill(bytes).err();
        }
    }

    /// What was made of it is good only if the system never refused.
    fn check(&self) -> Result<(), Error> {
        let refused = |error| Err(Error::Machine(format!("the system gives no random bytes: {error}")));
        self.refused.map_or(Ok(()), refused)
    }
}

fn unusable(path: &Path) -> impl Fn(pki::Error) -> Error {
    move |source| Error::Secrets { path: path.to_owned(), source }
}
