//! What k3s finds on its nodes, against its own lists and forms, judged by OpenSSL.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::{fs, process::Command};

use common::{boards, cluster, compare, lab::LAN, manifests, random};
use imgforge_kube::{
    add_ons::{Manifests, needed},
    check::{Finding, check},
    cluster::Cluster,
    containerd::{self, Runtime, Series},
    engine::{Engine, k3s},
    images::images,
    kubeconfig::Kubeconfig,
    member::Member,
    node_files::{NodeFile, Sources, node_files},
    pki::{Lifetime, Secrets},
};
use serde_yaml::Value;

/// A 64-bit server and two 32-bit agents, with what can be said of each.
const HOME: &str = "
name: home
engine: k3s
lan: { gateway: 192.168.1.1, dns: [192.168.1.1] }
add-ons: { load-balancer: { addresses: [192.168.1.240-192.168.1.250] } }
kubelet: { maxPods: 50 }
api-server: { extra-args: { event-ttl: 24h } }
k3s: { disable: [traefik] }
registries:
  docker.io: { mirrors: ['https://nas.home.example:5000', 'https://harbor.home.example/proxy'], ca: 'PEM' }
proxy: { http: 'http://proxy.home.example:3128' }
nodes:
  - hostname: k8s-master-1
    board: rpi4
    role: master
    address: 192.168.1.10/24
    labels: { home.example/raid: 'true' }
    storage: [{ path: /var/lib/rancher/k3s, on: /mnt/root/k3s }]
    mounts: [{ source: LABEL=raid, target: /mnt/root }]
  - hostname: k8s-worker-1
    board: bananapi
    taints: [{ key: home.example/slow, value: 'yes', effect: NoSchedule }]
  - { hostname: k8s-worker-2, board: cubieboard, kubelet: { maxPods: 10 } }";

/// Three servers that hold one address among themselves.
const SEVERAL: &str = "
name: home
engine: k3s
lan: { gateway: 192.168.1.1, dns: [192.168.1.1] }
endpoint: { host: 192.168.1.9, virtual: true }
nodes:
  - { hostname: m1, board: rpi4, role: master, address: 192.168.1.10/24 }
  - { hostname: m2, board: rpi4, role: master, address: 192.168.1.11/24 }
  - { hostname: m3, board: rpi4, role: master, address: 192.168.1.12/24 }
  - { hostname: w1, board: bananapi }";

fn secrets(cluster: &Cluster) -> Secrets {
    Secrets::generate(cluster, Lifetime::generous(1_767_225_600), &mut random(7)).unwrap()
}

fn files(text: &str, hostname: &str) -> Vec<NodeFile> {
    let cluster = cluster(text);
    let secrets = secrets(&cluster);
    // The balancer's manifest is fetched, and not looked at here.
    let cluster = Cluster { add_ons: cluster_of("add-ons: { network: flannel }").add_ons, ..cluster };
    let member = Member::new(&cluster, hostname, &boards).unwrap();
    let containerd = Runtime { series: Series::Two, plugins: containerd::KUBERNETES_PLUGINS };
    let manifests = Manifests::new();
    let sources = Sources { secrets: Some(&secrets), containerd, manifests: &manifests, manifest: &|_| None };
    node_files(&member, &sources).unwrap()
}

fn cluster_of(text: &str) -> Cluster {
    cluster(text)
}

fn content<'a>(files: &'a [NodeFile], path: &str) -> &'a str {
    &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).content
}

fn findings(text: &str) -> Vec<Finding> {
    check(&cluster(text), &boards, &manifests())
}

/// The rules that say something of the lab, with `text` at its top and `master` at its only master.
fn told(text: &str, master: &str) -> Vec<&'static str> {
    let nodes = format!("{{ hostname: m1, board: rpi4, role: master, address: 192.168.1.10/24, {master} }}");
    let users = "users: [{ name: ops, sudo: true }]\nssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me]";
    let text = format!(
        "engine: k3s\n{LAN}{users}\n{text}\nnodes:\n  - {nodes}\n  - {{ hostname: w1, board: bananapi }}"
    );
    findings(&text).iter().map(|finding| finding.name).collect()
}

