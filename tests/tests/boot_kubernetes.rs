//! Real Kubernetes on two emulated boards: `make boot-kubernetes`. One cluster file, two images, and nobody touches what
//! they become.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, path::PathBuf};

use imgforge_tests::{SignedRepository, Workbench, approved, kubernetes_packages, succeeds};

/// There is no network plugin among Debian's packages that needs no container image, so the file itself connects the pods:
/// a bridge on each node, and a route to the other's.
const CLUSTER: &str = "\
name: home
kubernetes: 1.20.2
images: { etcd: 3.5.16-0 } # Debian's
lan: { gateway: 192.168.76.2 }
add-ons: { network: none }
nodes:
  - hostname: k8s-master-1
    board: virt-arm64
    role: master
    address: 192.168.76.10/24
    labels: { home.example/raid: \"true\" }
    packages: [control-plane-images]
    files:
      - path: /etc/cni/net.d/10-bridge.conflist
        content: BRIDGE 10.244.0.0/24
      - path: /etc/systemd/network/05-imgforge.network.d/pods.conf
        content: |
          [Route]
          Destination=10.244.1.0/24
          Gateway=192.168.76.11
  - hostname: k8s-worker-1
    board: virt-arm64
    address: 192.168.76.11/24
    labels: { home.example/network: gigabit }
    files:
      - path: /etc/cni/net.d/10-bridge.conflist
        content: BRIDGE 10.244.1.0/24
      - path: /etc/systemd/network/05-imgforge.network.d/pods.conf
        content: |
          [Route]
          Destination=10.244.0.0/24
          Gateway=192.168.76.10
";

/// <https://www.cni.dev/plugins/current/main/bridge/>
const BRIDGE: &str = r#"'{
          "cniVersion": "0.3.1", "name": "pods", "plugins": [
            { "type": "bridge", "bridge": "cni0", "isGateway": true,
              "ipam": { "type": "host-local", "ranges": [[{ "subnet": "SUBNET" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
            { "type": "portmap", "capabilities": { "portMappings": true } }
          ] }'"#;

/// A workbench with the cluster's file, and the images of its nodes.
struct Lab {
    bench: Workbench,
    _packages: SignedRepository,
}

impl Lab {
    fn new() -> Self {
        let bench = Workbench::new();
        let packages = kubernetes_packages();
        let release = format!(
            "release: \"1.20\"\nversion: 1.20.2\ndescription: from Debian's sources\nrepositories: [{}]\n\
             packages: [kubeadm, kubelet, kubectl, cri-tools, containernetworking-plugins, containerd, runc, node-images]\n",
            packages.declaration()
        );
        fs::write(bench.profiles().join("kubernetes/1.20.yaml"), release).unwrap();
        let text = ["10.244.0.0/24", "10.244.1.0/24"].into_iter().fold(CLUSTER.to_owned(), |text, subnet| {
            text.replace(&format!("BRIDGE {subnet}"), &BRIDGE.replace("SUBNET", subnet))
        });
        let lab = Self { bench, _packages: packages };
        fs::write(lab.file(), text).unwrap();
        for words in [&["cluster", "check"][..], &["cluster", "init"], &["kubeconfig"]] {
            lab.imgforge(words);
        }
        fs::create_dir(lab.images()).unwrap();
        lab.imgforge(&["build", "--output", lab.images().to_str().unwrap()]);
        lab
    }

    fn file(&self) -> PathBuf {
        self.bench.home.path().join("home.yaml")
    }

    fn images(&self) -> PathBuf {
        self.bench.home.path().join("images")
    }

    fn imgforge(&self, words: &[&str]) {
        let output = succeeds(self.bench.imgforge().args(words).arg("--cluster").arg(self.file()));
        print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn try_build() {
    let lab = Lab::new();
    for name in ["k8s-master-1", "k8s-worker-1"] {
        let image = lab.images().join(format!("{name}.img"));
        approved(&image, lab.bench.home.path());
        fs::copy(&image, format!("/tmp/k8swork/{name}.img")).unwrap();
    }
    fs::copy(lab.bench.home.path().join("home.kubeconfig"), "/tmp/k8swork/home.kubeconfig").unwrap();
}
