//! A member of etcd by itself, for what it leaves.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::succeeds;

/// What is left in the etcd of a cluster of this `name` and `release`, whose authority has `certificate`: key and value each.
pub fn of_cluster(name: &str, release: &str, certificate: &str) -> Vec<(String, String)> {
    let settings = format!(
        "apiServer:\n  timeoutForControlPlane: 4m0s\nclusterName: {name}\nkubernetesVersion: v{release}\n"
    );
    let object = |name: &str, text| (format!("/registry/configmaps/kube-system/{name}"), text);
    vec![object("kubeadm-config", settings), object("kube-root-ca.crt", certificate.to_owned())]
}

/// The certificate of the cluster's authority in a file of secrets, in PEM.
pub fn authority(secrets: &Path) -> String {
    let secrets = fs::read_to_string(secrets).expect("what `cluster init` made");
    let (_, rest) = secrets.split_once("\nca:\n  certificate: |\n").expect("an authority");
    rest.lines().take_while(|line| !line.contains("key:")).map(|line| line.trim().to_owned() + "\n").collect()
}

/// Has a new etcd take `entries`, and writes its snapshot to `file`.
pub fn etcd_snapshot(entries: &[(String, String)], file: &Path) {
    let member = Member::start();
    for (key, value) in entries {
        succeeds(member.etcdctl().args(["put", "--", key, value]));
    }
    let _ = fs::remove_file(file);
    succeeds(member.etcdctl().args(["snapshot", "save"]).arg(file));
}

/// It ends with the value.
struct Member {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Member {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        // Ports that were free a moment ago: etcd cannot choose them and tell.
        let doors = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [client, peer] = doors.map(|door| door.local_addr().expect("a bound socket has an address"));
        let (url, peer) = (format!("http://{client}"), format!("http://{peer}"));
        let process = Command::new("etcd")
            .arg(format!("--data-dir={}", folder.path().join("data").display()))
            .args([format!("--listen-client-urls={url}"), format!("--advertise-client-urls={url}")])
            .args([format!("--listen-peer-urls={peer}"), format!("--initial-advertise-peer-urls={peer}")])
            .arg(format!("--initial-cluster=default={peer}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd can be run: scripts/install-dependencies");
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(client).is_err() {
            assert!(Instant::now() < until, "etcd does not start");
            thread::sleep(Duration::from_millis(50));
        }
        Self { process, url, _folder: folder }
    }

    fn etcdctl(&self) -> Command {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").arg(format!("--endpoints={}", self.url));
        command
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
