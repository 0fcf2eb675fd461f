//! Container images: pinned by digest, fetched from a real registry, carried into the image as archives that containerd
//! imports; or refused.

mod own;

use std::{
    fs,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use crate::bench::{Bench, PROFILE};
use imgforge_tests::{
    ContainerImage, Containerd, Dialect, Fault, Registry, Tool, VendorServer, digest, fails, index, succeeds,
};
use serde_json::{Value, json};

/// The images of a worker: repository and tag.
const IMAGES: [(&str, &str); 3] =
    [("coredns/coredns", "v1.14.2"), ("kube-proxy", "v1.36.4"), ("pause", "3.10.2")];
const PAUSE: &str = "registry.k8s.io/pause:3.10.2";

const CLUSTER: &str = "\
name: home
add-ons: { network: none }
nodes:
  - { hostname: m, board: tiny, role: master }
  - { hostname: w, board: tiny }
";

/// A cluster of two boards, whose worker is looked at.
struct Lab {
    bench: Bench,
    server: VendorServer,
    /// What is asked in place of `https://registry.k8s.io/`.
    mirror: Option<String>,
}

impl Lab {
    fn new() -> Self {
        Self::of("arm64", "1.36", CLUSTER)
    }

    fn of(architecture: &str, release: &str, cluster: &str) -> Self {
        let (bench, server) = (Bench::new(), VendorServer::start());
        let base = format!("base: {{ file: '{}', sha256: {} }}", bench.base().display(), sum(&bench.base()));
        let profile = PROFILE.replace("memory: 512", "memory: 4096");
        let profile = profile
            .replace("base: { url: 'https://vendor.invalid/tiny.img.xz', checksum-file: .sha }", &base);
        bench.profile(&profile.replace("architecture: arm64", &format!("architecture: {architecture}")));
        for folder in ["board-profiles/kubernetes", "overlays/common"] {
            fs::create_dir_all(bench.path(folder)).expect("a folder");
        }
        let kubelet = bench.write("kubelet", b"#!/bin/sh\n");
        server.add("/kubelet", &kubelet);
        let file = format!(
            "{{ url: '{}', sha256: {}, path: /usr/bin/kubelet }}",
            server.url("/kubelet"),
            sum(&kubelet)
        );
        let text = format!(
            "release: \"{release}\"\ndescription: of the tests\n\
             artifacts: {{ {architecture}: {{ containerd: 2.3.4, files: [{file}] }} }}\n"
        );
        bench.write(&format!("board-profiles/kubernetes/{release}.yaml"), text.as_bytes());
        bench.write("home.yaml", cluster.as_bytes());
        Self { bench, server, mirror: None }
    }

    /// The lab with a registry that has the worker's images for two kinds of boards.
    fn with_registry() -> (Self, Registry) {
        let registry = Registry::start();
        let mut lab = Self::new();
        fill(&registry);
        lab.mirror = Some(registry.url());
        (lab, registry)
    }

    /// The lab with a registry made of files, so that it can lie; only what it says of the pause image matters.
    fn with_liar() -> (Self, ContainerImage) {
        let mut lab = Self::new();
        lab.mirror = Some(lab.server.url("/registry/"));
        for (repository, tag) in IMAGES {
            let image = ContainerImage::new(Dialect::Oci, "linux/arm64", repository);
            lab.serve(repository, &format!("manifests/{tag}"), &index(std::slice::from_ref(&image)));
            lab.serve(repository, &format!("manifests/{}", digest(&image.manifest)), &image.manifest);
            for blob in image.layers.iter().chain([&image.config]) {
                lab.serve(repository, &format!("blobs/{}", digest(blob)), blob);
            }
        }
        (lab, ContainerImage::new(Dialect::Oci, "linux/arm64", "pause"))
    }

    /// The registry of files has these bytes under `name`.
    fn serve(&self, repository: &str, name: &str, bytes: &[u8]) {
        let file = self.bench.write(&format!("{repository}-{name}").replace('/', "-"), bytes);
        self.server.add(&on_liar(repository, name), &file);
    }

    /// `imgforge` with these words, for the worker.
    fn imgforge(&self, words: &[&str]) -> Command {
        let mut command = self.command(words);
        command.args(["--node", "w"]);
        command
    }

    /// The same for the whole cluster.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.bench.imgforge();
        command.args(words).arg("--cluster").arg(self.bench.path("home.yaml"));
        command.env("IMGFORGE_OVERLAYS", self.bench.path("overlays"));
        // What the mirror does not have is nowhere else.
        command.env("HTTPS_PROXY", "http://127.0.0.1:1");
        if let Some(mirror) = &self.mirror {
            let config = format!(
                "mirrors: {{ 'https://registry.k8s.io/': ['{mirror}'], 'https://registry-1.docker.io/': ['{mirror}'] }}\n"
            );
            self.bench.write("config.yaml", config.as_bytes());
        }
        command
    }

    /// The lock after `imgforge lock` with these options.
    fn locked(&self, options: &[&str]) -> String {
        succeeds(&mut self.imgforge(&[&["lock"], options].concat()));
        fs::read_to_string(self.lock()).expect("the lock")
    }

    /// Takes everything out of the store.
    fn forget(&self) {
        fs::remove_dir_all(self.bench.path("store")).expect("the store");
    }

    fn lock(&self) -> PathBuf {
        self.bench.path("home.tiny.lock.yaml")
    }

    /// `imgforge build` into the bench's folder for outputs.
    fn build(&self, option: &str) -> Command {
        let mut command = self.imgforge(&["build", option]);
        command.arg("--output").arg(self.bench.path("out"));
        command
    }

    /// A build that needs no network. Returns the image.
    fn built(&self) -> PathBuf {
        let secrets = self.bench.path("home.secrets.yaml");
        if !secrets.exists() {
            succeeds(&mut self.command(&["cluster", "init"]));
        }
        succeeds(&mut self.build("--frozen"));
        self.bench.path("out/w.img")
    }

    /// The archive of the image `reference` in the worker's image, in a file of the bench.
    fn archive(&self, image: &Path, reference: &str) -> PathBuf {
        let name = reference.replace('/', "+");
        let file = self.bench.path("archive.tar");
        let request = format!("dump /var/lib/imgforge/images/{name}.tar {}", file.display());
        Tool::DEBUGFS.approves(["-R", &request, &self.bench.root_of(image)]);
        file
    }

    /// `imgforge lock` refuses, as [`Bench::verdict`] has it. A lock that was there stays as it was; a new one has what the nodes
    /// of the role share, and nothing of a node whose images were refused.
    fn refuses(&self, code: i32, answer: &[&str]) {
        let lock = || fs::read_to_string(self.lock()).ok();
        let before = lock();
        let command = self.imgforge(&["lock"]);
        if let Err(verdict) = self.bench.verdict_but_for(&[self.lock()], command, code, answer) {
            panic!("{verdict}");
        }
        match (before, lock()) {
            (None, Some(after)) => assert!(!after.contains("images") && !after.contains("node w"), "{after}"),
            (before, after) => assert_eq!(before, after),
        }
    }
}

