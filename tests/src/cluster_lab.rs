//! The nodes of one cluster file in QEMU: their images, and what the API server tells its administrator.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Guest, SignedRepository, Workbench, succeeds};

/// When to give up: about ten times what an idle machine of two cores needs, since other tests run beside the boots.
const FIRST_BOOT: Duration = Duration::from_secs(1200);
const REPORT: Duration = Duration::from_secs(600);

/// A cluster's images, and what its owner has on the workstation.
#[derive(Debug)]
pub struct ClusterLab {
    bench: Workbench,
    _packages: SignedRepository,
    file: PathBuf,
}

impl ClusterLab {
    /// The images of the cluster file `cluster`, with what `packages` serves.
    pub fn new(bench: Workbench, packages: SignedRepository, cluster: &str) -> Self {
        let file = bench.home.path().join("home.yaml");
        fs::write(&file, cluster).expect("the cluster file");
        let lab = Self { bench, _packages: packages, file };
        lab.imgforge(&["cluster", "init"]);
        lab.imgforge(&["build", "--output", &lab.path("").to_string_lossy()]);
        lab.imgforge(&["kubeconfig"]);
        lab
    }

    fn imgforge(&self, words: &[&str]) {
        let (verb, options) = words.split_at(if words[0] == "cluster" { 2 } else { 1 });
        succeeds(self.bench.imgforge().args(verb).arg("--cluster").arg(&self.file).args(options));
    }

    /// A file of the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.bench.home.path().join(name)
    }

    /// The image of `node`.
    pub fn image(&self, node: &str) -> PathBuf {
        self.path(&format!("{node}.img"))
    }

    /// A disk with the label that the cluster file names.
    pub fn disk(&self) -> PathBuf {
        let disk = self.path("raid.img");
        succeeds(Command::new("mke2fs").args(["-q", "-t", "ext4", "-L", "raid"]).arg(&disk).arg("256M"));
        disk
    }

    /// What the API server tells its administrator, through a port of this machine.
    fn state(&self, port: u16) -> Option<Value> {
        let kubeconfig = fs::read_to_string(self.path("home.kubeconfig")).expect("what a test made");
        let mut command = Command::new("curl");
        command.args(["--silent", "--fail", "--max-time", "30", "https://192.168.76.10:6443/state"]);
        command.arg("--connect-to").arg(format!("192.168.76.10:6443:127.0.0.1:{port}"));
        for (option, field) in [
            ("--cacert", "certificate-authority-data"),
            ("--cert", "client-certificate-data"),
            ("--key", "client-key-data"),
        ] {
            let file = self.path(field);
            decode(&kubeconfig, field, &file);
            command.arg(option).arg(file);
        }
        let said = command.output().expect("what a test made");
        said.status.success().then(|| serde_json::from_slice(&said.stdout).expect("what a test made"))
    }

    /// Waits until the API server's administrator is told what `is_wanted`.
    pub fn wait_for_state(&self, port: u16, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + REPORT;
        loop {
            let state = self.state(port);
            if let Some(state) = state.as_ref().filter(|state| is_wanted(state)) {
                return state.clone();
            }
            assert!(Instant::now() < deadline, "the API server still says {state:?}");
            thread::sleep(Duration::from_secs(2));
        }
    }
}

/// Writes what `field` of a kubeconfig holds to `file`.
fn decode(kubeconfig: &str, field: &str, file: &Path) {
    let (_, rest) = kubeconfig.split_once(&format!("{field}: ")).expect("what a test made");
    let script = "printf %s \"$0\" | base64 -d > \"$1\"";
    succeeds(
        Command::new("sh").args(["-c", script, rest.lines().next().expect("what a test made")]).arg(file),
    );
}

/// What `state` says of the node `name`.
pub fn node<'a>(state: &'a Value, name: &str) -> Option<&'a Value> {
    state["nodes"].as_array().expect("nodes").iter().find(|node| node["name"] == name)
}

/// Waits until the first boot of `node` has ended well.
pub fn finishes(guest: &mut Guest, node: &str) {
    let time = guest.wait_for(&format!("imgforge: first boot finished: {node}"), FIRST_BOOT);
    println!("{node}: first boot finished after {:.0} s", time.as_secs_f64());
}
