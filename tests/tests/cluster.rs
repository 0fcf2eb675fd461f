//! A cluster of two from one file: secrets, images, and what is in them.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use imgforge_tests::{
    LoopDevice, Tool, Workbench, approved, authority, etcd_snapshot, fails, file_in, of_cluster, succeeds,
};
use serde_json::Value;

const CLUSTER: &str = "\
name: home
add-ons: { network: none }
carry-images: false # no registry has any
users:
  - { name: ops, sudo: true, ssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D ops] }
nodes:
  - { hostname: k8s-master-1, board: virt-arm64, role: master, taints: [], address: 192.168.76.10/24 }
  - { hostname: k8s-worker-1, board: virt-arm64, labels: { home.example/disk: none } }
";

/// Kubernetes' own servers cannot be reached from everywhere the tests run: Debian's client and runtime stand in.
const RELEASE: &str = "\
release: \"1.36\"
description: what Debian has, under another name
packages: [containerd, runc, containernetworking-plugins, kubernetes-client]
";

const PKI: &str = "/etc/imgforge/kubeadm/kubernetes/pki";

/// A workbench with a cluster file.
struct Lab {
    bench: Workbench,
    file: PathBuf,
}

impl Lab {
    fn new() -> Self {
        let bench = Workbench::new();
        fs::write(bench.profiles().join("kubernetes/1.36.yaml"), RELEASE).unwrap();
        let file = bench.home.path().join("home.yaml");
        fs::write(&file, CLUSTER).unwrap();
        Self { bench, file }
    }

    /// `imgforge WORDS --cluster home.yaml`.
    fn imgforge(&self, words: &[&str]) -> Command {
        let mut command = self.bench.imgforge();
        let (verb, options) = words.split_at(if words[0] == "cluster" { 2 } else { 1 });
        command.args(verb).arg("--cluster").arg(&self.file).args(options);
        command
    }

    /// Builds all nodes into a new folder `name`.
    fn build(&self, name: &str, options: &[&str]) -> PathBuf {
        let folder = self.bench.home.path().join(name);
        fs::create_dir(&folder).unwrap();
        succeeds(self.imgforge(&[&["build"], options].concat()).arg("--output").arg(&folder));
        folder
    }

    /// What is said where all nodes go onto `card`, with these answers as printf has them, at a terminal of script(1).
    fn flash_all(&self, card: &Path, answers: &str) -> String {
        let flash = self.imgforge(&["flash"]);
        let line: Vec<_> = [flash.get_program()].into_iter().chain(flash.get_args()).collect();
        let line = line.iter().map(|word| format!("'{}'", word.display())).collect::<Vec<_>>().join(" ");
        let mut script = Command::new("sh");
        script.args(["-c", "printf \"$1\" | script -qec \"$0\" /dev/null"]);
        script.arg(format!("{line} --yes --force-device '{}'", card.display())).arg(answers);
        script.envs(flash.get_envs().filter_map(|(name, value)| Some((name, value?))));
        String::from_utf8(succeeds(&mut script).stdout).unwrap()
    }

    /// Has `age` encrypt the secrets; returns the file, and the one with the key.
    fn encrypt(&self) -> [String; 2] {
        let path = |name: &str| self.bench.home.path().join(name).display().to_string();
        let (plain, encrypted, key) = (path("home.secrets.yaml"), path("elsewhere"), path("key.txt"));
        Tool::AGE_KEYGEN.approves(["-o", &key]);
        let recipient = Tool::AGE_KEYGEN.approves(["-y", &key]);
        Tool::AGE.approves(["-r", recipient.trim(), "-o", &encrypted, &plain]);
        [encrypted, key]
    }
}

fn is_private(path: &Path) -> bool {
    fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}

/// Whether openssl finds that `certificate` is good for `purpose` and vouched for by `authority`.
fn verify(authority: &Path, certificate: &Path, purpose: &str) {
    let mut command = Command::new("openssl");
    command.args(["verify", "-x509_strict", "-check_ss_sig", "-purpose", purpose, "-CAfile"]);
    succeeds(command.arg(authority).arg(certificate));
}

#[test]
fn two_nodes_from_one_file() {
    let lab = Lab::new();
    let said = fails(&mut lab.imgforge(&["build"]), 1);
    assert!(said.contains("hint: `imgforge cluster init --cluster "), "{said}");
    succeeds(&mut lab.imgforge(&["cluster", "check"]));
    succeeds(&mut lab.imgforge(&["cluster", "init"]));
    assert!(is_private(&lab.bench.home.path().join("home.secrets.yaml")));

    let one = lab.build("one", &[]);
    for name in ["k8s-master-1.img", "k8s-worker-1.img"] {
        for suffix in ["", ".bmap", ".manifest.json", ".spdx.json"] {
            assert!(is_private(&one.join(format!("{name}{suffix}"))), "{name}{suffix}");
        }
        let manifest = fs::read_to_string(one.join(format!("{name}.manifest.json"))).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&manifest).unwrap()["secrets"], true);
        assert!(!manifest.contains("PRIVATE KEY"), "a manifest names files, and does not hold them");
    }
    judge_master(&lab, &one.join("k8s-master-1.img"));
    judge_worker(&lab, &one.join("k8s-worker-1.img"));
    judge_cards(&lab, &one);

    let [secrets, key] = lab.encrypt();
    let two = lab.build("two", &["--secrets", &secrets, "--identity", &key]);
    for name in ["k8s-master-1.img", "k8s-worker-1.img", "k8s-worker-1.img.manifest.json"] {
        let same = Command::new("cmp").arg(one.join(name)).arg(two.join(name)).output().unwrap();
        assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    }
    judge_kubeconfig(&lab);
}