#[test]
fn server_and_agent_get_their_files() {
    for hostname in ["k8s-master-1", "k8s-worker-1", "k8s-worker-2"] {
        let files = files(HOME, hostname);
        let mut text: String = files
            .iter()
            .map(|file| {
                let who = if file.secret { "secret" } else { "public" };
                format!("{:04o} {who} {}\n", file.mode, file.path)
            })
            .collect();
        for path in [
            "/etc/rancher/k3s/config.yaml",
            "/etc/rancher/k3s/registries.yaml",
            "/etc/imgforge/k3s/kubelet.conf",
            "/etc/imgforge/k3s/cluster",
            "/etc/rancher/node/password",
        ] {
            text += &format!("# {path}\n{}", content(&files, path));
        }
        compare(&format!("k3s/{hostname}.txt"), &text);
    }
}

/// One makes the cluster and the rest join it, all by the whole token; each knows where the others are. kube-vip is every master's.
#[test]
fn several_servers_find_each_other() {
    let config = |hostname: &str| -> Value {
        serde_yaml::from_str(content(&files(SEVERAL, hostname), "/etc/rancher/k3s/config.yaml")).unwrap()
    };
    let (first, further, agent) = (config("m1"), config("m2"), config("w1"));
    assert_eq!((&first["cluster-init"], first.get("server")), (&Value::Bool(true), None));
    assert_eq!(further.get("cluster-init"), None);
    assert_eq!(further["server"], "https://192.168.1.9:6443");
    assert_eq!(first["token"], further["token"]);
    let token = first["token"].as_str().unwrap();
    assert!(token.starts_with("K10") && token.contains("::server:"), "{token}");
    assert!(agent["token"].as_str().unwrap().contains("::node:"));
    assert_eq!(agent["server"], "https://192.168.1.9:6443");
    assert_eq!(first["tls-san"], serde_yaml::from_str::<Value>("[192.168.1.9, m1, 192.168.1.10]").unwrap());
    // What k3s refuses servers to differ in, they have from the cluster.
    for key in ["cluster-cidr", "service-cidr", "cluster-domain", "flannel-backend", "agent-token"] {
        assert_eq!(first[key], further[key], "{key}");
    }

    let of_second = files(SEVERAL, "m2");
    assert_eq!(content(&of_second, "/etc/imgforge/k3s/masters"), "192.168.1.10:6443\n192.168.1.12:6443\n");
    let identity = "/etc/imgforge/k3s/masters.kubeconfig";
    let pod: Value = serde_yaml::from_str(content(&of_second, "/etc/imgforge/k3s/kube-vip.yaml")).unwrap();
    assert_eq!(pod["spec"]["volumes"][0]["hostPath"]["path"], identity);
    let kubeconfig = of_second.iter().find(|file| file.path == identity).unwrap();
    assert!(kubeconfig.secret && kubeconfig.mode == 0o600);
    let home = cluster(SEVERAL);
    let member = |hostname| Member::new(&home, hostname, &boards).unwrap();
    assert!(images(&member("m3")).references.iter().any(|image| image.contains("kube-vip")));
    assert_eq!(images(&member("w1")).references, [""; 0]);
    let of_worker = files(SEVERAL, "w1");
    assert!(of_worker.iter().all(|file| !file.path.contains("masters") && !file.path.contains("kube-vip")));
}

/// `setName` of k3s' pkg/etcd: the name, `-`, and the first eight digits of a UUID.
#[test]
fn a_member_of_etcd_is_known_by_its_node() {
    let of = |engine: Engine, name| engine.node_of_member(name);
    assert_eq!(of(Engine::K3s, "k8s-master-1-0a1b2c3d"), "k8s-master-1");
    assert_eq!(of(Engine::K3s, "k8s-master-1"), "k8s-master-1");
    assert_eq!(of(Engine::Kubeadm, "k8s-0a1b2c3d"), "k8s-0a1b2c3d");
}

