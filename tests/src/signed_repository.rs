//! A signed package repository of the tests' own, on the loopback interface. Everything in it can be made wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Deb, Gnupg, Tool, VendorServer, sha256};

/// Who signs it.
const SIGNER: &str = "repository";

/// When it was published, as a field of its `Release` file.
const DATE: &str = "Date: Wed, 01 Jan 2025 00:00:00 UTC\n";

/// A flat repository: packages, their index, and the signed release lie in one folder.
/// <https://wiki.debian.org/DebianRepository/Format#Flat_Repository_Format>
#[derive(Debug)]
pub struct SignedRepository {
    server: VendorServer,
    gnupg: Gnupg,
    fingerprint: String,
    folder: TempDir,
    /// The index: what it says of each package, by the package's file.
    index: BTreeMap<String, String>,
    /// More fields of the release.
    pub release_fields: String,
}

impl SignedRepository {
    /// One without packages, published and signed.
    pub fn new() -> Self {
        Self::signed_by(Gnupg::new(), "never")
    }

    /// The same, signed with a key that lives as long as `life` says, in GnuPG's form.
    pub fn signed_by(gnupg: Gnupg, life: &str) -> Self {
        let fingerprint = gnupg.key(SIGNER, life);
        let mut repository = Self {
            server: VendorServer::start(),
            gnupg,
            fingerprint,
            folder: tempfile::tempdir().expect("a temporary directory"),
            index: BTreeMap::new(),
            release_fields: String::new(),
        };
        repository.put("key.asc", repository.gnupg.public_key(SIGNER).as_bytes());
        repository.publish();
        repository
    }

    /// Where `file` of it is.
    pub fn url(&self, file: &str) -> String {
        self.server.url(&format!("/repository/{file}"))
    }

    /// The server: what it was asked, and how it misbehaves.
    pub fn server(&self) -> &VendorServer {
        &self.server
    }

    /// The fingerprint of its key.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Its keys and those of strangers.
    pub fn gnupg(&self) -> &Gnupg {
        &self.gnupg
    }

    /// Serves these bytes as `file`, whatever index and release say.
    pub fn put(&self, file: &str, bytes: &[u8]) {
        fs::write(self.path(file), bytes).expect("a file of the repository");
        self.serve(file);
    }

    fn serve(&self, file: &str) {
        self.server.add(&format!("/repository/{file}"), &self.path(file));
    }

    /// Where `file` of it lies on this machine.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The bytes of `file` as they are served.
    pub fn get(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).expect("a file of the repository")
    }

    /// Serves `file` no longer.
    pub fn remove(&self, file: &str) {
        self.server.remove(&format!("/repository/{file}"));
    }

    /// Adds a package and publishes.
    pub fn add(&mut self, deb: &Deb) {
        self.add_as(deb, &deb.built());
    }

    /// Adds `bytes` as what the package is, and publishes. Index and release vouch for them.
    pub fn add_as(&mut self, deb: &Deb, bytes: &[u8]) {
        self.put(&deb.file_name(), bytes);
        self.list(deb.file_name(), &deb.control());
    }

    /// Adds a package that lies in a file, and publishes.
    pub fn add_file(&mut self, path: &Path) {
        let control = Tool::DPKG_DEB.approves(["--field", &path.to_string_lossy()]);
        let name = path.file_name().expect("it is a file").to_string_lossy().into_owned();
        fs::copy(path, self.folder.path().join(&name)).expect("a file of the repository");
        self.serve(&name);
        self.list(name, &control);
    }

    /// Puts the package in `file` into the index, and publishes.
    fn list(&mut self, file: String, control: &str) {
        let (size, sha256) = self.sum(&file);
        let entry = format!("{control}Filename: ./{file}\nSize: {size}\nSHA256: {sha256}\n\n");
        self.index.insert(file, entry);
        self.publish();
    }

    /// Writes index and release anew, and signs.
    pub fn publish(&mut self) {
        self.put("Packages", self.index.values().cloned().collect::<String>().as_bytes());
        self.release();
    }

    /// Vouches for the index as it is served.
    pub fn release(&self) {
        let (size, sha256) = self.sum("Packages");
        let fields = &self.release_fields;
        self.put("Release", format!("{DATE}{fields}SHA256:\n {sha256} {size} Packages\n").as_bytes());
        self.sign(SIGNER);
    }

    /// Signs the release as another of its GnuPG's users.
    pub fn sign(&self, user: &str) {
        let release = self.folder.path().join("Release");
        self.put("InRelease", &self.gnupg.clear_sign(user, &release));
        self.put("Release.gpg", &self.gnupg.sign(user, &release));
    }

    /// A release of Kubernetes' `repositories` entry for it: only its own key counts.
    pub fn declaration(&self) -> String {
        let (uri, key, signer) = (self.url(""), self.url("key.asc"), &self.fingerprint);
        format!("{{ uri: '{uri}', key: '{key}', signers: ['{signer}'] }}")
    }

    /// Size in bytes and SHA-256 of a file as it is served.
    fn sum(&self, file: &str) -> (u64, String) {
        let path = self.path(file);
        (fs::metadata(&path).expect("a file of the repository").len(), sha256(&path))
    }
}

impl Default for SignedRepository {
    fn default() -> Self {
        Self::new()
    }
}
