//! Real Kubernetes on two emulated boards: `make boot-kubernetes`. One cluster file, two images, and nobody touches what
//! they become.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use imgforge_tests::{
    Guest, KUBERNETES_REGISTRY, Lan, Registry, SignedRepository, Tool, Workbench, free_port,
    kubernetes_images, kubernetes_packages, kubernetes_program, partitions, succeeds,
};
use serde_json::Value;

/// About six times what an idle machine of two cores needs.
const FIRST_BOOT: Duration = Duration::from_secs(3600);
const SETTLING: Duration = Duration::from_secs(1200);

/// Bytes of a node's card.
const CARD: u64 = 6 << 30;

/// What the boards have, in MiB: as the profile says.
const MEMORY: &str = "2048";

/// There is no network plugin among Debian's packages that needs no container image, so the file itself connects the pods:
/// a bridge on each node, and a route to the other's.
const CLUSTER: &str = "\
name: home
kubernetes: 1.20.2
images: { etcd: 3.5.16-0 } # Debian's
lan: { gateway: 192.168.76.1 } # where nobody is
add-ons: { network: none }
users: # the password is `imgforge`
  - name: ops
    password-hash: $6$imgforge$ZTfWDDw7O8kxz2CkN9CP2YOgkFeDNdtrh7MQVTkNWeXz7XMuQzQBBqGCGr9771R5ioDaRWRtMZDNe5hgnatsu1
    sudo: true
nodes:
  - hostname: k8s-master-1
    board: virt-arm64
    role: master
    address: 192.168.76.10/24
    labels: { home.example/raid: \"true\" }
    files:
      - path: /etc/cni/net.d/10-bridge.conflist
        content: BRIDGE 10.244.0.0/24
      - path: /etc/systemd/network/05-imgforge.network.d/pods.conf
        content: |
          [Route]
          Destination=10.244.1.0/24
          Gateway=192.168.76.11
      - path: /etc/systemd/network/04-management.network # a second card, for this machine only
        content: |
          [Match]
          MACAddress=52:54:00:12:35:01
          [Network]
          DHCP=ipv4
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

/// A cluster's images, and what its owner has on the workstation.
struct Lab {
    bench: Workbench,
    packages: SignedRepository,
    images: Registry,
}

impl Lab {
    fn new() -> Self {
        let lab =
            Self { bench: Workbench::new(), packages: kubernetes_packages(), images: kubernetes_images() };
        fs::write(lab.bench.profiles().join("kubernetes/1.20.yaml"), lab.release()).unwrap();
        let mirror = format!("mirrors: {{ 'https://{KUBERNETES_REGISTRY}/': ['{}'] }}\n", lab.images.url());
        fs::write(lab.path("config.yaml"), mirror).unwrap();
        let connect = |text: String, subnet: &str| {
            text.replace(&format!("BRIDGE {subnet}"), &BRIDGE.replace("SUBNET", subnet))
        };
        let text = ["10.244.0.0/24", "10.244.1.0/24"].into_iter().fold(CLUSTER.to_owned(), connect);
        fs::write(lab.path("home.yaml"), text).unwrap();
        lab.imgforge(&["cluster", "init"]);
        lab.imgforge(&["kubeconfig"]);
        lab.imgforge(&["build", "--output", &lab.path("").to_string_lossy()]);
        lab
    }

    fn release(&self) -> String {
        format!(
            "release: \"1.20\"\nversion: 1.20.2\ndescription: from Debian's sources\nrepositories: [{}]\n\
             packages: [kubeadm, kubelet, kubectl, cri-tools, containerd, runc, containernetworking-plugins]\n",
            self.packages.declaration()
        )
    }

    fn imgforge(&self, words: &[&str]) {
        succeeds(self.bench.imgforge().args(words).arg("--cluster").arg(self.path("home.yaml")));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.home.path().join(name)
    }

    /// The image of `node`, on a card that has more room than the image.
    fn card(&self, node: &str) -> PathBuf {
        let image = self.path(&format!("{node}.img"));
        File::options().write(true).open(&image).and_then(|file| file.set_len(CARD)).unwrap();
        image
    }

    /// What `kubectl WORDS -o json` says, on this machine, to the administrator; nothing while it fails.
    fn kubectl(&self, port: u16, words: &[&str]) -> Option<Value> {
        let mut command = kubernetes_program("kubectl");
        command.arg("--kubeconfig").arg(self.path("home.kubeconfig"));
        // The network of the guests is not this machine's.
        command.arg(format!("--server=https://127.0.0.1:{port}")).args([
            "--request-timeout=60s",
            "-o",
            "json",
        ]);
        let output = command.args(words).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Waits until `kubectl WORDS` lists what `is_wanted`.
    fn wait_for(&self, port: u16, words: &[&str], is_wanted: impl Fn(&[Value]) -> bool) {
        let deadline = Instant::now() + SETTLING;
        loop {
            let said = self.kubectl(port, words);
            let items = said.as_ref().and_then(|said| said["items"].as_array());
            if items.is_some_and(|items| is_wanted(items)) {
                return;
            }
            assert!(Instant::now() < deadline, "kubectl {words:?} still says {said:?}");
            // Each call costs the emulated board seconds.
            thread::sleep(Duration::from_secs(15));
        }
    }

    /// Waits for what the cluster's owner wants to see.
    fn judge(&self, port: u16) {
        self.wait_for(port, &["get", "nodes"], |nodes| {
            let labels = [
                ("k8s-master-1", "home.example/raid", "true"),
                ("k8s-worker-1", "home.example/network", "gigabit"),
            ];
            labels.iter().all(|(name, label, value)| {
                let node = nodes.iter().find(|node| node["metadata"]["name"] == *name);
                node.is_some_and(|node| is(node, "Ready") && node["metadata"]["labels"][label] == *value)
            })
        });
        self.wait_for(port, &["get", "pods", "--namespace", "kube-system"], |pods| {
            let proxies =
                pods.iter().filter(|pod| pod["metadata"]["labels"]["k8s-app"] == "kube-proxy").count();
            proxies == 2 && pods.iter().all(|pod| is(pod, "Ready"))
        });
    }
}

/// Whether `thing` is in this condition.
fn is(thing: &Value, condition: &str) -> bool {
    let conditions = thing["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|one| one["type"] == condition && one["status"] == "True"))
}

fn finishes(guest: &mut Guest, node: &str) {
    let time = guest.wait_for(&format!("imgforge: first boot finished: {node}"), FIRST_BOOT);
    println!("{node}: first boot finished after {:.0} s", time.as_secs_f64());
}

/// The network that the nodes are powered on in.
struct Site<'a> {
    lab: &'a Lab,
    lan: Lan,
    /// Of this machine; leads to the API server.
    port: u16,
}

impl<'a> Site<'a> {
    fn new(lab: &'a Lab) -> Self {
        Self { lab, lan: Lan::new(), port: free_port() }
    }

    fn master(&self) -> Guest {
        let management = format!("{}:6443", self.port);
        let options = ["--memory", MEMORY, "--management", &management];
        self.lan.boot(1, &self.lab.card("k8s-master-1"), &options)
    }

    fn worker(&self) -> Guest {
        self.lan.boot(2, &self.lab.card("k8s-worker-1"), &["--memory", MEMORY])
    }
}

#[test]
fn the_master_is_powered_on_first() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let mut master = site.master();
    finishes(&mut master, "k8s-master-1 (master)");
    let mut worker = site.worker();
    finishes(&mut worker, "k8s-worker-1 (worker)");
    lab.judge(site.port);
}

#[test]
fn the_worker_is_powered_on_first() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let mut worker = site.worker();
    worker.wait_for("imgforge: [kubeadm] kubeadm join: takes minutes", FIRST_BOOT);
    let mut master = site.master();
    finishes(&mut master, "k8s-master-1 (master)");
    finishes(&mut worker, "k8s-worker-1 (worker)");
    lab.judge(site.port);
}