/// The path of something in a repository of the registry of files.
fn on_liar(repository: &str, name: &str) -> String {
    format!("/registry/v2/{repository}/{name}")
}

/// Puts the worker's images into `registry`.
fn fill(registry: &Registry) {
    for (repository, tag) in IMAGES {
        let image = |platform| ContainerImage::new(Dialect::Oci, platform, repository);
        registry.push(repository, tag, &[image("linux/amd64"), image("linux/arm64"), image("linux/arm/v7")]);
    }
}

fn sum(path: &Path) -> String {
    imgforge_tests::sha256(path)
}

/// The sum of these bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    digest(bytes).replace("sha256:", "")
}

fn json_beside(image: &Path, ending: &str) -> Value {
    let text = fs::read(format!("{}{ending}", image.display())).expect("a file beside the image");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn images_are_locked_by_digest_and_carried() {
    let (lab, registry) = Lab::with_registry();
    let image = ContainerImage::new(Dialect::Oci, "linux/arm64", "pause");
    let lock = lab.locked(&[]);
    for part in image.layers.iter().chain([&image.config, &image.manifest]) {
        assert!(lock.contains(&hex(part)), "{lock}");
    }
    lab.forget();
    succeeds(&mut lab.imgforge(&["fetch"]));
    drop(registry);
    let built = lab.built();
    let archive = lab.archive(&built, PAUSE);
    judge_archive(&archive, &image, PAUSE, "linux/arm64");

    let manifest = json_beside(&built, ".manifest.json");
    let references: Vec<_> =
        manifest["images"].as_array().expect("images").iter().map(|i| &i["reference"]).collect();
    assert_eq!(references.len(), IMAGES.len(), "{references:?}");
    let bill = json_beside(&built, ".spdx.json");
    let entry = bill["packages"].as_array().expect("packages").iter().find(|entry| entry["name"] == PAUSE);
    let purl = format!(
        "pkg:oci/pause@sha256%3A{}?arch=arm64&repository_url=registry.k8s.io%2Fpause&tag=3.10.2",
        hex(&image.manifest)
    );
    assert_eq!(entry.expect("the image")["externalRefs"][0]["referenceLocator"], *purl);
}

/// Programs of others take the archive: containerd has all parts and knows the image by its reference; skopeo finds all by the
/// list that Docker reads, and by the OCI's index, where it reads the OCI's dialect only and checks every digest.
fn judge_archive(archive: &Path, image: &ContainerImage, reference: &str, platform: &str) {
    let containerd = Containerd::start();
    succeeds(&mut containerd.import(archive, platform));
    let said =
        |words: &[&str]| String::from_utf8_lossy(&succeeds(&mut containerd.ctr(words)).stdout).into_owned();
    let listing = said(&["images", "ls"]);
    let row = listing.lines().find(|line| line.starts_with(&format!("{reference} ")));
    let row = row.unwrap_or_else(|| panic!("{listing}"));
    assert!(row.contains(&digest(&image.manifest)) && row.contains(platform), "{row}");
    let content = said(&["content", "ls", "--quiet"]);
    for part in image.layers.iter().chain([&image.config, &image.manifest]) {
        assert!(content.contains(&digest(part)), "{content}");
    }
    let copied = |form: &str| {
        let folder = archive.with_extension(form);
        let (architecture, variant) =
            platform.trim_start_matches("linux/").split_once('/').unwrap_or((platform, ""));
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "--quiet", "--insecure-policy", "--override-os=linux"]);
        skopeo.arg(format!("--override-arch={}", architecture.trim_start_matches("linux/")));
        skopeo.arg(format!("--override-variant={variant}"));
        skopeo.arg(format!("{form}:{}:{reference}", archive.display()));
        succeeds(skopeo.arg(format!("dir:{}", folder.display())));
        folder
    };
    let config = fs::read(copied("docker-archive").join(hex(&image.config))).expect("the configuration");
    assert_eq!(config, image.config);
    if image.dialect != Dialect::Oci {
        return;
    }
    let folder = copied("oci-archive");
    let manifest = fs::read(folder.join("manifest.json")).expect("the manifest");
    assert_eq!(manifest, image.manifest);
}