/// A slow master's timing is imgforge's, but for what the file says; of one option twice k3s takes the last.
#[test]
fn what_is_passed_on_to_etcd_goes_before_our_own() {
    let told = format!("{SEVERAL}\netcd: {{ extra-args: {{ election-timeout: 9000 }} }}")
        .replace("board: rpi4, role", "board: rpi4, performance: slow, role");
    let config: Value =
        serde_yaml::from_str(content(&files(&told, "m1"), "/etc/rancher/k3s/config.yaml")).unwrap();
    let expected = serde_yaml::from_str::<Value>("[election-timeout=9000, heartbeat-interval=500]").unwrap();
    assert_eq!(config["etcd-arg"], expected);
}

/// k3s skips a key that it does not know, and says so in its journal only.
#[test]
fn every_option_is_one_of_k3s_own() {
    let etcd = HOME
        .replace("k3s: { disable", "networking: { proxy-mode: nftables }\nk3s: { datastore: etcd, disable");
    let dual = HOME.replace(
        "name: home\n",
        "name: home\nnetworking: { pod-subnet: [10.244.0.0/16, fd00:10:244::/56], service-subnet: [10.96.0.0/12, fd00:10:96::/112] }\n",
    );
    let alone = HOME.replace("add-ons: {", "add-ons: { network: none,");
    for (text, hostname, list) in [
        (HOME, "k8s-master-1", "server"),
        (&etcd, "k8s-master-1", "server"),
        (&dual, "k8s-master-1", "server"),
        (&alone, "k8s-master-1", "server"),
        (SEVERAL, "m1", "server"),
        (SEVERAL, "m2", "server"),
        (HOME, "k8s-worker-1", "agent"),
        (&etcd, "k8s-worker-2", "agent"),
    ] {
        let known = fs::read_to_string(format!("tests/k3s/{list}-flags.txt")).unwrap();
        let files = files(text, hostname);
        let config: Value = serde_yaml::from_str(content(&files, "/etc/rancher/k3s/config.yaml")).unwrap();
        for key in config.as_mapping().unwrap().keys() {
            let key = key.as_str().unwrap();
            assert!(known.lines().any(|flag| flag == key), "k3s {list} has no option {key}");
        }
    }
}

/// `parseToken` and `hashCA` of k3s' pkg/clientaccess: `K10`, the hash of the file's bytes, `::`, user and password.
#[test]
fn an_agents_token_names_the_authority_and_opens_no_servers_door() {
    let (master, worker) = (files(HOME, "k8s-master-1"), files(HOME, "k8s-worker-1"));
    let config = |files: &[NodeFile]| -> Value {
        serde_yaml::from_str(content(files, "/etc/rancher/k3s/config.yaml")).unwrap()
    };
    let (server, agent) = (config(&master), config(&worker));
    let authority = tempfile::NamedTempFile::new().unwrap();
    fs::write(&authority, content(&master, "/etc/imgforge/k3s/tls/server-ca.crt")).unwrap();
    let said = Command::new("sha256sum").arg(authority.path()).output().unwrap();
    let hash = String::from_utf8(said.stdout).unwrap()[..64].to_owned();
    let password = server["agent-token"].as_str().unwrap();
    assert_eq!(agent["token"].as_str().unwrap(), format!("K10{hash}::node:{password}"));
    // Neither is read as one of kubeadm's, `[a-z0-9]{6}.[a-z0-9]{16}`, nor as a full one.
    let token = server["token"].as_str().unwrap();
    for password in [password, token] {
        assert!(password.len() >= 22 && password.bytes().all(|c| c.is_ascii_alphanumeric()), "{password}");
        assert!(!password.starts_with("K10"));
    }
    let secrets_of_worker: String = worker.iter().map(|file| file.content.as_str()).collect();
    assert!(!secrets_of_worker.contains(token), "a worker's card makes no server");
    assert!(!secrets_of_worker.contains("PRIVATE KEY"));
}

