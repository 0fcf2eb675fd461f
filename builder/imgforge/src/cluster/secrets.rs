//! The secrets file on the build machine: made once, for its owner only, never overwritten.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use imgforge_kube::{
    cluster::Cluster,
    pki::{self, Lifetime, Secrets},
};
use rustix::rand::{GetRandomFlags, getrandom};
use tempfile::NamedTempFile;

use super::Error;
use crate::clock;

/// A secrets file has some 5 KiB.
const MOST_BYTES: u64 = 1 << 20;

/// Reads the secrets of `cluster`, whose file is `cluster_path`, from `path`, which must be its owner's alone.
pub fn read(path: &Path, cluster_path: &Path, cluster: &Cluster) -> Result<Secrets, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => {
            Error::NoSecrets { path: path.to_owned(), cluster: cluster_path.to_owned() }
        }
        _ => Error::Io { what: "read", path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    Secrets::from_yaml(&text, cluster).map_err(unusable(path))
}

/// Makes new secrets for `cluster` in the file `path`, which must not be there yet.
pub fn make(path: &Path, cluster: &Cluster) -> Result<(), Error> {
    let exists = || Error::SecretsExist { path: path.to_owned() };
    if fs::symlink_metadata(path).is_ok() {
        return Err(exists());
    }
    let failed = |source| Error::Io { what: "write", path: path.to_owned(), source };
    let text = generate(cluster)?.to_yaml().map_err(unusable(path))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made with mode 0600, and given its name only when it is whole and on disk.
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.reveal().as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
        Err(error) => Err(failed(error.error)),
    }
}

/// The one place with randomness: what it makes is an input of every build from then on.
fn generate(cluster: &Cluster) -> Result<Secrets, Error> {
    let now = clock::now().and_then(|now| i64::try_from(now).ok());
    let now = now.ok_or_else(|| Error::Machine("the clock is before 1970".into()))?;
    let mut refused = None;
    let mut random = |bytes: &mut [u8]| refused = refused.or(fill(bytes).err());
    let secrets = Secrets::generate(cluster, Lifetime::generous(now), &mut random);
    match refused {
        Some(error) => Err(Error::Machine(format!("the system gives no random bytes: {error}"))),
        None => secrets.map_err(|error| Error::Machine(error.to_string())),
    }
}

fn fill(mut bytes: &mut [u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let count = getrandom(&mut *bytes, GetRandomFlags::empty())?;
        bytes = bytes.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}

fn unusable(path: &Path) -> impl Fn(pki::Error) -> Error {
    move |source| Error::Secrets { path: path.to_owned(), source }
}
