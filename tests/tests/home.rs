//! The example cluster, from its file to images for three boards of two vendors' layouts, with nothing but a filled store.
//!
//! Kubernetes' servers, its registries and the add-ons' projects cannot be reached from everywhere the tests run: a server here
//! has, under their addresses, real programs of the right architecture, and a real registry has images of the right names.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use imgforge_tests::{
    ContainerImage, Dialect, Registry, Tool, Workbench, approved, fails, file_in, repository, same, sha256,
    succeeds,
};
use serde_json::Value;

/// What is in the archives of `board-profiles/kubernetes/1.26.yaml`, by a part of their address.
const ARCHIVES: [(&str, &[&str]); 4] = [
    ("crictl", &["crictl"]),
    ("cni-plugins", &["bridge", "host-local", "loopback", "portmap"]),
    ("cri-dockerd", &["cri-dockerd/cri-dockerd"]),
    ("containerd", &["bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr"]),
];

/// The images that the example's nodes need, by repository and tag. Those of add-ons are named in the manifests below.
const IMAGES: [(&str, &str); 10] = [
    ("pause", "3.9"),
    ("kube-proxy", "v1.26.15"),
    ("kube-apiserver", "v1.26.15"),
    ("kube-controller-manager", "v1.26.15"),
    ("kube-scheduler", "v1.26.15"),
    ("etcd", "3.5.10-0"),
    ("coredns/coredns", "v1.9.3"),
    ("flannel-io/flannel", "v0.28.9"),
    ("metallb/controller", "v0.16.1"),
    ("metallb/speaker", "v0.16.1"),
];