/// A new card of a node is the same node to k3s: its servers keep a hash of this password.
#[test]
fn a_node_keeps_its_password_and_no_other_has_it() {
    let password = |hostname| content(&files(HOME, hostname), "/etc/rancher/node/password").to_owned();
    assert_eq!(password("k8s-worker-1"), password("k8s-worker-1"));
    assert_ne!(password("k8s-worker-1"), password("k8s-worker-2"));
    assert_eq!(password("k8s-worker-1").trim_end().len(), 32);
}

/// Custom CA certificates as docs.k3s.io has them (cli/certificate): names, chains, keys. The administrator's kubeconfig holds
/// before there is a cluster.
#[test]
fn the_authorities_are_k3s_own_before_it_starts() {
    let home = cluster(HOME);
    let secrets = secrets(&home);
    let files = files(HOME, "k8s-master-1");
    let folder = tempfile::tempdir().unwrap();
    let names = ["server-ca", "client-ca", "request-header-ca", "etcd/peer-ca", "etcd/server-ca"];
    let openssl = |words: &[&str]| {
        let said = Command::new("openssl").args(words).output().unwrap();
        assert!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    };
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name.replace('/', "-"));
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for name in names {
        let tls =
            |suffix: &str| content(&files, &format!("/etc/imgforge/k3s/tls/{name}.{suffix}")).to_owned();
        let (certificate, key) =
            (write(&format!("{name}.crt"), &tls("crt")), write(&format!("{name}.key"), &tls("key")));
        let public = openssl(&["pkey", "-in", &key, "-pubout"]);
        assert_eq!(openssl(&["x509", "-in", &certificate, "-noout", "-pubkey"]), public, "{name}");
        let text = openssl(&["x509", "-in", &certificate, "-noout", "-text"]);
        assert!(text.contains("CA:TRUE") && text.contains("Subject Key Identifier"), "{name}: {text}");
    }
    let service = content(&files, "/etc/imgforge/k3s/tls/service.key");
    assert!(
        service.contains("-----BEGIN PRIVATE KEY-----") && service.contains("-----BEGIN PUBLIC KEY-----")
    );
    openssl(&["pkey", "-in", &write("service.key", service), "-noout"]);

    let admin = secrets.admin_of(&home).unwrap();
    let client = write("admin.crt", &admin.certificate);
    let authority = folder.path().join("client-ca.crt");
    assert!(openssl(&["verify", "-CAfile", authority.to_str().unwrap(), &client]).ends_with("OK\n"));
    // k3s binds no group of kubeadm's.
    assert!(openssl(&["x509", "-in", &client, "-noout", "-subject"]).contains("system:masters"));
    let kubeconfig = Kubeconfig::admin(&home, &secrets).unwrap().unwrap();
    assert_eq!(kubeconfig.clusters[0].cluster.server, "https://192.168.1.10:6443");
}

#[test]
fn k3s_brings_its_network_and_the_balancer_only_once() {
    let home = cluster(HOME);
    assert_eq!(needed(&home), ["metallb"]);
    let member = Member::new(&home, "k8s-master-1", &boards).unwrap();
    assert_eq!(images(&member).references, [""; 0], "they come with the release, as one archive");
    let config = serde_yaml::to_value(k3s::config(&member, &k3s::Tokens::of(&secrets(&home)))).unwrap();
    assert_eq!(config["disable"], serde_yaml::from_str::<Value>("[servicelb, traefik]").unwrap());
    let cluster = Cluster { engine: Engine::Kubeadm, ..home };
    assert_eq!(needed(&cluster), ["flannel", "metallb"]);
}

#[test]
fn a_cluster_with_k3s_is_quiet() {
    assert_eq!(told("", ""), [""; 0]);
    assert_eq!(
        told(
            "k3s: { datastore: etcd }\nbackups: { every: 12h }",
            "mounts: [{ source: LABEL=d, target: /mnt/d }], storage: [{ path: /var/lib/rancher/k3s, on: /mnt/d/k3s }]"
        ),
        [""; 0]
    );
}

