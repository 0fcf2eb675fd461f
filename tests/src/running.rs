//! A cluster that runs on this machine: real members of etcd and stand-ins for API servers (`tests/running`), at addresses of the
//! loopback network that no other run has.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{Home, repository, succeeds};

/// A cluster file, its secrets, and what runs of it.
#[derive(Debug)]
pub struct RunningCluster {
    /// Where the cluster file is.
    pub home: Home,
    network: String,
    processes: Vec<(String, Child)>,
}

impl RunningCluster {
    /// The cluster of `nodes`: host names with their roles. Nothing runs yet. Each has an address: see [`Self::address`].
    pub fn new(number: u8, nodes: &[(&str, &str)]) -> Self {
        let network = format!("127.{}.{}", 100 + number, std::process::id() % 250 + 1);
        let this = Self { home: Home::new(), network, processes: Vec::new() };
        let mut text =
            "name: home\nadd-ons: { network: none }\nallow: [address-special, endpoint-host]\n".to_owned();
        let masters = nodes.iter().filter(|(_, role)| *role == "master").count();
        if masters > 1 {
            text += &format!("endpoint: {{ host: {}.99 }}\n", this.network);
        }
        text += "nodes:\n";
        for (index, (hostname, role)) in nodes.iter().enumerate() {
            text += &format!(
                "  - {{ hostname: {hostname}, board: rpi4, role: {role}, address: {}/8 }}\n",
                this.address(index)
            );
        }
        fs::write(this.file(), text).expect("the cluster file");
        this.facts(&json!({ "nodes": [] }));
        succeeds(&mut this.imgforge(&["cluster", "init"]));
        this
    }

    /// The cluster file.
    pub fn file(&self) -> PathBuf {
        self.path("home.yaml")
    }

    /// A file beside it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The address of the node of this number, from 0.
    pub fn address(&self, index: usize) -> String {
        format!("{}.{}", self.network, 11 + index)
    }

    /// `imgforge WORDS --cluster home.yaml`.
    pub fn imgforge(&self, words: &[&str]) -> Command {
        let mut command = self.home.imgforge();
        command.args(words).arg("--cluster").arg(self.file());
        command
    }

    /// What the stand-ins' cluster has: `tests/running/api`.
    pub fn facts(&self, facts: &Value) {
        fs::write(self.path("facts"), facts.to_string()).expect("the facts");
    }

    /// What was changed through the API, one request a line.
    pub fn changes(&self) -> String {
        fs::read_to_string(self.path("facts.log")).unwrap_or_default()
    }

    /// Signs what the servers of a master need; returns the folder.
    pub fn certificates(&self, hostname: &str, address: &str, days: u32) -> PathBuf {
        let folder = self.path(&format!("pki-{hostname}"));
        let mut command = Command::new(repository().join("tests/running/certificates"));
        command.arg(self.path("home.secrets.yaml")).arg(&folder).args([hostname, address, &days.to_string()]);
        succeeds(&mut command);
        folder
    }

    /// Starts the stand-in for the API server on a master, with certificates from `folder`.
    pub fn start_api(&mut self, hostname: &str, address: &str, folder: &Path) {
        let mut command = Command::new(repository().join("tests/running/api"));
        command.arg(folder).arg(address).arg(self.path("facts"));
        self.start(format!("api {hostname}"), command, &format!("{address}:6443"));
    }

    /// Starts Kubernetes' own API server at `address`, where a member of etcd runs as well, with certificates from `folder`. It asks
    /// nobody for leave.
    pub fn start_kubernetes(&mut self, program: &Path, address: &str, folder: &Path) {
        let file = |name: &str| folder.join(name).display().to_string();
        let mut command = Command::new(program);
        command
            .args([
                "--secure-port=6443",
                "--authorization-mode=AlwaysAllow",
                "--endpoint-reconciler-type=none",
            ])
            .args(["--service-cluster-ip-range=10.96.0.0/12", "--disable-admission-plugins=ServiceAccount"])
            .args(["--service-account-issuer=https://kubernetes"])
            .arg(format!("--bind-address={address}"))
            .arg(format!("--advertise-address={address}"))
            .arg(format!("--etcd-servers=https://{address}:2379"));
        for (option, name) in [
            ("tls-cert-file", "apiserver.crt"),
            ("tls-private-key-file", "apiserver.key"),
            ("service-account-key-file", "apiserver.crt"),
            ("service-account-signing-key-file", "apiserver.key"),
            ("client-ca-file", "ca.crt"),
            ("etcd-cafile", "etcd-ca.crt"),
            ("etcd-certfile", "etcd.crt"),
            ("etcd-keyfile", "etcd.key"),
        ] {
            command.arg(format!("--{option}={}", file(name)));
        }
        let log = fs::File::create(self.path("kube-apiserver.log")).expect("a log");
        command.stdout(Stdio::null()).stderr(log);
        self.start("kube-apiserver".into(), command, &format!("{address}:6443"));
    }

