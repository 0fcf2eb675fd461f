//! Cluster files, their secrets, and the plans of their nodes.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use imgforge::{
    build::prepare::Prepared,
    catalogue::{Catalogue, kubernetes::Content},
    image::change::{Access, Action, Change, Origin, Volume},
    plan::{self, Request, record::Record},
    supply::pin::{Additions, Wants},
    target::{
        SecretsPaths,
        cluster::{ClusterFile, Error, recipients},
    },
};
use imgforge_spec::Diagnose;
use tempfile::TempDir;

use crate::{
    plan::{boot, change, pinned, repository, root, text},
    tree::MemoryTree,
};

const TWO_NODES: &str = "\
name: home
add-ons: { network: none }
time-servers: [192.168.1.1]
users: [{ name: ops }]
nodes:
  - { hostname: k8s-master-1, board: virt, role: master, taints: [] }
  - { hostname: k8s-worker-1, board: rpi4, packages: [nfs-common], users: [{ name: guest }] }
";

/// The recipient and the identity of age's specification.
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A cluster file in a folder of its own.
struct Lab {
    folder: TempDir,
    catalogue: Catalogue,
}

impl Lab {
    fn new(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("home.yaml"), text).unwrap();
        let catalogue = Catalogue::load(vec![repository().join("board-profiles")]).unwrap();
        Self { folder, catalogue }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> ClusterFile<'_> {
        self.file_with(None)
    }

    /// The cluster file, with a file that opens its secrets.
    fn file_with(&self, identity: Option<&Path>) -> ClusterFile<'_> {
        let path = self.path("home.yaml");
        let secrets = SecretsPaths { file: None, identity: identity.map(Path::to_owned) };
        ClusterFile::read(&path, &secrets, &self.catalogue).unwrap()
    }

    /// Secrets that are encrypted for [`IDENTITY`], and the file that holds it.
    fn encrypt(&self) -> (PathBuf, PathBuf) {
        let recipients = recipients(&[RECIPIENT.to_owned()], None).unwrap();
        let path = self.file().make_secrets(&recipients).unwrap().to_owned();
        let identity = self.path("key.txt");
        fs::write(&identity, format!("# public key: {RECIPIENT}\n{IDENTITY}\n")).unwrap();
        chmod(&identity, 0o600);
        (path, identity)
    }

    /// What is said of the file, as if it lay in the folder that is worked in.
    fn findings(&self) -> Vec<String> {
        let folder = self.path("").display().to_string();
        self.file().findings().iter().map(|finding| finding.to_string().replace(&folder, "")).collect()
    }

    /// What is asked for by a node, with the cluster's secrets.
    fn request(&self, hostname: &str) -> Request {
        let mut request = self.request_without_secrets(hostname);
        request.membership.as_mut().unwrap().read_secrets().unwrap();
        request
    }

    fn request_without_secrets(&self, hostname: &str) -> Request {
        let target = self.file().targets(&[hostname.to_owned()]).unwrap().remove(0);
        Request {
            board: target.board,
            role: target.role,
            node: target.node,
            source: target.source,
            membership: target.membership,
            kubernetes: None,
            engine: Default::default(),
            overlays: repository().join("overlays"),
        }
    }

    /// The changes of a node, and whether its image holds secrets.
    fn plan(&self, hostname: &str) -> (Vec<Change>, bool) {
        let request = self.request(hostname);
        let additions = Additions { containerd: Some("2.3.4".into()), ..Additions::default() };
        let changes = plan::plan(&pinned(&request), &additions, &base(), Some(&boot())).unwrap();
        let holds_secrets = request.holds_secrets(&changes);
        (changes, holds_secrets)
    }
}

/// A base with a network plugin of Debian's, and a containerd of the release of Kubernetes.
fn base() -> MemoryTree {
    ["/usr/lib/cni/bridge", "/usr/local/bin/containerd", "/usr/local/bin/crictl"]
        .iter()
        .fold(root(), |root, path| root.with_file(path, "a program", Access::root(0o755)))
}

/// The paths that the cluster asks for.
fn paths_of_cluster(changes: &[Change]) -> Vec<String> {
    let of_cluster = |c: &&Change| c.origins.contains(&Origin::Cluster("home".into()));
    changes.iter().filter(of_cluster).map(|c| c.path.to_string()).collect()
}

