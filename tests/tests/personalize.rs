//! A release image becomes a node's: the same bytes as a build of that node, and a plain word where it cannot be.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use imgforge_tests::{Workbench, approved, fails, file_in, same, sha256, succeeds};

const CLUSTER: &str = "\
name: home
carry-images: false
add-ons: { network: none }
users:
  - { name: ops, sudo: true, ssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D ops] }
nodes:
  - { hostname: m1, board: virt-arm64, role: master, address: 192.168.76.10/24, mounts: [{ source: LABEL=data, target: /mnt/data }] }
  - { hostname: w1, board: virt-arm64, packages: [file] }
  - { hostname: w2, board: virt-arm64, kernel-arguments: [quiet] }
";

/// Kubernetes' own servers cannot be reached from everywhere the tests run: Debian's client and runtime stand in.
const RELEASE: &str = "\
release: \"1.36\"
description: what Debian has, under another name
packages: [containerd, runc, containernetworking-plugins, kubernetes-client]
";

/// A workbench with a cluster file and its secrets.
struct Lab {
    bench: Workbench,
    cluster: PathBuf,
}

impl Lab {
    fn new() -> Self {
        let bench = Workbench::new();
        fs::write(bench.profiles().join("kubernetes/1.36.yaml"), RELEASE).unwrap();
        let cluster = bench.home.path().join("home.yaml");
        fs::write(&cluster, CLUSTER).unwrap();
        let lab = Self { bench, cluster };
        succeeds(lab.bench.imgforge().args(["cluster", "init", "--cluster"]).arg(&lab.cluster));
        lab
    }

    /// A new folder `name`.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.bench.home.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// Builds all nodes into a new folder `name`.
    fn build(&self, name: &str, options: &[&str]) -> PathBuf {
        let folder = self.folder(name);
        let mut command = self.bench.imgforge();
        command.args(["build", "--cluster"]).arg(&self.cluster).arg("--output").arg(&folder);
        succeeds(command.args(options));
        folder
    }

    /// Builds the release image of `role` with what the cluster's lock has.
    fn release(&self, role: &str, name: &str) -> PathBuf {
        let kubernetes = self.bench.home.path().join("kubernetes.yaml");
        fs::write(&kubernetes, "kubernetes: { release: \"1.36\", from: packages }\n").unwrap();
        let lock = self.bench.home.path().join("home.virt-arm64.lock.yaml");
        let options = ["--node", kubernetes.to_str().unwrap(), "--lock", lock.to_str().unwrap()];
        self.bench.built("virt-arm64", role, name, &options)
    }

    fn personalize(&self, image: &Path, node: &str, output: &Path) -> Command {
        let mut command = self.bench.imgforge();
        command.arg("personalize").arg(image).arg("--cluster").arg(&self.cluster);
        command.args(["--node", node, "--output"]).arg(output);
        command
    }
}

const ALL: [&str; 4] = ["", ".bmap", ".manifest.json", ".spdx.json"];

#[test]
fn personalising_gives_the_bytes_of_a_build() {
    let lab = Lab::new();
    let built = lab.build("built", &[]);
    let one_by_one = lab.build("one-by-one", &["--threads", "1"]);
    for node in ["m1", "w1", "w2"] {
        let name = format!("{node}.img");
        same(&built.join(&name), &one_by_one.join(&name), &ALL);
        succeeds(lab.bench.imgforge().arg("verify").arg(built.join(&name)));
    }
    let made = lab.folder("made");
    for (role, nodes) in [("master", ["m1"].as_slice()), ("worker", &["w1", "w2"])] {
        let image = lab.release(role, &format!("{role}.img"));
        for node in nodes {
            let output = made.join(format!("{node}.img"));
            succeeds(&mut lab.personalize(&image, node, &output));
            same(&output, &built.join(format!("{node}.img")), &ALL);
        }
    }
    let root = approved(&made.join("w1.img"), lab.bench.home.path());
    assert_eq!(file_in(&root, "/etc/hostname"), "w1\n");
    assert!(file_in(&root, "/var/lib/dpkg/status").contains("\nPackage: file\n"));
    let size = |path: PathBuf| fs::metadata(path).unwrap().len();
    let release = size(lab.bench.home.path().join("worker.img"));
    assert!(size(made.join("w1.img")) > release, "its package needs more room than the release has to spare");
    assert_eq!(size(made.join("w2.img")), release, "growing once was enough");
    let root = approved(&made.join("m1.img"), lab.bench.home.path());
    assert!(file_in(&root, "/etc/fstab").contains("LABEL=data /mnt/data "));
}

