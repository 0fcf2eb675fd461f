//! A cluster file and what is made of it: images, cards, what its owner has on the workstation, and the network that the nodes
//! are powered on in.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{self, Child, Command},
    thread,
    time::{Duration, Instant},
};

use imgforge_tests::{
    Base, Guest, KUBERNETES_REGISTRY, Lan, Registry, SignedRepository, Tool, Workbench, file_in,
    kubernetes_images, kubernetes_packages, kubernetes_program, partitions, sha256, succeeds,
};
use serde_json::Value;

const SETTLING: Duration = Duration::from_secs(1200);

/// Bytes of a node's card, and of the master's disk.
const CARD: u64 = 6 << 30;
const DISK: &str = "4G";

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
    mounts:
      - { source: LABEL=raid, target: /mnt/root }
    storage: # as in examples/home.yaml
      - { path: /var/lib/etcd, on: /mnt/root/var/lib/etcd }
      - { path: /var/lib/containerd, on: /mnt/root/var/lib/containerd }
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
      - path: /etc/systemd/network/04-management.network
        content: |
          [Match]
          MACAddress=52:54:00:12:35:02
          [Network]
          DHCP=ipv4
";

/// <https://www.cni.dev/plugins/current/main/bridge/>
const BRIDGE: &str = r#"'{
          "cniVersion": "0.3.1", "name": "pods", "plugins": [
            { "type": "bridge", "bridge": "cni0", "isGateway": true,
              "ipam": { "type": "host-local", "ranges": [[{ "subnet": "SUBNET" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
            { "type": "portmap", "capabilities": { "portMappings": true } }
          ] }'"#;

/// What the newer base calls itself, and what its nodes then say they run.
pub const NEWER: &str = "Debian with a later date";

/// A cluster's images, and what its owner has on the workstation.
pub struct Lab {
    bench: Workbench,
    packages: SignedRepository,
    images: Registry,
}

impl Lab {
    pub fn new() -> Self {
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
        succeeds(&mut lab.imgforge(&["cluster", "init"]));
        succeeds(&mut lab.imgforge(&["kubeconfig"]));
        lab.build(&[]);
        lab
    }

    fn release(&self) -> String {
        format!(
            "release: \"1.20\"\nversion: 1.20.2\ndescription: from Debian's sources\nrepositories: [{}]\n\
             packages: [kubeadm, kubelet, kubectl, cri-tools, containerd, runc, containernetworking-plugins]\n",
            self.packages.declaration()
        )
    }

    pub fn imgforge(&self, words: &[&str]) -> Command {
        let mut command = self.bench.imgforge();
        command.args(words).arg("--cluster").arg(self.path("home.yaml"));
        command
    }

    /// Writes images of the nodes that `options` name, or of all. A card that a node has used is written over.
    fn build(&self, options: &[&str]) {
        succeeds(self.imgforge(&["build"]).arg("--output").arg(self.path("")).args(options));
    }

    /// Changes the cluster file.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("home.yaml")).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(self.path("home.yaml"), text.replace(from, to)).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.bench.home.path().join(name)
    }

    /// The image of `node`, on a card that has more room than the image.
    fn card(&self, node: &str) -> PathBuf {
        let image = self.path(&format!("{node}.img"));
        File::options().write(true).open(&image).and_then(|file| file.set_len(CARD)).unwrap();
        image
    }

    /// The disk that the master's etcd and containers belong on; made once.
    fn disk(&self) -> PathBuf {
        let disk = self.path("raid.img");
        if !disk.exists() {
            succeeds(Command::new("mke2fs").args(["-q", "-t", "ext4", "-L", "raid"]).arg(&disk).arg(DISK));
        }
        disk
    }

    /// Builds the image of `node` again, on a base that the vendor has published since.
    pub fn write_anew(&self, node: &str) {
        let base = self.path("newer.img");
        succeeds(Command::new("cp").arg("--sparse=always").arg(Base::VirtArm64.image()).arg(&base));
        self.rename_system(&base);
        fs::write(self.path("newer.img.sha256"), format!("{}  newer.img\n", sha256(&base))).unwrap();
        let profile = self.bench.profiles().join("virt-arm64.yaml");
        let lines = fs::read_to_string(&profile).unwrap();
        let lines = lines.lines().map(|line| match line.trim_start().starts_with("file: ") {
            true => format!("  file: {}\n", base.display()),
            false => format!("{line}\n"),
        });
        fs::write(&profile, lines.collect::<String>()).unwrap();
        succeeds(&mut self.imgforge(&["lock", "--update"]));
        self.build(&["--node", node]);
    }

    /// Has the system in the image `base` call itself [`NEWER`].
    fn rename_system(&self, base: &Path) {
        const FILE: &str = "/usr/lib/os-release";
        let root = partitions(base).pop().unwrap().ext4(base);
        let text = file_in(Path::new(&root), FILE);
        let text = text.lines().map(|line| match line.starts_with("PRETTY_NAME=") {
            true => format!("PRETTY_NAME=\"{NEWER}\"\n"),
            false => format!("{line}\n"),
        });
        fs::write(self.path("os-release"), text.collect::<String>()).unwrap();
        let write = format!("write {} {FILE}", self.path("os-release").display());
        for request in [format!("rm {FILE}"), write] {
            Tool::DEBUGFS.approves(["-w", "-R", &request, &root]);
        }
    }
}

/// Whether `thing` is in this condition.
pub fn is(thing: &Value, condition: &str) -> bool {
    self::condition(thing, condition).is_some_and(|one| one["status"] == "True")
}

/// What `thing` says of this condition.
pub fn condition<'a>(thing: &'a Value, condition: &str) -> Option<&'a Value> {
    thing["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == condition)
}

/// The network that the nodes are powered on in.
pub struct Site<'a> {
    lab: &'a Lab,
    lan: Lan,
    /// The first three numbers of the addresses at which this machine reaches the nodes.
    here: String,
}

impl<'a> Site<'a> {
    pub fn new(lab: &'a Lab) -> Self {
        // Addresses of the loopback network that no other run has.
        Self { lab, lan: Lan::new(), here: format!("127.90.{}", process::id() % 250 + 1) }
    }

    /// The master, with its disk.
    pub fn master(&self) -> Guest {
        let disk = self.lab.disk();
        self.boot(1, "k8s-master-1", &[6443, 6442], &["--disk", &disk.to_string_lossy()])
    }

    pub fn worker(&self) -> Guest {
        self.boot(2, "k8s-worker-1", &[6442], &[])
    }

    fn boot(&self, number: u8, node: &str, ports: &[u16], options: &[&str]) -> Guest {
        let here = self.reach(node);
        let forwards: Vec<String> = ports.iter().map(|port| format!("{here}:{port}:{port}")).collect();
        let forwards = forwards.iter().flat_map(|forward| ["--management", forward.as_str()]);
        let options: Vec<&str> =
            ["--memory", MEMORY].into_iter().chain(forwards).chain(options.iter().copied()).collect();
        self.lan.boot(number, &self.lab.card(node), &options)
    }

    /// Where this machine reaches `node`.
    fn reach(&self, node: &str) -> String {
        format!("{}.{}", self.here, if node == "k8s-master-1" { 10 } else { 11 })
    }

    /// `imgforge WORDS` for the cluster, which is reached through forwarded ports.
    pub fn imgforge(&self, words: &[&str]) -> Command {
        let mut command = self.lab.imgforge(words);
        for node in ["k8s-master-1", "k8s-worker-1"] {
            command.arg("--at").arg(format!("{node}={}", self.reach(node)));
        }
        command
    }

    /// Begins to follow the nodes by `imgforge status --wait`.
    pub fn watch(&self) -> Watch {
        let said = self.lab.path("status");
        let mut command = self.imgforge(&["status", "--wait", "--timeout", "2h"]);
        let page = File::create(&said).unwrap();
        let child = command.stdout(page.try_clone().unwrap()).stderr(page).spawn().unwrap();
        Watch { child, said, since: Instant::now() }
    }

    /// kubectl on this machine, as the administrator.
    pub fn kubectl(&self, words: &[&str]) -> Command {
        let mut command = kubernetes_program("kubectl");
        command.arg("--kubeconfig").arg(self.lab.path("home.kubeconfig"));
        // The network of the guests is not this machine's.
        command.arg(format!("--server=https://{}:6443", self.reach("k8s-master-1")));
        command.args(["--tls-server-name=k8s-master-1", "--request-timeout=60s"]).args(words);
        command
    }

    /// What `kubectl get WORDS` lists once it is what `is_wanted`.
    pub fn wait_for(&self, words: &[&str], is_wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + SETTLING;
        loop {
            let output = self.kubectl(&["get", "-o", "json"]).args(words).output().unwrap();
            let said = output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap());
            let items = said.as_ref().and_then(|said: &Value| said["items"].as_array());
            if let Some(items) = items.filter(|items| is_wanted(items)) {
                return items.clone();
            }
            assert!(Instant::now() < deadline, "kubectl get {words:?} still says {said:?}");
            // Each call costs the emulated board seconds.
            thread::sleep(Duration::from_secs(15));
        }
    }
}

/// `imgforge status --wait`, at work.
pub struct Watch {
    child: Child,
    said: PathBuf,
    since: Instant,
}

impl Watch {
    /// What it has said when it ends, all nodes being Ready.
    pub fn ends(mut self) -> String {
        let status = self.child.wait().unwrap();
        let said = fs::read_to_string(&self.said).unwrap();
        println!("imgforge status --wait, {:.0} s:\n{said}", self.since.elapsed().as_secs_f64());
        assert!(status.success(), "{status}: {said}");
        said
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