#[test]
fn a_node_becomes_a_target_with_all_the_file_says() {
    let lab = Lab::new(TWO_NODES);
    let targets = lab.file().targets(&[]).unwrap();
    let [master, worker] = targets.as_slice() else { panic!("{targets:?}") };
    assert_eq!(
        (master.board.profile.board.as_str(), master.set.to_string().as_str()),
        ("virt-arm64", "master")
    );
    assert_eq!(master.lock, lab.path("home.virt-arm64.lock.yaml"), "one lock a board, beside the file");
    assert_eq!(master.node.kubernetes.as_ref().unwrap().release, "1.36", "the release file is the minor's");
    assert_eq!(worker.set.to_string(), "worker", "its own packages are a layer over what all workers have");
    let names: Vec<&str> = worker.node.users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["guest", "ops"]);
    assert_eq!(worker.node.time_servers, ["192.168.1.1"]);
}

#[test]
fn masters_get_the_shared_keys_and_workers_none() {
    let lab = Lab::new(TWO_NODES);
    lab.file().make_secrets(&[]).unwrap();
    let (master, has_secrets) = lab.plan("k8s-master-1");
    assert!(has_secrets);
    let paths = paths_of_cluster(&master);
    for name in ["init.yaml", "kubernetes/pki/ca.key", "kubernetes/pki/etcd/ca.key", "kubernetes/pki/sa.key"]
    {
        assert!(paths.contains(&format!("/etc/imgforge/kubeadm/{name}")), "{name}: {paths:?}");
    }
    let (worker, has_secrets) = lab.plan("k8s-worker-1");
    assert!(has_secrets, "it knows the token");
    let paths = paths_of_cluster(&worker);
    assert!(paths.contains(&"/etc/imgforge/kubeadm/join.yaml".to_owned()), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("/pki")), "{paths:?}");
    let document = text(&worker, Volume::Root, "/etc/imgforge/kubeadm/join.yaml");
    assert!(document.contains("caCertHashes"), "{document}");
}

#[test]
fn files_below_the_boot_partitions_mount_point_go_into_it() {
    let files = "files: [{ path: /boot/firmware/overlays/x.dtbo, content: x }, { path: /boot/firmware/CONFIG.txt, content: y }, \
                 { path: /boot/firmwares, content: z }]";
    let lab = Lab::new(&TWO_NODES.replace("packages: [nfs-common]", files));
    lab.file().make_secrets(&[]).unwrap();
    let mut request = lab.request("k8s-worker-1");
    request.role = imgforge_spec::Role::Base;
    let card = MemoryTree::of(&[("/config.txt", "arm_64bit=1\n"), ("/cmdline.txt", "root=x\n")]);
    let additions = Additions { containerd: Some("2.3.4".into()), ..Additions::default() };
    let changes = plan::plan(&pinned(&request), &additions, &base(), Some(&card)).unwrap();
    assert_eq!(text(&changes, Volume::Boot, "/overlays/x.dtbo"), "x");
    assert_eq!(text(&changes, Volume::Boot, "/config.txt"), "y", "FAT tells no case apart");
    assert_eq!(text(&changes, Volume::Root, "/boot/firmwares"), "z");
    let hidden = |c: &&Change| c.volume == Volume::Root && c.path.to_string().starts_with("/boot/firmware/");
    assert_eq!(changes.iter().find(hidden).map(|c| &c.path), None);
}

#[test]
fn all_network_plugins_are_in_the_folder_of_the_add_ons() {
    let lab = Lab::new(TWO_NODES);
    lab.file().make_secrets(&[]).unwrap();
    let (worker, _) = lab.plan("k8s-worker-1");
    let config = text(&worker, Volume::Root, "/etc/containerd/config.toml");
    assert!(config.contains("version = 3") && config.contains("bin_dirs = [\"/opt/cni/bin\"]"), "{config}");
    let Action::Symlink { target, .. } = &change(&worker, Volume::Root, "/opt/cni/bin/bridge").action else {
        panic!("Debian's plugins are linked there")
    };
    assert_eq!(target, b"/usr/lib/cni/bridge");
}

const DOCKER: &str = "\
name: home
runtime: docker
add-ons: { network: none }
nodes:
  - { hostname: m, board: virt-arm64, role: master }
  - { hostname: w, board: virt-arm64, packages: [docker.io, file] }
  - { hostname: c, board: virt-arm64, runtime: containerd }
  - { hostname: b, board: virt-armhf, role: base }
";