/// kubeadm warns of a field that it does not know, and goes on without it.
fn takes(command: &mut Command) {
    let output = succeeds(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("error unmarshaling"), "{command:?}: {said}");
}

#[test]
fn kubeadm_takes_the_documents_patches_and_authorities() {
    let lab = Lab::new();
    for (node, document) in [("k8s-master-1", "init.yaml"), ("k8s-worker-1", "join.yaml")] {
        let dir = lab.path(node);
        fs::create_dir_all(dir.join("etc/imgforge")).unwrap();
        let root = partitions(&lab.path(&format!("{node}.img")))
            .last()
            .unwrap()
            .carve(&lab.path(&format!("{node}.img")), &dir);
        let dump = format!("rdump /etc/imgforge/kubeadm {}", dir.join("etc/imgforge").display());
        Tool::DEBUGFS.approves(["-R", &dump, &root.to_string_lossy()]);
        let path = dir.join("etc/imgforge/kubeadm").join(document);
        takes(
            kubernetes_program("kubeadm")
                .args(["config", "migrate", "--new-config", "/dev/null", "--old-config"])
                .arg(path),
        );
    }
    // In a root of its own, kubeadm makes of it what it would make on the node.
    let root = lab.path("k8s-master-1");
    let kubeadm = kubernetes_program("kubeadm");
    fs::copy(kubeadm.get_program(), root.join("kubeadm")).unwrap();
    fs::rename(root.join("etc/imgforge/kubeadm/kubernetes"), root.join("etc/kubernetes")).unwrap();
    fs::create_dir(root.join("tmp")).unwrap();
    let arguments = fs::read_to_string(root.join("etc/imgforge/kubeadm/arguments")).unwrap();
    for (phase, arguments) in [
        (["certs", "all"], ""),
        (["kubeconfig", "all"], ""),
        (["control-plane", "all"], arguments.trim()),
        (["etcd", "local"], arguments.trim()),
    ] {
        let mut command = Command::new("unshare");
        command
            .arg("--map-root-user")
            .arg("chroot")
            .arg(&root)
            .args(["/kubeadm", "init", "phase"])
            .args(phase);
        takes(command.args(["--config", "/etc/imgforge/kubeadm/init.yaml"]).args(arguments.lines()));
    }
    let pod = fs::read_to_string(root.join("etc/kubernetes/manifests/kube-apiserver.yaml")).unwrap();
    assert!(pod.contains("failureThreshold: 61\n"), "20 minutes to start: {pod}");
    let etcd = fs::read_to_string(root.join("etc/kubernetes/manifests/etcd.yaml")).unwrap();
    assert!(etcd.contains("ETCD_ELECTION_TIMEOUT") && etcd.contains("etcd:3.5.16-0"), "{etcd}");
}