/// The keys are kubeadm's by name, belong together, and are root's alone.
fn judge_master(lab: &Lab, image: &Path) {
    let root = approved(image, lab.bench.home.path());
    let folder = lab.bench.home.path().join("pki");
    fs::create_dir_all(folder.join("etcd")).unwrap();
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        let certificate = folder.join(format!("{name}.crt"));
        fs::write(&certificate, file_in(&root, &format!("{PKI}/{name}.crt"))).unwrap();
        verify(&certificate, &certificate, "any");
        let key = folder.join(format!("{name}.key"));
        fs::write(&key, file_in(&root, &format!("{PKI}/{name}.key"))).unwrap();
        let of_key = succeeds(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&key)).stdout;
        let of_certificate =
            succeeds(Command::new("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(&certificate))
                .stdout;
        assert_eq!(of_key, of_certificate, "{name}");
        let access =
            Tool::DEBUGFS.approves(["-R", &format!("stat {PKI}/{name}.key"), &root.to_string_lossy()]);
        assert!(access.contains("Mode:  0600"), "{access}");
    }
    let document = file_in(&root, "/etc/imgforge/kubeadm/init.yaml");
    assert!(document.contains("192.168.76.10:6443") && document.contains("kubernetesVersion"), "{document}");
    let network = file_in(&root, "/etc/systemd/network/05-imgforge.network");
    assert!(network.contains("Address=192.168.76.10/24\n"), "{network}");
}

/// It knows the authority by its hash, and has no key and no certificate: kubeadm would refuse to join.
fn judge_worker(lab: &Lab, image: &Path) {
    let root = approved(image, lab.bench.home.path());
    let document = file_in(&root, "/etc/imgforge/kubeadm/join.yaml");
    assert!(document.contains("home.example/disk=none"), "{document}");
    let authority = lab.bench.home.path().join("pki/ca.crt");
    let script = "openssl x509 -noout -pubkey -in \"$0\" | openssl pkey -pubin -outform der | sha256sum";
    let hash = succeeds(Command::new("sh").args(["-c", script]).arg(&authority)).stdout;
    let hash = String::from_utf8(hash).unwrap();
    let pin = format!("sha256:{}", hash.split(' ').next().unwrap());
    assert!(document.contains(&pin), "{pin}: {document}");
    for path in [PKI, "/etc/kubernetes/pki"] {
        let listing = Tool::DEBUGFS.approves(["-R", &format!("ls -p {path}"), &root.to_string_lossy()]);
        assert!(!listing.contains("ca."), "{listing}");
    }
    let runtime = file_in(&root, "/etc/containerd/config.toml");
    assert!(runtime.contains("version = 2\n"), "Debian's containerd is of the first series: {runtime}");
    let plugins = Tool::DEBUGFS.approves(["-R", "stat /opt/cni/bin/bridge", &root.to_string_lossy()]);
    assert!(plugins.contains("/usr/lib/cni/bridge"), "{plugins}");
}

/// Made straight onto a card, a node has there what bmaptool writes of its image; all nodes go card after card.
fn judge_cards(lab: &Lab, images: &Path) {
    let path = |name: &str| lab.bench.home.path().join(name);
    let (card, theirs) = (path("card"), path("bmaptool's"));
    let fresh = || {
        let size = fs::metadata(images.join("k8s-master-1.img")).unwrap().len();
        fs::File::create(&card).unwrap().set_len(size + (64 << 20)).unwrap();
    };
    let is_as_of_bmaptool = |node: &str| {
        let _ = fs::remove_file(&theirs);
        succeeds(Command::new("bmaptool").arg("copy").arg(images.join(format!("{node}.img"))).arg(&theirs));
        let size = fs::metadata(&theirs).unwrap().len().to_string();
        succeeds(Command::new("cmp").args(["--bytes", &size]).args([&card, &theirs]));
    };
    let card_name = card.to_str().unwrap();
    fresh();
    succeeds(&mut lab.imgforge(&["flash", "k8s-worker-1", card_name, "--yes"]));
    is_as_of_bmaptool("k8s-worker-1");

    fresh();
    // The cluster file at hand is the one in the working directory that has the node.
    let mut at_hand = lab.bench.imgforge();
    at_hand.args(["flash", "k8s-worker-1", card_name, "--yes"]).current_dir(lab.bench.home.path());
    succeeds(&mut at_hand);
    is_as_of_bmaptool("k8s-worker-1");

    let said = fails(lab.imgforge(&["flash", "--yes"]).stdin(Stdio::null()), 1);
    assert!(said.contains("the cards of a whole cluster are changed by hand"), "{said}");
    // The master is left out.
    fresh();
    let said = lab.flash_all(&card, "s\\n\\n");
    for question in ["Insert the card for k8s-master-1 (1 of 2)", "Insert the card for k8s-worker-1 (2 of 2)"]
    {
        assert!(said.contains(question), "{said}");
    }
    assert!(said.contains("left out: k8s-master-1"), "{said}");
    is_as_of_bmaptool("k8s-worker-1");
    // The card is not changed after the master's.
    fresh();
    let Some(device) = LoopDevice::over(&card, &[]) else { return };
    let said = lab.flash_all(device.path(), "\\n\\ns\\n");
    assert!(said.contains("is still that of k8s-master-1"), "{said}");
    assert!(said.contains("left out: k8s-worker-1"), "{said}");
    is_as_of_bmaptool("k8s-master-1");
}