#[test]
fn docker_comes_with_the_node_over_a_release_that_knows_nothing_of_it() {
    let lab = Lab::new(DOCKER);
    lab.file().make_secrets(&[]).unwrap();
    let (worker, _) = lab.plan("w");
    let daemon: serde_json::Value =
        serde_json::from_str(&text(&worker, Volume::Root, "/etc/docker/daemon.json")).unwrap();
    assert_eq!(daemon["exec-opts"][0], "native.cgroupdriver=systemd");
    let loaded = text(&worker, Volume::Root, "/usr/lib/imgforge/runtime");
    assert!(loaded.contains("docker load"), "{loaded}");
    let link = "/etc/systemd/system/docker.service.wants/cri-docker.service";
    assert!(matches!(change(&worker, Volume::Root, link).action, Action::Symlink { .. }));
    let of_cluster = paths_of_cluster(&worker);
    assert!(of_cluster.contains(&"/etc/default/cri-docker".to_owned()), "{of_cluster:?}");
    let removed = |changes: &[Change]| {
        let is_removed = |change: &&Change| matches!(change.action, Action::Remove);
        changes.iter().filter(is_removed).map(|change| change.path.to_string()).collect::<Vec<_>>()
    };
    let (other, _) = lab.plan("c");
    assert!(removed(&worker).contains(&"/usr/local/bin/containerd".to_owned()), "{:?}", removed(&worker));
    assert!(!removed(&worker).contains(&"/usr/local/bin/crictl".to_owned()));
    assert!(!removed(&other).contains(&"/usr/local/bin/containerd".to_owned()));
    assert!(!other.iter().any(|change| change.path.to_string().contains("docker.service.wants")));

    let [of_worker, of_other] = ["w", "c"].map(|name| Record::new(&pinned(&lab.request(name))).unwrap());
    assert_eq!(of_worker.misfits(&of_other), [], "both are made from the same release");
}

/// What the node's own layer takes.
fn content_of_node(lab: &Lab, hostname: &str) -> Content {
    let target = lab.file().targets(&[hostname.to_owned()]).unwrap().remove(0);
    let wants = Wants { set: target.set.clone(), over: None, content: Content::default() };
    let request = lab.request_without_secrets(hostname).release();
    let prepared = Prepared { request, notes: Vec::new(), wants, lock_path: target.lock.clone() };
    prepared.layers(&target).unwrap().node.unwrap().content
}

#[test]
fn what_a_nodes_settings_cannot_do_without_comes_along_in_a_cluster_too() {
    let mounts = "mounts: [{ source: //nas/k8s, target: /mnt/nas, type: cifs }]";
    let wifi = "wifi: { ssid: home, passphrase: eight888, country: DE }";
    let lab = Lab::new(&TWO_NODES.replace("packages: [nfs-common]", &format!("{mounts}, {wifi}")));
    assert_eq!(content_of_node(&lab, "k8s-worker-1").packages, ["cifs-utils", "wpasupplicant"]);
}

#[test]
fn docker_is_locked_for_the_node_and_cri_dockerd_is_pinned() {
    let lab = Lab::new(DOCKER);
    let bundle = |hostname: &str| content_of_node(&lab, hostname);
    let Content { packages, artifacts, .. } = bundle("w");
    assert_eq!(packages, ["docker.io", "docker-cli", "file"], "each once");
    let [cri_dockerd] = artifacts.as_slice() else { panic!("{artifacts:?}") };
    assert!(cri_dockerd.url.starts_with("https://github.com/Mirantis/cri-dockerd/releases/"));
    for plain in ["c", "b"] {
        assert!(bundle(plain).packages.is_empty() && bundle(plain).artifacts.is_empty(), "{plain}");
    }
}

#[test]
fn docker_on_a_board_that_cri_dockerd_is_not_made_for_is_refused_with_a_way_out() {
    let text = "kubernetes: 1.26.15\nruntime: docker\nnodes:\n  - { hostname: m, board: rpi4, role: master }\n  \
                - { hostname: w, board: virt-armhf }\n  - { hostname: c, board: virt-armhf, runtime: containerd }\n";
    let lab = Lab::new(text);
    let Err(Error::Unfit { errors, .. }) = lab.file().notices() else { panic!("it is refused") };
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert!(
        error.to_string().ends_with(
            "home.yaml:5:5: nodes[1].runtime: Kubernetes 1.26 has no docker for armv7; \
             `runtime: containerd` at this node, whatever the others have"
        ),
        "{error}"
    );
    assert!(lab.file().targets(&["w".to_owned()]).is_err());
    lab.file().targets(&["m".to_owned(), "c".to_owned()]).unwrap();
}