/// The home of the other example on a current release: nothing but the two boards that are slow is said of it.
#[test]
fn the_example_is_a_good_one() {
    let own = [
        ("IHlvdXIga2V5IGhlcmUsIG5vdCB0aGlzIG9uZSEhISEh", "IEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D"),
        ("655a39e8-9a5d-45f3-ae14-73b4c5ed50c3", "5c0a1f0e-1111-4b4b-8a8a-0123456789ab"),
        ("0633df91-017c-4b98-9b2e-4a0d27989a5c", "5c0a1f0e-2222-4b4b-8a8a-0123456789ab"),
    ];
    let example = include_str!("../../../examples/home-k3s.yaml").to_owned();
    let text = own.iter().fold(example, |text, (theirs, own)| text.replace(theirs, own));
    let findings = findings(&text);
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(told, [""; 0]);
}

#[test]
fn what_k3s_does_not_have_is_refused() {
    for (text, master, rule) in [
        ("kubeadm: { apiServer: {} }", "", "engine-setting"),
        ("runtime: docker", "", "engine-setting"),
        ("", "runtime: docker", "engine-setting"),
        ("images: { etcd: 3.6.8-0 }", "", "engine-setting"),
        ("etcd: { extra-args: { quota-backend-bytes: 1 } }", "", "engine-setting"),
        ("join-window: 720h", "", "engine-setting"),
        ("add-ons: { network: calico }", "", "k3s-network"),
        ("backups: { keep: 3 }", "", "k3s-backups"),
        ("k3s: { datastore: etcd }\nbackups: { every: 5h }", "", "k3s-backups"),
        (
            "",
            "storage: [{ path: /var/lib/etcd, on: /mnt/d/etcd }], mounts: [{ source: LABEL=d, target: /mnt/d }]",
            "k3s-storage",
        ),
        (
            "",
            "storage: [{ path: /var/lib/rancher/k3s/server/db, on: /mnt/d/db }], mounts: [{ source: LABEL=d, target: /mnt/d }]",
            "k3s-parts",
        ),
        ("", "mounts: [{ source: LABEL=d, target: /var/lib/rancher/k3s/agent }]", "k3s-parts"),
        ("k3s: { datastore: etcd }\netcd: { extra-args: { force-new-cluster: 'true' } }", "", "extra-args"),
        ("", "files: [{ path: /etc/rancher/k3s/config.yaml, content: '' }]", "file-of-imgforge"),
        ("kubernetes: 1.26.15", "", "unknown-release"),
    ] {
        assert!(told(text, master).contains(&rule), "{rule}: {text} {master}: {:?}", told(text, master));
    }
    let sqlite = format!("k3s: {{ datastore: sqlite }}\n{SEVERAL}");
    let refused = findings(&sqlite).into_iter().find(|finding| finding.name == "k3s-masters").unwrap();
    assert_eq!(refused.path, "k3s.datastore");
    assert!(findings(SEVERAL).iter().all(|finding| finding.name != "k3s-masters"));
    let of_one = SEVERAL.replace("host: 192.168.1.9, virtual: true", "host: 192.168.1.10");
    assert!(findings(&of_one).iter().any(|finding| finding.name == "endpoint-of-one"));
    assert!(findings(SEVERAL).iter().all(|finding| finding.name != "endpoint-of-one"));
    let kubeadm = "k3s: { disable: [traefik] }\nnodes: [{ hostname: a, board: rpi4, role: master }]";
    assert!(findings(kubeadm).iter().any(|finding| finding.name == "engine-setting"));
    let armv6 =
        "engine: k3s\nnodes: [{ hostname: a, board: rpi4, role: master }, { hostname: b, board: rpi1 }]";
    let refused = findings(armv6).into_iter().find(|finding| finding.name == "board-limits").unwrap();
    assert!(refused.message.contains("is for ARMv7"), "{refused}");
}

/// The data's hash and the token's are the same: who changes one changes both.
#[test]
fn the_marker_and_the_token_know_the_authority_by_one_hash() {
    let files = files(HOME, "k8s-worker-1");
    let hash = k3s::ca_hash(&secrets(&cluster(HOME)).ca.certificate).to_string();
    assert!(content(&files, "/etc/imgforge/k3s/cluster").contains(&format!("authority={hash}\n")));
    assert!(content(&files, "/etc/rancher/k3s/config.yaml").contains(&hash));
}
