//! Debian's container registry on the loopback interface, and images to put there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{regular, sha256};

/// The kinds of documents and blobs, as Docker calls them or the OCI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// <https://github.com/opencontainers/image-spec/blob/main/media-types.md>
    Oci,
    /// <https://github.com/distribution/distribution/blob/main/docs/content/spec/manifest-v2-2.md>
    Docker,
}

impl Dialect {
    fn index(self) -> &'static str {
        match self {
            Dialect::Oci => "application/vnd.oci.image.index.v1+json",
            Dialect::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    fn manifest(self) -> &'static str {
        match self {
            Dialect::Oci => "application/vnd.oci.image.manifest.v1+json",
            Dialect::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn config(self) -> &'static str {
        match self {
            Dialect::Oci => "application/vnd.oci.image.config.v1+json",
            Dialect::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    fn layer(self) -> &'static str {
        match self {
            Dialect::Oci => "application/vnd.oci.image.layer.v1.tar",
            Dialect::Docker => "application/vnd.docker.image.rootfs.diff.tar",
        }
    }
}

/// An image for one platform, made by a test: a program in a layer of its own over one that others have, too.
#[derive(Clone, Debug)]
pub struct ContainerImage {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The configuration.
    pub config: Vec<u8>,
    /// The layers.
    pub layers: Vec<Vec<u8>>,
    /// What its documents call themselves.
    pub dialect: Dialect,
    platform: Value,
}

impl ContainerImage {
    /// An image for `platform`, such as `linux/arm/v7`, with `program` in it.
    pub fn new(dialect: Dialect, platform: &str, program: impl AsRef<[u8]>) -> Self {
        let words: Vec<&str> = platform.split('/').collect();
        let mut platform = json!({ "os": words[0], "architecture": words[1] });
        if let Some(variant) = words.get(2) {
            platform["variant"] = json!(variant);
        }
        let layers = vec![layer("etc/passwd", b"root:x:0:0::/:\n"), layer("program", program.as_ref())];
        let diff_ids: Vec<_> = layers.iter().map(|layer| digest(layer)).collect();
        let mut config = platform.clone();
        config["config"] = json!({ "Entrypoint": ["/program"] });
        config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
        let config = config.to_string().into_bytes();
        let mut image = Self { manifest: Vec::new(), config, layers, dialect, platform };
        image.manifest = image.manifest_with(&[]);
        image
    }

    /// The image of one layer for linux/arm64 in an archive as `docker save` makes them, and its reference.
    pub fn from_archive(path: &Path) -> (Self, String) {
        let mut archive = tar::Archive::new(fs::File::open(path).expect("the archive"));
        let mut files = BTreeMap::new();
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a path").display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("a whole file");
            files.insert(name, bytes);
        }
        let mut file = |name: &str| files.remove(name).unwrap_or_else(|| panic!("{path:?} has no {name}"));
        let list: Value = serde_json::from_slice(&file("manifest.json")).expect("its list");
        let reference = list[0]["RepoTags"][0].as_str().expect("a reference").to_owned();
        let mut image = Self {
            manifest: Vec::new(),
            config: file("config.json"),
            layers: vec![file("layer.tar")],
            dialect: Dialect::Docker,
            platform: json!({ "os": "linux", "architecture": "arm64" }),
        };
        image.manifest = image.manifest_with(&[]);
        (image, reference)
    }

    /// The manifest with other values under some of its members.
    pub fn manifest_with(&self, members: &[(&str, Value)]) -> Vec<u8> {
        let layers: Vec<_> =
            self.layers.iter().map(|layer| descriptor(self.dialect.layer(), layer)).collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": self.dialect.manifest(),
            "config": descriptor(self.dialect.config(), &self.config),
            "layers": layers,
        });
        for (name, value) in members {
            manifest[name] = value.clone();
        }
        manifest.to_string().into_bytes()
    }

    /// Its entry in an index.
    pub fn descriptor(&self) -> Value {
        let mut descriptor = descriptor(self.dialect.manifest(), &self.manifest);
        descriptor["platform"] = self.platform.clone();
        descriptor
    }
}

/// An index of `images`, which speak one dialect.
pub fn index(images: &[ContainerImage]) -> Vec<u8> {
    let dialect = images.first().map_or(Dialect::Oci, |image| image.dialect);
    let manifests: Vec<_> = images.iter().map(ContainerImage::descriptor).collect();
    json!({ "schemaVersion": 2, "mediaType": dialect.index(), "manifests": manifests })
        .to_string()
        .into_bytes()
}

/// `sha256:…` of these bytes.
pub fn digest(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), bytes).expect("it can be written");
    format!("sha256:{}", sha256(file.path()))
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": digest(bytes), "size": bytes.len() })
}

/// A layer of one program.
fn layer(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = regular(name, content.len() as u64);
    header.set_mode(0o755);
    header.set_cksum();
    let mut layer = [header.as_bytes(), content].concat();
    layer.resize(layer.len().next_multiple_of(512) + 1024, 0);
    layer
}