#[test]
fn a_board_that_is_not_there_is_told_with_the_nearest() {
    let lab = Lab::new("nodes: [{ hostname: a, board: renegad, role: master }]");
    let expected = "home.yaml:1:24: nodes[0].board: no board is called `renegad`; did you mean `renegade`?";
    assert!(lab.findings().contains(&expected.to_owned()), "{:?}", lab.findings());
    assert!(matches!(lab.file().notices(), Err(Error::Unfit { errors, .. }) if errors.len() == 1));
}

#[test]
fn settings_of_nodes_are_checked_like_those_of_a_node_file() {
    let text = "users: [{ name: Ops }]\nnodes:\n  - hostname: a\n    board: rpi4\n    role: master\n    \
                mounts: [{ source: 'LABEL=my disk', target: /mnt/a }]\n  - { hostname: b, board: rpi4 }\n";
    let findings = Lab::new(text).findings();
    let told = |text: &str| findings.iter().filter(|finding| finding.contains(text)).count();
    assert_eq!(told("home.yaml:1:11: users[0].name: `Ops`"), 1, "{findings:?}");
    let disk = "home.yaml:6:16: nodes[0].mounts[0].source: `LABEL=my disk` must be one word";
    assert_eq!(told(disk), 1, "{findings:?}");
    assert_eq!(told("nodes[1].users"), 0, "{findings:?}");
}