#[test]
fn a_plan_says_which_images_and_how_large() {
    let (lab, _registry) = Lab::with_registry();
    succeeds(&mut lab.command(&["cluster", "init"]));
    let plan = String::from_utf8(succeeds(&mut lab.imgforge(&["plan"])).stdout).expect("UTF-8");
    assert!(plan.contains("\nimage     registry.k8s.io/pause:3.10.2 linux/arm64 1 MiB  [sha256:"), "{plan}");
    assert!(plan.contains("\nimages    3, 1 MiB on the card\n"), "{plan}");
}

#[test]
fn the_same_lock_gives_the_same_archive() {
    let (lab, _registry) = Lab::with_registry();
    let first = lab.locked(&[]);
    assert_eq!(lab.locked(&[]), first);
    let archive = |lab: &Lab| {
        succeeds(&mut lab.imgforge(&["fetch"]));
        fs::read(lab.archive(&lab.built(), PAUSE)).expect("the archive")
    };
    let one = archive(&lab);
    let (other, _registry) = Lab::with_registry();
    other.locked(&[]);
    assert_eq!(archive(&other), one);
}

#[test]
fn a_tag_that_moves_moves_nothing_until_it_is_asked_for() {
    let (lab, registry) = Lab::with_registry();
    let first = lab.locked(&[]);
    let newer = ContainerImage::new(Dialect::Oci, "linux/arm64", "a newer pause");
    registry.push("pause", "3.10.2", std::slice::from_ref(&newer));
    assert_eq!(lab.locked(&[]), first);
    succeeds(&mut lab.imgforge(&["fetch"]));
    assert_eq!(lab.locked(&["--update", "registry.k8s.io/kube-proxy:v1.36.4"]), first);
    let second = lab.locked(&["--update", PAUSE]);
    assert!(second.contains(&hex(&newer.manifest)), "{second}");
    let said = fails(&mut lab.imgforge(&["lock", "--update", "registry.k8s.io/pause:3.1"]), 1);
    assert!(said.contains(&format!("hint: did you mean `{PAUSE}`?")), "{said}");
}