#[test]
fn docker_comes_with_the_node_so_its_release_is_that_of_all() {
    let lab = Lab::new();
    let program = lab.bench.home.path().join("cri-dockerd");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    lab.bench.server.add("/cri-dockerd", &program);
    let (url, sum) = (lab.bench.server.url("/cri-dockerd"), sha256(&program));
    let file = format!("{{ url: '{url}', sha256: {sum}, path: /usr/local/lib/cri-dockerd/cri-dockerd }}");
    let runtimes = format!(
        "runtimes: {{ docker: {{ arm64: {{ packages: [docker.io, docker-cli], files: [{file}] }} }} }}\n"
    );
    fs::write(lab.bench.profiles().join("kubernetes/1.36.yaml"), format!("{RELEASE}{runtimes}")).unwrap();
    let cluster = CLUSTER.replace("hostname: w2,", "hostname: w2, runtime: docker,");
    fs::write(&lab.cluster, cluster).unwrap();

    let built = lab.build("built", &["--node", "w2"]);
    let made = lab.folder("made").join("w2.img");
    succeeds(&mut lab.personalize(&lab.release("worker", "worker.img"), "w2", &made));
    same(&made, &built.join("w2.img"), &ALL);
    let root = approved(&made, lab.bench.home.path());
    assert!(file_in(&root, "/var/lib/dpkg/status").contains("\nPackage: docker.io\n"));
    assert_eq!(file_in(&root, "/etc/crictl.yaml"), "runtime-endpoint: unix:///run/cri-dockerd.sock\n");
}

#[test]
fn a_compressed_release_image_does_as_well() {
    let lab = Lab::new();
    let built = lab.build("built", &["--node", "w2"]);
    let image = lab.release("worker", "worker.img.xz");
    let made = lab.folder("made").join("w2.img");
    succeeds(&mut lab.personalize(&image, "w2", &made));
    same(&made, &built.join("w2.img"), &ALL);
    let compressed = made.with_file_name("w2.img.xz");
    succeeds(&mut lab.personalize(&image, "w2", &compressed));
    let output =
        Command::new("sh").args(["-c", "xz -dc \"$0\" | cmp - \"$1\""]).arg(&compressed).arg(&made).output();
    assert!(output.unwrap().status.success());

    // Unpacked by others it is known by the same digest, and what became of it since.
    let unpacked = lab.bench.home.path().join("unpacked.img");
    let manifest = lab.bench.home.path().join("unpacked.img.manifest.json");
    fs::copy(lab.bench.home.path().join("worker.img.xz.manifest.json"), manifest).unwrap();
    let output =
        Command::new("sh").args(["-c", "xz -dc \"$0\" > \"$1\""]).arg(&image).arg(&unpacked).output();
    assert!(output.unwrap().status.success());
    let again = made.with_file_name("again.img");
    succeeds(&mut lab.personalize(&unpacked, "w2", &again));
    same(&again, &made, &["", ".bmap"]);
    let file = fs::File::options().write(true).open(&unpacked).unwrap();
    file.write_all_at(b"damage", file.metadata().unwrap().len() / 2).unwrap();
    let said = fails(&mut lab.personalize(&unpacked, "w2", &made.with_file_name("damaged.img")), 1);
    assert!(said.contains("unpacked.img.manifest.json is not the manifest of "), "{said}");
    assert!(said.contains(": the SHA-256 differs"), "{said}");
    assert!(!made.with_file_name("damaged.img").exists());
}

#[test]
fn without_a_cluster_a_node_file_says_who_it_is() {
    let lab = Lab::new();
    let image = lab.bench.built("virt-arm64", "base", "base.img", &[]);
    let node = lab.bench.home.path().join("node.yaml");
    fs::write(&node, "hostname: cabin\nusers: [{ name: ops, sudo: true }]\n").unwrap();
    let built = lab.bench.built("virt-arm64", "base", "cabin.img", &["--node", node.to_str().unwrap()]);
    let made = lab.folder("made").join("cabin.img");
    let mut command = lab.bench.imgforge();
    command.arg("personalize").arg(&image).arg("--node").arg(&node).arg("--output").arg(&made);
    succeeds(&mut command);
    same(&made, &built, &ALL);
}

#[test]
fn what_does_not_fit_is_told() {
    let lab = Lab::new();
    let base = lab.bench.built("virt-arm64", "base", "base.img", &[]);
    let output = lab.bench.home.path().join("out.img");
    let refused = |image: &Path, node: &str| fails(&mut lab.personalize(image, node, &output), 1);

    let said = refused(&base, "w2");
    let expected = "base.img does not fit w2:\n  role: the image has base, the node needs worker\n  \
                    Kubernetes: the image has none, the node needs 1.36 from packages\n";
    assert!(said.contains(expected), "{said}");
    assert!(
        said.contains("hint: take the release image for this board and role, or build the node's image"),
        "{said}"
    );
    assert!(refused(&base, "w3").contains("home.yaml has no node `w3`"));

    let other = lab.bench.built("rpi4", "base", "rpi4.img", &[]);
    let said = refused(&other, "w2");
    assert!(said.contains("\n  board: the image has rpi4, the node needs virt-arm64\n"), "{said}");

    let personal = lab.bench.built("virt-arm64", "base", "cabin.img", &["--hostname", "cabin"]);
    let said = refused(&personal, "w2");
    assert!(said.contains("cabin.img is the image of the node cabin already"), "{said}");

    let vendors = imgforge_tests::Base::VirtArm64.image();
    let said = refused(&vendors, "w2");
    assert!(said.contains("is no release image: there is no /etc/imgforge/release.json in it"), "{said}");

    let manifest = lab.bench.home.path().join("rpi4.img.manifest.json");
    let mut command = lab.bench.imgforge();
    command.arg("personalize").arg(&base).args(["--hostname", "x", "--manifest"]).arg(manifest);
    let said = fails(command.arg("--output").arg(&output), 1);
    assert!(said.contains("rpi4.img.manifest.json is not the manifest of "), "{said}");
    assert!(!output.exists());
}