    /// Has the node's own script answer at `address`, one process a connection as systemd does it, on a root file system of its
    /// own with these `stages`; returns that.
    pub fn first_boot(
        &mut self,
        hostname: &str,
        role: &str,
        address: &str,
        stages: &[(&str, &str)],
    ) -> PathBuf {
        let root = self.path(&format!("root-{hostname}"));
        let common = repository().join("overlays/common/root");
        let states = root.join("run/imgforge/stages");
        for folder in [&states, &root.join("etc/imgforge"), &root.join("usr/bin")] {
            fs::create_dir_all(folder).expect("a folder of the node");
        }
        fs::copy(common.join("usr/bin/imgforge-status"), root.join("usr/bin/imgforge-status"))
            .expect("a script");
        succeeds(Command::new("chmod").arg("755").arg(root.join("usr/bin/imgforge-status")));
        let node = format!("IMGFORGE_HOSTNAME={hostname}\nIMGFORGE_ROLE={role}\nIMGFORGE_BOARD=rpi4\n");
        fs::write(root.join("etc/imgforge/node.env"), node).expect("the node's settings");
        for (stage, state) in stages {
            fs::write(states.join(stage), state).expect("a stage");
        }
        let mut command = Command::new("systemd-socket-activate");
        command
            .args(["--accept", "--inetd", "-l", &format!("{address}:6442")])
            .arg(format!("--setenv=IMGFORGE_ROOT={}", root.display()))
            .arg(format!("--setenv=IMGFORGE_LIB={}", common.join("usr/lib/imgforge").display()))
            .arg("/bin/sh")
            .arg(common.join("usr/lib/imgforge/answer"))
            .stderr(Stdio::null());
        self.start(format!("first boot {hostname}"), command, &format!("{address}:6442"));
        root
    }

    /// Starts members of etcd, all at once, as kubeadm's static pods have them: names, addresses, folders of certificates.
    pub fn start_etcd(&mut self, members: &[(&str, &str, &Path)]) {
        let cluster: Vec<String> =
            members.iter().map(|(name, address, _)| format!("{name}=https://{address}:2380")).collect();
        for (name, address, folder) in members {
            let file = |name: &str| folder.join(name).display().to_string();
            let mut command = Command::new("etcd");
            command
                .arg(format!("--name={name}"))
                .arg(format!("--data-dir={}", self.path(&format!("etcd-{name}")).display()))
                .arg(format!("--listen-client-urls=https://{address}:2379"))
                .arg(format!("--advertise-client-urls=https://{address}:2379"))
                .arg(format!("--listen-peer-urls=https://{address}:2380"))
                .arg(format!("--initial-advertise-peer-urls=https://{address}:2380"))
                .arg(format!("--initial-cluster={}", cluster.join(",")))
                .args(["--client-cert-auth=true", "--peer-client-cert-auth=true", "--snapshot-count=10000"])
                .arg(format!("--trusted-ca-file={}", file("etcd-ca.crt")))
                .arg(format!("--peer-trusted-ca-file={}", file("etcd-ca.crt")))
                .args(
                    ["cert-file", "peer-cert-file"].map(|option| format!("--{option}={}", file("etcd.crt"))),
                )
                .args(["key-file", "peer-key-file"].map(|option| format!("--{option}={}", file("etcd.key"))));
            let log = fs::File::create(self.path(&format!("etcd-{name}.log"))).expect("a log");
            command.stdout(Stdio::null()).stderr(log).env("GOMAXPROCS", "1");
            let child = command.spawn().expect("etcd can be run: scripts/install-dependencies");
            self.processes.push((format!("etcd {name}"), child));
        }
        for (_, address, _) in members {
            wait_for(&format!("{address}:2379"));
        }
    }

    /// Starts anything that listens at `socket`.
    pub fn start(&mut self, name: String, mut command: Command, socket: &str) {
        let child = command.stdin(Stdio::null()).spawn().expect("the partner can be run");
        self.processes.push((name, child));
        wait_for(socket);
    }

    /// Ends the process of this name as a power cut would.
    pub fn cut(&mut self, name: &str) {
        let at = self.processes.iter().position(|(found, _)| found == name).expect("it runs");
        end(&mut self.processes.remove(at).1);
    }

    /// etcdctl, as a client of the member at `address`.
    pub fn etcdctl(&self, address: &str, folder: &Path) -> Command {
        let file = |name: &str| folder.join(name).display().to_string();
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").arg(format!("--endpoints=https://{address}:2379")).args([
            format!("--cacert={}", file("etcd-ca.crt")),
            format!("--cert={}", file("etcd.crt")),
            format!("--key={}", file("etcd.key")),
        ]);
        command
    }
}

fn wait_for(socket: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(socket).is_err() {
        assert!(Instant::now() < until, "nothing listens at {socket}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for RunningCluster {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(|(_, child)| end(child));
    }
}