#[test]
fn a_registry_may_want_a_token_and_gives_it_to_everybody() {
    let mut lab = Lab::new();
    let token = lab.bench.write("token", br#"{"token":"for-everybody","access_token":"for-everybody"}"#);
    for (repository, _) in IMAGES {
        let scope = format!("repository:{repository}:pull").replace(':', "%3A").replace('/', "%2F");
        lab.server.add(&format!("/token?service=registry&scope={scope}"), &token);
    }
    let registry = Registry::asking_for_tokens(&lab.server.url("/token"));
    fill(&registry);
    lab.mirror = Some(registry.url());
    lab.locked(&[]);
    lab.forget();
    succeeds(&mut lab.imgforge(&["fetch"]));
    let asked = lab.server.requests().iter().filter(|request| request.contains("/token?")).count();
    assert_eq!(asked, 2 * IMAGES.len(), "one token a repository and run: {:?}", lab.server.requests());
}

#[test]
fn a_registry_that_gives_no_token_is_named() {
    let mut lab = Lab::new();
    let realm = lab.server.url("/token");
    let registry = Registry::asking_for_tokens(&realm);
    lab.mirror = Some(registry.url());
    let said = fails(&mut lab.imgforge(&["lock"]), 4);
    assert!(
        said.contains(&format!("caused by: {realm} gives no token to ask with (404 Not Found)")),
        "{said}"
    );
}

#[test]
fn a_32_bit_board_gets_the_image_that_suits_it_best() {
    let cluster = format!("kubernetes: 1.26.15\nimages: {{ coredns: v1.9.3, etcd: 3.5.10-0 }}\n{CLUSTER}");
    let mut lab = Lab::of("armv7", "1.26", &cluster);
    let registry = Registry::start();
    lab.mirror = Some(registry.url());
    for (repository, tag) in [("coredns/coredns", "v1.9.3"), ("kube-proxy", "v1.26.15"), ("pause", "3.9")] {
        let image = |platform| ContainerImage::new(Dialect::Docker, platform, repository);
        registry.push(
            repository,
            tag,
            &[image("linux/arm64"), image("linux/arm/v6"), image("linux/arm/v7"), image("linux/arm/v8")],
        );
    }
    let lock = lab.locked(&[]);
    let chosen = ContainerImage::new(Dialect::Docker, "linux/arm/v7", "pause");
    assert!(lock.contains("platform: linux/arm/v7") && lock.contains(&hex(&chosen.manifest)), "{lock}");
    succeeds(&mut lab.imgforge(&["fetch"]));
    let archive = lab.archive(&lab.built(), "registry.k8s.io/pause:3.9");
    judge_archive(&archive, &chosen, "registry.k8s.io/pause:3.9", "linux/arm/v7");
}

#[test]
fn a_tag_without_an_index_is_an_image_for_its_own_platform() {
    let (lab, registry) = Lab::with_registry();
    let single = ContainerImage::new(Dialect::Docker, "linux/arm64", "alone");
    registry.push_image("pause", "3.10.2", &single);
    let lock = lab.locked(&[]);
    assert!(lock.contains(&hex(&single.manifest)), "{lock}");

    let (lab, registry) = Lab::with_registry();
    registry.push_image("pause", "3.10.2", &ContainerImage::new(Dialect::Oci, "linux/amd64", "pause"));
    lab.refuses(
        1,
        &[
            &format!(
                "error: the image {PAUSE} should be for linux/arm64, but its configuration says linux/amd64"
            ),
            "hint: take a release that is published for this board, or leave the board out",
        ],
    );
}

#[test]
fn with_carry_images_false_no_registry_is_asked() {
    let lab = Lab::of("arm64", "1.36", &format!("carry-images: false\n{CLUSTER}"));
    assert!(!lab.locked(&[]).contains("images"));
}

/// An add-on whose image is named in short, and by the digest of its index.
const ADD_ON: &str = "\
kind: Namespace
metadata: { name: x }
---
kind: DaemonSet
spec: { template: { spec: { containers: [{ name: a, image: busybox@DIGEST }] } } }
";

#[test]
fn the_images_of_add_ons_are_carried_by_every_node_under_their_full_names() {
    let mut lab = Lab::of("arm64", "1.36", &CLUSTER.replace("none", "calico"));
    let registry = Registry::start();
    fill(&registry);
    let image = ContainerImage::new(Dialect::Oci, "linux/arm64", "busybox");
    registry.push("library/busybox", "latest", std::slice::from_ref(&image));
    let of_index = digest(&index(std::slice::from_ref(&image)));
    let manifest = lab.bench.write("calico-manifest", ADD_ON.replace("DIGEST", &of_index).as_bytes());
    lab.server.add("/calico", &manifest);
    let text = format!(
        "name: calico\nversion: v1\nurl: '{}'\nsha256: {}\nruns-on-32-bit: false\n",
        lab.server.url("/calico"),
        sum(&manifest)
    );
    fs::create_dir(lab.bench.path("board-profiles/add-ons")).expect("a folder");
    lab.bench.write("board-profiles/add-ons/calico.yaml", text.as_bytes());
    lab.mirror = Some(registry.url());
    lab.locked(&[]);
    succeeds(&mut lab.imgforge(&["fetch"]));
    let reference = format!("docker.io/library/busybox@{of_index}");
    let archive = lab.archive(&lab.built(), &reference);
    let containerd = Containerd::start();
    succeeds(&mut containerd.import(&archive, "linux/arm64"));
    let listing = succeeds(&mut containerd.ctr(&["images", "ls", "--quiet"])).stdout;
    assert_eq!(String::from_utf8_lossy(&listing).trim(), reference);
}

#[test]
fn what_a_store_needs_of_an_image_goes_with_it() {
    let (lab, registry) = Lab::with_registry();
    lab.locked(&[]);
    let exported = lab.bench.path("store.tar");
    let export = |lab: &Lab| {
        let mut command = lab.bench.imgforge();
        command.args(["store", "export"]).arg(&exported).arg("--lock").arg(lab.lock());
        command
    };
    let layer = hex(&ContainerImage::new(Dialect::Oci, "linux/arm64", "pause").layers[1]);
    fs::remove_file(lab.bench.path("store/blobs").join(&layer)).expect("the layer");
    let said = fails(&mut export(&lab), 1);
    assert!(said.contains(&format!("{PAUSE} ({layer})")), "{said}");
    succeeds(&mut lab.imgforge(&["fetch"]));
    succeeds(&mut export(&lab));
    drop(registry);
    lab.forget();
    succeeds(lab.bench.imgforge().args(["store", "import"]).arg(&exported));
    lab.built();
}

#[test]
fn a_tag_that_is_not_there_is_named_with_its_registry() {
    let mut lab = Lab::new();
    let registry = Registry::start();
    lab.mirror = Some(registry.url());
    lab.refuses(
        4,
        &[
            "error: the registry registry.k8s.io has no image registry.k8s.io/coredns/coredns:v1.14.2",
            &format!("  caused by: cannot fetch {}v2/coredns/coredns/manifests/v1.14.2", registry.url()),
            "  caused by: the server answered 404 Not Found",
            "hint: is it there under another tag? `images` in the cluster file sets those of etcd and CoreDNS",
        ],
    );
}

#[test]
fn a_registry_out_of_reach_is_asked_by_https_only() {
    let lab = Lab::new();
    let said = fails(&mut lab.imgforge(&["lock"]), 4);
    let image = "registry.k8s.io/coredns/coredns:v1.14.2";
    assert!(
        said.contains(&format!("error: cannot get the image {image} from the registry registry.k8s.io")),
        "{said}"
    );
    assert!(
        said.contains("cannot fetch https://registry.k8s.io/v2/coredns/coredns/manifests/v1.14.2"),
        "{said}"
    );
    assert!(
        said.contains(
            "hint: a mirror of the registry can be named in config.yaml; with `carry-images: false`"
        ),
        "{said}"
    );
}

#[test]
fn without_a_network_what_is_missing_is_named() {
    let (lab, _registry) = Lab::with_registry();
    lab.locked(&[]);
    let layer = &ContainerImage::new(Dialect::Oci, "linux/arm64", "coredns/coredns").layers[0];
    fs::remove_file(lab.bench.path("store/blobs").join(hex(layer))).expect("the layer");
    let said = fails(&mut lab.imgforge(&["fetch", "--offline"]), 4);
    let url = format!("https://registry.k8s.io/v2/coredns/coredns/blobs/{}", digest(layer));
    assert!(
        said.contains(&format!("caused by: {url} is not in the store, and --offline forbids to fetch it")),
        "{said}"
    );
    assert!(
        said.contains("hint: `imgforge fetch` with the same options gets it where there is a network"),
        "{said}"
    );
}

#[test]
fn an_image_for_other_boards_only_is_refused_with_what_there_is() {
    let (lab, registry) = Lab::with_registry();
    let image = |platform| ContainerImage::new(Dialect::Oci, platform, "pause");
    registry.push("pause", "3.10.2", &[image("linux/amd64"), image("linux/ppc64le")]);
    lab.refuses(
        1,
        &[
            &format!(
                "error: the image {PAUSE} is not there for linux/arm64; the registry has it for linux/amd64, linux/ppc64le"
            ),
            "hint: take a release that is published for this board, or leave the board out",
        ],
    );
}

#[test]
fn an_index_that_calls_an_image_what_it_is_not_is_refused() {
    let (lab, _) = Lab::with_liar();
    let image = ContainerImage::new(Dialect::Oci, "linux/amd64", "pause");
    let mut entry = image.descriptor();
    entry["platform"]["architecture"] = json!("arm64");
    lab.serve(
        "pause",
        "manifests/3.10.2",
        json!({ "schemaVersion": 2, "manifests": [entry] }).to_string().as_bytes(),
    );
    lab.serve("pause", &format!("manifests/{}", digest(&image.manifest)), &image.manifest);
    lab.serve("pause", &format!("blobs/{}", digest(&image.config)), &image.config);
    lab.refuses(
        1,
        &[
            &format!(
                "error: the image {PAUSE} should be for linux/arm64, but its configuration says linux/amd64"
            ),
            "hint: take a release that is published for this board, or leave the board out",
        ],
    );
}

/// A program of this machine's, as if it were for another (System V ABI, e_machine).
fn program_for(machine: u16) -> Vec<u8> {
    let mut program = fs::read("/bin/true").expect("a program");
    program[18..20].copy_from_slice(&machine.to_le_bytes());
    program
}

const AARCH64: u16 = 183;
const X86_64: u16 = 62;

/// Images of etcd and CoreDNS for arm64 called themselves amd64 for years, and ran.
#[test]
fn programs_count_and_labels_do_not() {
    let (lab, registry) = Lab::with_registry();
    let mislabelled = ContainerImage::new(Dialect::Oci, "linux/amd64", program_for(AARCH64));
    registry.push_image("pause", "3.10.2", &mislabelled);
    assert!(lab.locked(&[]).contains(&hex(&mislabelled.manifest)));

    let (lab, registry) = Lab::with_registry();
    registry.push_image(
        "pause",
        "3.10.2",
        &ContainerImage::new(Dialect::Oci, "linux/arm64", program_for(X86_64)),
    );
    lab.refuses(
        1,
        &[
            &format!(
                "error: the image {PAUSE} does not run on linux/arm64: program in it is for 64-bit x86 instead of 64-bit Arm"
            ),
            "hint: take a release that is published for this board, or leave the board out",
        ],
    );
}

#[test]
fn other_bytes_than_the_digest_says_are_refused() {
    let (lab, image) = Lab::with_liar();
    let digest = digest(&image.manifest);
    let name = format!("manifests/{digest}");
    let lie = String::from_utf8(image.manifest.clone()).expect("JSON").replace("tar\"", "rat\"");
    lab.serve("pause", &name, lie.as_bytes());
    let url = lab.server.url(&on_liar("pause", &name));
    lab.refuses(
        4,
        &[
            &format!("error: cannot get the image {PAUSE} from the registry registry.k8s.io"),
            &format!(
                "  caused by: {url} has SHA-256 {}, but {} is pinned",
                hex(lie.as_bytes()),
                hex(&image.manifest)
            ),
            "hint: the registry or its mirror lies, or something between changes what it sends: take another mirror",
        ],
    );
}

#[test]
fn a_blob_that_is_too_short_is_refused_and_one_that_breaks_off_is_gone_on_with() {
    let (lab, image) = Lab::with_liar();
    lab.locked(&[]);
    lab.forget();
    let name = format!("blobs/{}", digest(&image.layers[1]));
    lab.server.misbehave(&on_liar("pause", &name), &[Fault::CutAfter(100)]);
    succeeds(&mut lab.imgforge(&["fetch"]));

    let (lab, image) = Lab::with_liar();
    lab.locked(&[]);
    lab.forget();
    lab.serve("pause", &name, &image.layers[1][..1000]);
    let said = fails(&mut lab.imgforge(&["fetch"]), 4);
    let (url, size) = (lab.server.url(&on_liar("pause", &name)), image.layers[1].len());
    assert!(said.contains(&format!("caused by: cannot fetch {url}")), "{said}");
    assert!(said.contains(&format!("the server has 1000 bytes, but {size} are expected")), "{said}");
    assert!(lab.bench.store_is_sound());
}

#[test]
fn a_manifest_without_end_is_not_read_to_its_end() {
    let (lab, _) = Lab::with_liar();
    let large = lab.bench.path("out/large");
    File::create(&large).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    lab.server.add(&on_liar("pause", "manifests/3.10.2"), &large);
    let said = fails(&mut lab.imgforge(&["lock"]), 4);
    assert!(said.contains("the server sends more than the expected 4194304 bytes"), "{said}");
}

#[test]
fn what_is_no_image_is_refused_with_the_reason() {
    let (lab, image) = Lab::with_liar();
    let helm =
        json!({ "mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest(b""), "size": 0 });
    for (document, reason) in [
        (b"<html>".to_vec(), "it is no document of an image"),
        (
            json!({ "schemaVersion": 1 }).to_string().into_bytes(),
            "it is of schema 1, which was given up in 2017",
        ),
        (
            json!({ "schemaVersion": 2 }).to_string().into_bytes(),
            "it is neither an image nor an index of images",
        ),
        (image.manifest_with(&[("config", helm)]), "it holds `application/vnd.cncf.helm.config.v1+json`"),
    ] {
        lab.serve("pause", "manifests/3.10.2", &document);
        let said = fails(&mut lab.imgforge(&["lock"]), 1);
        let first = format!("error: the registry registry.k8s.io gives for {PAUSE} what cannot be used\n");
        assert!(said.contains(&first) && said.contains(&format!("caused by: {reason}")), "{said}");
    }
}

#[test]
fn a_lock_that_was_edited_is_refused() {
    let (lab, _registry) = Lab::with_registry();
    let lock = lab.locked(&[]);
    let image = |name| ContainerImage::new(Dialect::Oci, "linux/arm64", name);
    let (own, other) = (image("pause"), image("kube-proxy"));
    fs::write(lab.lock(), lock.replace(&hex(&own.layers[1]), &hex(&other.layers[1]))).expect("the lock");
    succeeds(&mut lab.command(&["cluster", "init"]));
    let said = fails(&mut lab.build("--locked"), 1);
    assert!(
        said.contains(&format!("error: the lock does not say of the image {PAUSE} what its manifest says")),
        "{said}"
    );
}