/// A registry. It ends with the value.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Registry {
    /// One that everybody may read from and write to.
    pub fn start() -> Self {
        Self::start_with(&json!({}))
    }

    /// One that wants a token of everybody, from the place `realm`.
    pub fn asking_for_tokens(realm: &str) -> Self {
        Self::start_with(&json!({ "silly": { "realm": realm, "service": "registry" } }))
    }

    fn start_with(auth: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let address = free_address();
        let mut configuration = json!({
            "version": "0.1",
            "log": { "level": "error", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": folder.path().join("images") } },
            "http": { "addr": address.to_string() },
        });
        if auth.as_object().is_some_and(|auth| !auth.is_empty()) {
            configuration["auth"] = auth.clone();
        }
        // JSON is YAML.
        let file = folder.path().join("config.yml");
        fs::write(&file, configuration.to_string()).expect("the configuration");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("docker-registry: {error}: install the package docker-registry"));
        let registry = Self { process, address, _folder: folder };
        registry.wait();
        registry
    }

    /// Its address as that of a mirror.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Puts `images` under `tag` of `repository`, as an index.
    pub fn push(&self, repository: &str, tag: &str, images: &[ContainerImage]) {
        for image in images {
            self.push_image(repository, &digest(&image.manifest), image);
        }
        let kind = images.first().map_or(Dialect::Oci, |image| image.dialect).index();
        self.put_manifest(repository, tag, kind, &index(images));
    }

    /// Puts one image under `tag` of `repository`.
    pub fn push_image(&self, repository: &str, tag: &str, image: &ContainerImage) {
        for blob in image.layers.iter().chain([&image.config]) {
            self.put_blob(repository, blob);
        }
        self.put_manifest(repository, tag, image.dialect.manifest(), &image.manifest);
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>
    fn put_blob(&self, repository: &str, blob: &[u8]) {
        let answer = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), "", &[]);
        let location = answer
            .lines()
            .find_map(|line| line.strip_prefix("Location: "))
            .unwrap_or_else(|| panic!("no place for an upload: {answer}"));
        let (_, path) = location.trim().split_once("/v2/").expect("a path of the registry");
        let path = format!("/v2/{path}&digest={}", digest(blob));
        let answer = self.ask("PUT", &path, "Content-Type: application/octet-stream\r\n", blob);
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }

    fn put_manifest(&self, repository: &str, tag: &str, kind: &str, manifest: &[u8]) {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let answer = self.ask("PUT", &path, &format!("Content-Type: {kind}\r\n"), manifest);
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }

    /// Sends a request; returns the answer, head and body.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> String {
        let mut connection = TcpStream::connect(self.address).expect("the registry listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer test\r\nContent-Length: {}\r\n\
             {headers}Connection: close\r\n\r\n",
            self.address,
            body.len()
        );
        connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body)).expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        answer
    }

    fn wait(&self) {
        for _ in 0..200 {
            if TcpStream::connect(self.address).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("docker-registry does not listen at {}", self.address);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago: the registry cannot choose one itself and tell.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has a free port");
    listener.local_addr().expect("a bound socket has an address")
}

/// containerd with folders of its own, run without root in a user namespace; it ends with the value.
#[derive(Debug)]
pub struct Containerd {
    process: Child,
    folder: TempDir,
}

impl Containerd {
    /// Starts one without images.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "version = 2\nroot = '{}'\nstate = '{}'\n[grpc]\naddress = '{}'\n",
            path("root"),
            path("state"),
            path("socket")
        );
        // Only what stores images; the rest wants a real root.
        let disabled = "disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt', \
                        'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.btrfs', \
                        'io.containerd.snapshotter.v1.zfs', 'io.containerd.snapshotter.v1.aufs']\n";
        let (version, rest) = configuration.split_once('\n').expect("lines");
        fs::write(path("config.toml"), format!("{version}\n{disabled}{rest}")).expect("the configuration");
        let process = Command::new("unshare")
            .args(["--map-root-user", "containerd", "--config", &path("config.toml")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("unshare: {error}: install the packages util-linux and containerd")
            });
        let containerd = Self { process, folder };
        for _ in 0..200 {
            if containerd.ctr(&["version"]).output().is_ok_and(|output| output.status.success()) {
                return containerd;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("containerd does not start: is the package installed, and may users make name spaces?");
    }

    /// `ctr` in the name space of Kubernetes.
    pub fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.folder.path().join("socket"));
        command.args(["--namespace", "k8s.io"]).args(arguments);
        command
    }

    /// Imports `archive` for a board of `platform`; unpacking is the board's affair.
    pub fn import(&self, archive: &Path, platform: &str) -> Command {
        let mut command = self.ctr(&["images", "import", "--no-unpack", "--platform", platform]);
        command.arg(archive);
        command
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