const FLANNEL: &str = "\
kind: ConfigMap
data:
  net-conf.json: |
    { \"Network\": \"10.244.0.0/16\" }
---
kind: DaemonSet
spec: { template: { spec: { containers: [{ name: f, image: ghcr.io/flannel-io/flannel:v0.28.9 }] } } }
";

const METALLB: &str = "\
kind: Deployment
spec:
  template:
    spec:
      containers:
      - args:
        - --port=9120
        image: quay.io/metallb/controller:v0.16.1
      volumes:
      - name: cert
---
kind: DaemonSet
spec:
  template:
    spec:
      containers:
      - args:
        - --port=9120
        image: quay.io/metallb/speaker:v0.16.1
";

/// What somebody puts in the place of the example's key and disks.
const OWN: [(&str, &str); 3] = [
    ("IHlvdXIga2V5IGhlcmUsIG5vdCB0aGlzIG9uZSEhISEh", "IEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D"),
    ("655a39e8-9a5d-45f3-ae14-73b4c5ed50c3", "5c0a1f0e-1111-4b4b-8a8a-0123456789ab"),
    ("0633df91-017c-4b98-9b2e-4a0d27989a5c", "5c0a1f0e-2222-4b4b-8a8a-0123456789ab"),
];

/// The example's owner at home: the file, and the internet as far as it is needed.
struct Home {
    bench: Workbench,
    registry: Registry,
    file: PathBuf,
}

impl Home {
    fn with(bench: Workbench) -> Self {
        let home = Self { bench, registry: Registry::start(), file: PathBuf::from("home.yaml") };
        let file = home.path("home.yaml");
        let example = fs::read_to_string(repository().join("examples/home.yaml")).unwrap();
        let own = OWN.iter().fold(example, |text, (theirs, own)| text.replace(theirs, own));
        fs::write(&file, own).unwrap();
        home.publish_programs();
        home.publish("add-ons/flannel.yaml", FLANNEL);
        home.publish("add-ons/metallb.yaml", METALLB);
        for (name, tag) in IMAGES {
            let of = |platform| ContainerImage::new(Dialect::Oci, platform, name);
            home.registry.push(name, tag, &[of("linux/arm64"), of("linux/arm/v7")]);
        }
        home.use_mirrors();
        Self { file, ..home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.home.path().join(name)
    }

    /// Serves what Kubernetes 1.26 is made of, each file under its own address.
    fn publish_programs(&self) {
        let description = self.bench.profiles().join("kubernetes/1.26.yaml");
        let mut architecture = "";
        let mut sum = String::new();
        let mut lines = Vec::new();
        for line in fs::read_to_string(&description).unwrap().lines() {
            if let Some(url) = line.trim_start().strip_prefix("- url: https:/") {
                let file = self.program(architecture, url);
                self.bench.server.add(url, &file);
                sum = sha256(&file);
            }
            match line.trim() {
                "arm64:" => architecture = "arm64",
                "armv7:" => architecture = "armhf",
                _ => {}
            }
            let (indent, is_sum) =
                (line.len() - line.trim_start().len(), line.trim().starts_with("sha256: "));
            lines.push(if is_sum { format!("{:indent$}sha256: {sum}", "") } else { line.to_owned() });
        }
        fs::write(description, lines.join("\n")).unwrap();
    }

    /// A program for `architecture`, or an archive of such where `url` names one.
    fn program(&self, architecture: &str, url: &str) -> PathBuf {
        let name = format!("{architecture}{}", url.replace('/', "_"));
        let (program, folder) = (self.path(&name), self.path(&format!("{name}.d")));
        let script =
            "dpkg-deb --fsys-tarfile \"$0\"/busybox-static_*.deb | tar -xO ./usr/bin/busybox > \"$1\"";
        let payloads = repository().join(format!("out/bases/parts/{architecture}/payloads"));
        succeeds(Command::new("sh").args(["-c", script]).arg(payloads).arg(&program));
        // Two files with the same bytes would be one in a store: each gets its address at its end.
        let mut bytes = fs::read(&program).unwrap();
        bytes.extend(url.as_bytes());
        fs::write(&program, bytes).unwrap();
        let Some((_, members)) =
            ARCHIVES.iter().find(|(part, _)| url.rsplit('/').next().unwrap().contains(part))
        else {
            return program;
        };
        for member in *members {
            let path = folder.join(member);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::copy(&program, &path).unwrap();
            succeeds(Command::new("chmod").arg("755").arg(path));
        }
        let archive = self.path(&format!("{name}.tar.gz"));
        succeeds(Command::new("tar").arg("-C").arg(&folder).arg("-czf").arg(&archive).arg("."));
        archive
    }

    /// Serves `text` under the address that the pin `file` names, and pins it.
    fn publish(&self, file: &str, text: &str) {
        let pin = self.bench.profiles().join(file);
        let published = self.path(&file.replace('/', "_"));
        fs::write(&published, text).unwrap();
        let mut lines = Vec::new();
        for line in fs::read_to_string(&pin).unwrap().lines() {
            if let Some(url) = line.strip_prefix("url: https:/") {
                self.bench.server.add(url, &published);
            }
            let is_sum = line.starts_with("sha256: ");
            lines.push(if is_sum { format!("sha256: {}", sha256(&published)) } else { line.to_owned() });
        }
        fs::write(pin, lines.join("\n")).unwrap();
    }

    fn use_mirrors(&self) {
        let path = self.path("config.yaml");
        let mut config = fs::read_to_string(&path).unwrap();
        for host in [
            "dl.k8s.io",
            "github.com/kubernetes-sigs",
            "github.com/containernetworking",
            "github.com/opencontainers",
            "github.com/containerd",
            "github.com/Mirantis",
            "raw.githubusercontent.com",
        ] {
            config += &format!("  https://{host}/: ['{}']\n", self.bench.server.url(&format!("/{host}/")));
        }
        for host in ["registry.k8s.io", "ghcr.io", "quay.io"] {
            config += &format!("  https://{host}/: ['{}']\n", self.registry.url());
        }
        fs::write(path, config).unwrap();
    }

    /// `imgforge WORDS --cluster home.yaml OPTIONS`.
    fn imgforge(&self, words: &[&str], options: &[&str]) -> Command {
        let mut command = self.bench.imgforge();
        command.args(words).arg("--cluster").arg(&self.file).args(options);
        command
    }
}

#[test]
fn the_example_cluster_is_built_offline_from_a_filled_store() {
    let home = Home::with(Workbench::new());
    succeeds(&mut home.imgforge(&["cluster", "check"], &[]));
    succeeds(&mut home.imgforge(&["cluster", "init"], &[]));
    succeeds(&mut home.imgforge(&["lock"], &[]));
    succeeds(&mut home.imgforge(&["fetch"], &[]));

    let before = home.bench.server.requests().len();
    let out = home.path("out");
    fs::create_dir(&out).unwrap();
    succeeds(home.imgforge(&["build"], &["--offline", "--output"]).arg(&out));
    assert_eq!(home.bench.server.requests().len(), before, "offline asks nobody");

    for (node, folder) in [
        ("k8s-master-1", "dl.k8s.io/release/v1.26.15/bin/linux/arm64"),
        ("k8s-worker-1", "dl.k8s.io/release/v1.26.15/bin/linux/arm/"),
        ("k8s-worker-2", "dl.k8s.io/release/v1.26.15/bin/linux/arm/"),
    ] {
        judge(&home, &out.join(format!("{node}.img")), node, folder);
    }

    // A release image becomes the same, container images and all.
    let lock = home.path("home.bananapi-m1.lock.yaml");
    let kubernetes = home.path("kubernetes.yaml");
    fs::write(&kubernetes, "kubernetes: { release: \"1.26\", from: artifacts }\n").unwrap();
    let options = ["--lock", &lock.to_string_lossy(), "--node", &kubernetes.to_string_lossy()];
    let release = home.bench.built("bananapi-m1", "worker", "worker.img", &options);
    let made = home.path("k8s-worker-1.img");
    let options = ["--offline", "--node", "k8s-worker-1", "--output", &made.to_string_lossy()];
    succeeds(&mut home.imgforge(&["personalize", &release.to_string_lossy()], &options));
    same(&made, &out.join("k8s-worker-1.img"), &["", ".manifest.json"]);
}

/// Every foreign checker is content, and the node is who it should be.
fn judge(home: &Home, image: &Path, node: &str, folder: &str) {
    let root = approved(image, &home.path(""));
    assert_eq!(file_in(&root, "/etc/hostname"), format!("{node}\n"));
    let is_master = node.contains("master");
    let document = if is_master { "init.yaml" } else { "join.yaml" };
    let document = file_in(&root, &format!("/etc/imgforge/kubeadm/{document}"));
    assert!(document.contains(&format!("name: {node}\n")), "{document}");
    assert!(document.contains("kubeadm.k8s.io/v1beta3"), "{document}");
    let manifest = fs::read_to_string(format!("{}.manifest.json", image.display())).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let artifacts = manifest["artifacts"].as_array().unwrap();
    assert!(artifacts.iter().any(|a| a["url"].as_str().unwrap().contains(folder)), "{artifacts:?}");
    let images = Tool::DEBUGFS.approves(["-R", "ls -p /var/lib/imgforge/images", &root.to_string_lossy()]);
    for (repository, _) in IMAGES {
        let is_masters =
            ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"].contains(&repository);
        let name = repository.rsplit('/').next().unwrap();
        assert_eq!(images.contains(name), is_master || !is_masters, "{node}: {repository}: {images}");
    }
    if is_master {
        let fstab = file_in(&root, "/etc/fstab");
        assert!(fstab.contains("UUID=5c0a1f0e-1111-4b4b-8a8a-0123456789ab /mnt/root"), "{fstab}");
        let pool = file_in(&root, "/etc/imgforge/addons/90-addresses.yaml");
        assert!(pool.contains("192.168.1.240-192.168.1.250"), "{pool}");
    }
}

#[test]
fn docker_runs_the_containers_where_the_file_says_so() {
    let home = Home::with(Workbench::new());
    let text = fs::read_to_string(&home.file).unwrap();
    fs::write(&home.file, text.replace("role: master", "role: master\n    runtime: docker")).unwrap();
    succeeds(&mut home.imgforge(&["cluster", "init"], &[]));
    let plan = succeeds(&mut home.imgforge(&["plan"], &["--node", "k8s-master-1"]));
    let (changes, said) = (String::from_utf8(plan.stdout).unwrap(), String::from_utf8(plan.stderr).unwrap());
    assert!(said.contains("Debian's Docker runs the containers"), "{said}");
    for package in ["docker.io", "docker-cli"] {
        assert!(changes.contains(&format!("\npackage   {package} ")), "{changes}");
    }
    let out = home.path("out");
    fs::create_dir(&out).unwrap();
    succeeds(home.imgforge(&["build"], &["--offline", "--node", "k8s-master-1", "--output"]).arg(&out));
    let root = approved(&out.join("k8s-master-1.img"), &home.path(""));
    let document = file_in(&root, "/etc/imgforge/kubeadm/init.yaml");
    assert!(document.contains("criSocket: unix:///run/cri-dockerd.sock\n"), "{document}");
    assert!(file_in(&root, "/etc/docker/daemon.json").contains("native.cgroupdriver=systemd"));
    assert_eq!(
        file_in(&root, "/etc/default/cri-docker").lines().last(),
        Some("PAUSE_IMAGE=registry.k8s.io/pause:3.9")
    );
    let stat = |path: &str| Tool::DEBUGFS.approves(["-R", &format!("stat {path}"), &root.to_string_lossy()]);
    for program in [
        "/usr/local/lib/cri-dockerd/cri-dockerd",
        "/usr/sbin/dockerd",
        "/usr/bin/docker",
        "/usr/bin/containerd",
    ] {
        assert!(stat(program).contains("Type: regular    Mode:  0755"), "{program}");
    }
    let programs = Tool::DEBUGFS.approves(["-R", "ls -p /usr/local/bin", &root.to_string_lossy()]);
    assert!(programs.contains("/crictl/") && !programs.contains("containerd"), "{programs}");
}

#[test]
fn nothing_is_built_offline_from_an_empty_store() {
    let home = Home::with(Workbench::with_empty_store());
    succeeds(&mut home.imgforge(&["cluster", "init"], &[]));
    let said = fails(&mut home.imgforge(&["build"], &["--offline"]), 4);
    assert!(said.contains("offline"), "{said}");
    assert!(!home.path("k8s-master-1.img").exists());
}