#[test]
fn what_is_said_of_all_nodes_is_told_once_and_where_it_stands() {
    let of_all = TWO_NODES.replace("192.168.1.1]", "192.168.1.300]").replace("name: ops", "name: '0ps'");
    let told = Lab::new(&of_all).findings();
    let told: Vec<_> =
        told.iter().filter(|told| told.contains("0ps") || told.contains("time-servers")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let server = Lab::new(&TWO_NODES.replace("192.168.1.1]", "192.168.1.300]")).findings();
    let server: Vec<_> = server.iter().filter(|told| told.contains("192.168.1.300")).collect();
    assert!(server.len() == 1 && server[0].contains(" time-servers[0]: "), "{server:?}");
    let twice = Lab::new(&TWO_NODES.replace("name: guest", "name: ops")).findings();
    let twice: Vec<_> = twice.iter().filter(|told| told.contains("name it in one place")).collect();
    assert!(twice.len() == 1 && twice[0].contains("nodes[1].users[0].name"), "{twice:?}");
}

#[test]
fn what_is_missing_is_told_where_it_belongs_or_of_the_file() {
    let told = Lab::new(
        "nodes:\n  - { hostname: a, board: rpi4, role: master }\n  - { hostname: b, board: rpi4 }\n",
    )
    .findings();
    let of_file = "home.yaml: endpoint: the nodes will look for the master by its name, a: ";
    assert!(told.iter().any(|finding| finding.starts_with(of_file)), "{told:?}");
}

#[test]
fn an_error_stops_a_build_with_all_places() {
    let lab = Lab::new(
        "nodes:\n  - { hostname: a, board: rpi9, role: master }\n  - hostname: A\n    board: rpi4\n",
    );
    let error = lab.file().notices().unwrap_err().to_string();
    for place in
        ["\n  ", "home.yaml:2:20: nodes[0].board: ", "home.yaml:3:5: nodes[1].hostname: `A` is no host name"]
    {
        assert!(error.contains(place), "{place}: {error}");
    }
}

#[test]
fn a_release_that_is_not_there_is_an_error_that_names_the_others() {
    let lab = Lab::new("kubernetes: 1.34.1\nnodes: [{ hostname: a, board: rpi4, role: master }]");
    let expected = "home.yaml:1:1: kubernetes: nothing is known of Kubernetes 1.34; known releases: 1.26, 1.35, 1.36, debian";
    assert!(lab.findings().contains(&expected.to_owned()), "{:?}", lab.findings());
    assert!(lab.file().targets(&[]).is_err());
}

#[test]
fn a_patch_release_that_the_files_do_not_have_is_told() {
    let lab = Lab::new("kubernetes: 1.36.1\nnodes: [{ hostname: a, board: rpi4, role: master }]");
    let told = lab.findings();
    let expected = "home.yaml:1:1: kubernetes: the control plane's images are of 1.36.1, the nodes get kubeadm and \
                    kubelet 1.36.4";
    assert!(told.iter().any(|finding| finding.starts_with(expected)), "{told:?}");
    lab.file().notices().unwrap();
}

#[test]
fn the_examples_can_be_built() {
    for name in ["home", "home-k3s"] {
        can_be_built(&fs::read_to_string(repository().join(format!("examples/{name}.yaml"))).unwrap());
    }
}

fn can_be_built(text: &str) {
    let Err(Error::Unfit { errors, .. }) = Lab::new(text).file().notices() else {
        panic!("it is a stranger's")
    };
    assert!(errors.iter().all(|error| error.finding.name == "placeholder"), "{errors:?}");
    let own = [
        ("IHlvdXIga2V5IGhlcmUsIG5vdCB0aGlzIG9uZSEhISEh", "IEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D"),
        ("655a39e8-9a5d-45f3-ae14-73b4c5ed50c3", "5c0a1f0e-1111-4b4b-8a8a-0123456789ab"),
        ("0633df91-017c-4b98-9b2e-4a0d27989a5c", "5c0a1f0e-2222-4b4b-8a8a-0123456789ab"),
    ];
    let lab = Lab::new(&own.iter().fold(text.to_owned(), |text, (theirs, own)| text.replace(theirs, own)));
    lab.file().notices().unwrap();
    let sets: Vec<String> =
        lab.file().targets(&[]).unwrap().into_iter().map(|target| target.set.to_string()).collect();
    assert_eq!(sets, ["master", "worker", "worker"]);
}

#[test]
fn a_node_that_is_not_there_is_an_error_with_the_nearest() {
    let error = Lab::new(TWO_NODES).file().targets(&["k8s-worker-2".into()]).unwrap_err();
    assert!(error.to_string().ends_with("home.yaml has no node `k8s-worker-2`"), "{error}");
    assert_eq!(error.hint().unwrap(), "did you mean `k8s-worker-1`?");
    let error = Lab::new(TWO_NODES).file().targets(&["x".into()]).unwrap_err();
    assert!(error.hint().unwrap().starts_with("it has ") && error.hint().unwrap().contains("k8s-worker-1"));
}

#[test]
fn packages_of_all_nodes_are_each_nodes() {
    let lab = Lab::new(&format!("packages: [file, nfs-common]\n{TWO_NODES}"));
    assert_eq!(content_of_node(&lab, "k8s-worker-1").packages, ["file", "nfs-common"], "each once");
}

#[test]
fn secrets_are_their_owners_alone_and_never_overwritten() {
    let lab = Lab::new(TWO_NODES);
    assert!(matches!(lab.file().secrets(), Err(Error::NoSecrets { .. })));
    let path = lab.file().make_secrets(&[]).unwrap().to_owned();
    assert_eq!(path, lab.path("home.secrets.yaml"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let first = fs::read(&path).unwrap();
    assert!(matches!(lab.file().make_secrets(&[]), Err(Error::SecretsExist { .. })));
    assert_eq!(fs::read(&path).unwrap(), first);
    lab.file().secrets().unwrap();
}

#[test]
fn two_clusters_have_nothing_in_common() {
    let secrets = || {
        let lab = Lab::new(TWO_NODES);
        lab.file().make_secrets(&[]).unwrap();
        lab.file().secrets().unwrap()
    };
    let (one, two) = (secrets(), secrets());
    assert_ne!(one.bootstrap_token, two.bootstrap_token);
    assert_ne!(one.ca.key, two.ca.key);
    assert_ne!(one.service_account, two.service_account);
}

/// What is said of the secrets once `spoil` had its way with the file.
fn refusal(cluster: &str, spoil: impl FnOnce(&Path)) -> Error {
    let lab = Lab::new(TWO_NODES);
    let path = lab.file().make_secrets(&[]).unwrap().to_owned();
    spoil(&path);
    fs::write(lab.path("home.yaml"), cluster).unwrap();
    lab.file().secrets().unwrap_err()
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let error = refusal(TWO_NODES, |path| chmod(path, 0o640));
    assert!(error.to_string().ends_with("home.secrets.yaml can be read by others (mode 0640)"), "{error}");
    assert!(error.hint().unwrap().starts_with("`chmod 600 "));
}

#[test]
fn secrets_of_another_cluster_are_refused() {
    let error = refusal(&TWO_NODES.replace("home", "cabin"), |_| {});
    let Error::Secrets { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().starts_with("these are the secrets of the cluster home, not of cabin"));
}

#[test]
fn a_secrets_file_that_was_cut_off_is_refused() {
    let error = refusal(TWO_NODES, |path| {
        let text = fs::read(path).unwrap();
        fs::write(path, &text[..text.len() / 2]).unwrap();
    });
    assert!(matches!(error, Error::Secrets { .. }), "{error}");
}

#[test]
fn encrypted_secrets_are_read_with_the_key_and_by_others_too() {
    let lab = Lab::new(TWO_NODES);
    let (path, identity) = lab.encrypt();
    assert_eq!(path, lab.path("home.secrets.yaml.age"));
    assert!(!lab.path("home.secrets.yaml").exists());
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{text}");
    chmod(&path, 0o644);
    let secrets = lab.file_with(Some(&identity)).secrets().unwrap();

    // What makes an image are the secrets: once they are the same, so are the images.
    let plain = lab.path("home.secrets.yaml");
    fs::write(&plain, secrets.to_yaml().unwrap().reveal()).unwrap();
    chmod(&plain, 0o600);
    assert_eq!(lab.file().secrets().unwrap(), secrets, "where there are both, the plain ones are read");
}

#[test]
fn encrypted_secrets_are_never_overwritten_either() {
    let lab = Lab::new(TWO_NODES);
    let (path, _) = lab.encrypt();
    let first = fs::read(&path).unwrap();
    for words in [[].as_slice(), &[RECIPIENT.to_owned()]] {
        let error = lab.file().make_secrets(&recipients(words, None).unwrap()).unwrap_err();
        assert!(error.to_string().contains("home.secrets.yaml.age is there already"), "{error}");
    }
    fs::rename(&path, lab.path("home.secrets.yaml")).unwrap();
    let for_one = recipients(&[RECIPIENT.to_owned()], None).unwrap();
    assert!(matches!(lab.file().make_secrets(&for_one), Err(Error::SecretsExist { .. })));
    assert_eq!(fs::read(lab.path("home.secrets.yaml")).unwrap(), first);
}

#[test]
fn content_not_name_says_whether_secrets_are_encrypted() {
    let lab = Lab::new(TWO_NODES);
    let (path, identity) = lab.encrypt();
    fs::rename(path, lab.path("home.secrets.yaml")).unwrap();
    lab.file_with(Some(&identity)).secrets().unwrap();
    assert!(matches!(lab.file().secrets(), Err(Error::Encrypted { .. })));
}

#[test]
fn plain_secrets_need_no_key_and_do_not_look_for_one() {
    let lab = Lab::new(TWO_NODES);
    lab.file().make_secrets(&[]).unwrap();
    lab.file_with(Some(&lab.path("nowhere"))).secrets().unwrap();
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let lab = Lab::new(TWO_NODES);
    let (_, identity) = lab.encrypt();
    chmod(&identity, 0o644);
    let error = lab.file_with(Some(&identity)).secrets().unwrap_err();
    assert!(error.to_string().ends_with("key.txt can be read by others (mode 0644)"), "{error}");
    assert!(error.hint().unwrap().starts_with("`chmod 600 "));
}

#[test]
fn recipients_come_from_the_command_line_and_from_a_file() {
    let lab = Lab::new(TWO_NODES);
    let file = lab.path("recipients.txt");
    fs::write(&file, format!("# ops\n{RECIPIENT}\n\n")).unwrap();
    assert_eq!(recipients(&[RECIPIENT.to_owned()], Some(&file)).unwrap().len(), 2);
    assert!(recipients(&[], None).unwrap().is_empty());
    fs::write(&file, "# nobody\n").unwrap();
    assert!(matches!(recipients(&[], Some(&file)), Err(Error::Recipients { .. })));
}

#[test]
fn a_node_that_is_to_be_quiet_is_told_so() {
    let lab = Lab::new(&TWO_NODES.replace("packages: [nfs-common]", "status: false"));
    lab.file().make_secrets(&[]).unwrap();
    let is_quiet = |lab: &Lab, hostname: &str| {
        lab.plan(hostname).0.iter().any(|change| change.path.to_string() == "/etc/imgforge/quiet")
    };
    assert!(!is_quiet(&lab, "k8s-master-1"));
    assert!(is_quiet(&lab, "k8s-worker-1"));
    let lab = Lab::new(
        &TWO_NODES
            .replace("name: home", "name: home\nstatus: false")
            .replace("board: virt,", "board: virt, status: true,"),
    );
    lab.file().make_secrets(&[]).unwrap();
    assert!(!is_quiet(&lab, "k8s-master-1"));
    assert!(is_quiet(&lab, "k8s-worker-1"));
}