/// The administrator's certificate is by the same authority that the master has.
fn judge_kubeconfig(lab: &Lab) {
    succeeds(&mut lab.imgforge(&["kubeconfig"]));
    let path = lab.bench.home.path().join("home.kubeconfig");
    assert!(is_private(&path));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("server: https://192.168.76.10:6443\n"), "{text}");
    let (_, rest) = text.split_once("client-certificate-data: ").unwrap();
    let certificate = lab.bench.home.path().join("admin.crt");
    let script = "printf %s \"$0\" | base64 -d > \"$1\"";
    succeeds(Command::new("sh").args(["-c", script, rest.lines().next().unwrap()]).arg(&certificate));
    verify(&lab.bench.home.path().join("pki/ca.crt"), &certificate, "sslclient");
}

/// What is in etcd is etcd's affair; that it comes to the node as it is, and to no other, is ours.
#[test]
fn the_first_masters_card_brings_the_snapshot_that_it_is_to_start_from() {
    let lab = Lab::new();
    succeeds(&mut lab.imgforge(&["cluster", "init"]));
    let authority = authority(&lab.bench.home.path().join("home.secrets.yaml"));
    let snapshot = lab.bench.home.path().join("home.snapshot");
    etcd_snapshot(&of_cluster("home", "1.36.4", &authority), &snapshot);
    let file = snapshot.display().to_string();

    let folder = lab.build("restored", &["--node", "k8s-master-1", "--restore", &file]);
    let image = folder.join("k8s-master-1.img");
    let root = approved(&image, lab.bench.home.path());
    let inside = "/var/lib/imgforge/restore/snapshot";
    let copy = lab.bench.home.path().join("copy").display().to_string();
    Tool::DEBUGFS.approves(["-R", &format!("dump {inside} {copy}"), &root.to_string_lossy()]);
    succeeds(Command::new("cmp").args([&file, &copy]));
    let access = Tool::DEBUGFS.approves(["-R", &format!("stat {inside}"), &root.to_string_lossy()]);
    assert!(access.contains("Mode:  0600"), "{access}");

    let verify = |options: &[&str]| {
        let mut command = lab.bench.imgforge();
        command.arg("verify").arg(&image).args(["--rebuild", "--cluster"]).arg(&lab.file).args(options);
        command
    };
    succeeds(&mut verify(&["--restore", &file]));
    let said = fails(&mut verify(&[]), 3);
    assert!(
        said.contains("/var/lib/imgforge/restore in the root file system, from cluster home, "),
        "{said}"
    );
}

#[test]
fn an_image_for_everybody_holds_no_key_and_no_token() {
    let lab = Lab::new();
    let image = lab.bench.built("virt-arm64", "master", "master.img", &[]);
    let manifest = fs::read_to_string(format!("{}.manifest.json", image.display())).unwrap();
    let changes = serde_json::from_str::<Value>(&manifest).unwrap();
    assert_eq!(changes["secrets"], false);
    let root = approved(&image, lab.bench.home.path());
    let ours = changes["changes"].as_array().unwrap().iter().filter(|change| {
        let origins = change["origins"].as_array().unwrap();
        change["is"] == "file" && !origins.iter().any(|o| o.as_str().unwrap().starts_with("package"))
    });
    let mut texts: Vec<(String, String)> = ours
        .filter(|change| change["volume"] == "root")
        .map(|change| change["path"].as_str().unwrap().to_owned())
        .map(|path| (file_in(&root, &path), path))
        .collect();
    assert!(texts.len() > 20, "{}", texts.len());
    for suffix in [".manifest.json", ".spdx.json"] {
        let path = format!("{}{suffix}", image.display());
        texts.push((fs::read_to_string(&path).unwrap(), path));
    }
    for (text, path) in texts {
        assert!(!text.contains("PRIVATE KEY-----"), "{path}");
        let is_token = |word: &str| {
            let (id, secret) = word.split_once('.').unwrap_or_default();
            let is_part = |part: &str| part.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            (id.len(), secret.len()) == (6, 16) && is_part(id) && is_part(secret)
        };
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
        assert_eq!(words.find(|word| is_token(word)), None, "{path}");
    }
}
