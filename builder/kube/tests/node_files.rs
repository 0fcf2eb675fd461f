//! What goes onto each node's card, and what must not.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::{fs, process::Command};

use common::{HOME, boards, cluster, compare, manifests, random};
use imgforge_kube::{
    add_ons::Manifests,
    cluster::{self, Cluster, Node},
    containerd::{self, Runtime, Series},
    docker, kubeadm,
    kubeconfig::Kubeconfig,
    member::Member,
    node_files::{NodeFile, Sources, node_files},
    pki::{Lifetime, Secret, Secrets},
};

const HA: &str = "
endpoint: { host: 192.168.1.9, virtual: true }
add-ons: { network: none }
nodes:
  - { hostname: m1, board: rpi4, role: master }
  - { hostname: m2, board: rpi4, role: master }
  - { hostname: m3, board: rpi4, role: master }
  - { hostname: w1, board: rpi4 }";

/// Where kubeadm's documents lie.
const DOCUMENTS: &str = "/etc/imgforge/kubeadm/";

const DEBIAN: Runtime<'_> = Runtime { series: Series::One, plugins: containerd::DEBIAN_PLUGINS };

/// Home without what has to be fetched.
fn home() -> Cluster {
    let mut home = cluster(&HOME);
    home.add_ons = cluster("add-ons: { network: none }").add_ons;
    home
}

fn secrets(cluster: &Cluster) -> Secrets {
    Secrets::generate(cluster, Lifetime::generous(1_767_225_600), &mut random(7)).unwrap()
}

fn sources<'a>(secrets: Option<&'a Secrets>, manifests: &'a Manifests) -> Sources<'a> {
    Sources { secrets, containerd: DEBIAN, manifests, manifest: &|_| None }
}

fn files(cluster: &Cluster, hostname: &str, secrets: Option<&Secrets>) -> Vec<NodeFile> {
    let member = Member::new(cluster, hostname, &boards).unwrap();
    node_files(&member, &sources(secrets, &Manifests::new())).unwrap()
}

fn content<'a>(files: &'a [NodeFile], path: &str) -> &'a str {
    &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).content
}

/// Path and mode of each file, as people read them.
fn listing(files: &[NodeFile]) -> String {
    let line = |file: &NodeFile| {
        format!("{:04o} {} {}\n", file.mode, if file.secret { "secret" } else { "public" }, file.path)
    };
    files.iter().map(line).collect()
}

#[test]
fn each_role_gets_its_files() {
    let (home, ha) = (home(), cluster(HA));
    let (of_home, of_ha) = (secrets(&home), secrets(&ha));
    let mut text = String::new();
    for (title, cluster, secrets, hostname) in [
        ("single master", &home, &of_home, "k8s-master-1"),
        ("worker", &home, &of_home, "k8s-worker-1"),
        ("first of three masters", &ha, &of_ha, "m1"),
        ("another of them", &ha, &of_ha, "m2"),
    ] {
        text.push_str(&format!("# {title}\n{}", listing(&files(cluster, hostname, Some(secrets)))));
    }
    let with_docker = Cluster { runtime: cluster::Runtime::Docker, ..ha.clone() };
    let worker = files(&with_docker, "w1", Some(&of_ha));
    text.push_str(&format!("# worker with Docker\n{}", listing(&worker)));
    compare("files.txt", &text);
}

/// kubeadm's documents of each kind of node, as the tests of the first boot (`tests/firstboot`) put them on theirs.
#[test]
fn kubeadms_documents_are_those_that_the_first_boot_is_tried_with() {
    let masters = |names: [&str; 3]| {
        let node = |name| format!("  - {{ hostname: {name}, board: rpi4, role: master }}\n");
        format!(
            "name: home\nendpoint: {{ host: 192.168.1.9, virtual: true }}\nadd-ons: {{ network: none }}\nnodes:\n{}",
            names.map(node).concat()
        )
    };
    let with_worker = |name| {
        format!(
            "name: home\nadd-ons: {{ network: none }}\nnodes:\n  - {{ hostname: {name}, board: rpi4, role: master }}\n"
        )
    };
    let worker = format!("{}  - {{ hostname: k8s-1, board: rpi4 }}\n", with_worker("m0"));
    for (kind, text, names) in [
        ("single-master", with_worker("k8s-1"), &["init.yaml"][..]),
        ("first-master", masters(["k8s-1", "m0", "m2"]), &["init.yaml", "join.yaml", "rejoin.yaml"]),
        ("further-master", masters(["m0", "k8s-1", "m2"]), &["join.yaml", "member.yaml", "rejoin.yaml"]),
        ("worker", worker, &["join.yaml"]),
    ] {
        let cluster = cluster(&text);
        let mut secrets = secrets(&cluster);
        secrets.bootstrap_token = Secret::new("abcdef.0123456789abcdef");
        let files = files(&cluster, "k8s-1", Some(&secrets));
        let documents = files.iter().filter_map(|file| Some((file.path.strip_prefix(DOCUMENTS)?, file)));
        let documents: Vec<_> = documents.filter(|(name, _)| !name.contains('/')).collect();
        assert_eq!(documents.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names, "{kind}");
        for (name, file) in documents {
            kubeadm::parse(&file.content).unwrap();
            compare(&format!("first-boot/{kind}/{name}"), &file.content);
        }
    }
}

#[test]
fn a_further_masters_files_are_made_from_what_it_would_make_the_cluster_with() {
    let ha = cluster(HA);
    let secrets = secrets(&ha);
    let of = |hostname, name: &str| {
        content(&files(&ha, hostname, Some(&secrets)), &format!("{DOCUMENTS}{name}")).to_owned()
    };
    assert_eq!(of("m1", "init.yaml").replace("m1", "m2"), of("m2", "member.yaml").replace("m1", "m2"));
    assert_eq!(of("m1", "join.yaml").replace("m1", "m2"), of("m2", "join.yaml"));
    let rejoin = of("m2", "rejoin.yaml");
    assert!(
        !rejoin.contains("token") && rejoin.contains("kubeConfigPath: /etc/kubernetes/admin.conf\n"),
        "{rejoin}"
    );
    let by = |text: &str| match kubeadm::parse(text).unwrap().remove(0) {
        kubeadm::Document::JoinConfiguration(join) => join,
        other => panic!("{other:?}"),
    };
    let (join, rejoin) = (by(&of("m2", "join.yaml")), by(&rejoin));
    assert_eq!(kubeadm::JoinConfiguration { discovery: rejoin.discovery.clone(), ..join }, rejoin);
}

#[test]
fn masters_take_backups_where_etcd_has_a_disk_or_where_they_are_told_to() {
    let disk = home();
    let card = Cluster {
        nodes: disk.nodes.iter().cloned().map(|node| Node { storage: Vec::new(), ..node }).collect(),
        ..disk.clone()
    };
    let told = |cluster: &Cluster, backups: &str| {
        let backups = serde_yaml::from_str(backups).unwrap();
        let hostname = cluster.first_master().unwrap().hostname.clone();
        let files = files(&Cluster { backups, ..cluster.clone() }, &hostname, None);
        files.into_iter().find(|file| file.path == "/etc/imgforge/backups").map(|file| file.content)
    };
    assert_eq!(told(&disk, "null").as_deref(), Some("keep=7\nevery=86400\n"));
    assert_eq!(told(&disk, "{ keep: 28, every: 6h }").as_deref(), Some("keep=28\nevery=21600\n"));
    assert_eq!(told(&disk, "{ keep: 0 }"), None);
    assert_eq!(told(&card, "null"), None);
    assert_eq!(told(&card, "{}").as_deref(), Some("keep=7\nevery=86400\n"));
    let worker = files(&Cluster { backups: Some(Default::default()), ..disk.clone() }, "k8s-worker-1", None);
    assert!(worker.iter().all(|file| file.path != "/etc/imgforge/backups"));
}

#[test]
fn a_worker_holds_nothing_but_the_token_and_the_pin() {
    let home = home();
    let secrets = secrets(&home);
    let worker = files(&home, "k8s-worker-1", Some(&secrets));
    for file in &worker {
        assert!(!file.path.ends_with("/ca.crt"), "kubeadm refuses to join where {} lies", file.path);
        assert!(
            !file.content.contains("PRIVATE KEY") && !file.content.contains("CERTIFICATE"),
            "{}",
            file.path
        );
    }
    let join = content(&worker, "/etc/imgforge/kubeadm/join.yaml");
    assert!(join.contains(secrets.bootstrap_token.reveal()) && join.contains(&secrets.ca_pin().unwrap()));
    kubeadm::parse(join).unwrap();
}

#[test]
fn what_is_secret_is_marked_and_for_root_only() {
    let ha = cluster(HA);
    let secrets = secrets(&ha);
    let texts = [
        &secrets.bootstrap_token,
        &secrets.ca.key,
        &secrets.front_proxy_ca.key,
        &secrets.etcd_ca.key,
        &secrets.service_account.key,
        &secrets.admin.key,
        &secrets.kube_vip.key,
    ];
    for node in &ha.nodes {
        for file in files(&ha, &node.hostname, Some(&secrets)) {
            // Without the kubeconfig beside it, it is of no use; it is a secret like the documents it stands among.
            let holds_secret = file.path.ends_with("/rejoin.yaml")
                || file.content.contains("client-key-data")
                || texts.iter().any(|secret| file.content.contains(secret.reveal()));
            assert_eq!(file.secret, holds_secret, "{}: {}", node.hostname, file.path);
            assert_eq!(file.mode & 0o077 == 0, file.secret, "{}: {}", node.hostname, file.path);
            if file.secret {
                assert!(format!("{file:?}").ends_with("\"(secret)\""));
            }
        }
    }
}

#[test]
fn without_secrets_there_are_none() {
    let home = home();
    for node in &home.nodes {
        let public = files(&home, &node.hostname, None);
        assert!(public.iter().all(|file| !file.secret));
        let mut all = files(&home, &node.hostname, Some(&secrets(&home)));
        all.retain(|file| public.iter().any(|own| own.path == file.path));
        assert_eq!(all, public, "secrets change no other file");
    }
}

#[test]
fn masters_share_their_authorities_byte_for_byte() {
    let ha = cluster(HA);
    let secrets = secrets(&ha);
    let pki = |hostname| {
        let mut files = files(&ha, hostname, Some(&secrets));
        files.retain(|file| file.path.contains("/pki/"));
        files
    };
    assert_eq!(pki("m1"), pki("m2"));
    assert_eq!(pki("m1").len(), 8);
    assert!(pki("w1").is_empty());
}

#[test]
fn kube_vip_needs_no_file_that_kubeadm_makes() {
    let ha = cluster(HA);
    let files = files(&ha, "m2", Some(&secrets(&ha)));
    let folder = "/etc/imgforge/kubeadm/kubernetes";
    let pod = content(&files, &format!("{folder}/manifests/kube-vip.yaml"));
    compare("kube-vip.yaml", pod);
    let pod: serde_yaml::Value = serde_yaml::from_str(pod).unwrap();
    assert_eq!(pod["spec"]["volumes"][0]["hostPath"]["path"], "/etc/kubernetes/kube-vip.conf");
    assert_eq!(pod["spec"]["containers"][0]["env"][0]["value"], "192.168.1.9");
    let kubeconfig: Kubeconfig =
        serde_yaml::from_str(content(&files, &format!("{folder}/kube-vip.conf"))).unwrap();
    assert_eq!(kubeconfig.clusters[0].cluster.server, "https://kubernetes:6443");
}

#[test]
fn old_releases_overrule_the_check_that_kube_vip_trips() {
    let checks = |release: &str, hostname| {
        let cluster = cluster(&format!("kubernetes: {release}{HA}"));
        let overruled = Member::new(&cluster, hostname, &boards).unwrap().overruled();
        overruled.into_iter().map(|o| o.check).collect::<Vec<_>>()
    };
    assert_eq!(
        checks("1.22.17", "m1"),
        ["DirAvailable--etc-kubernetes-manifests"],
        "it may have to join the others"
    );
    assert_eq!(checks("1.22.17", "m2"), ["DirAvailable--etc-kubernetes-manifests"]);
    assert_eq!(checks("1.22.17", "w1"), [""; 0]);
    assert_eq!(checks("1.23.0", "m2"), [""; 0]);
}

#[test]
fn containerds_configuration_is_toml_in_the_form_of_its_series() {
    // Python's own reader is the judge.
    const READ: &str = "import sys, tomllib; print(tomllib.load(open(sys.argv[1], 'rb')))";
    let folder = tempfile::tempdir().unwrap();
    for (series, version, runtime, plugins) in [
        (Series::One, "'version': 2", "io.containerd.grpc.v1.cri", "'bin_dir': '/opt/cni/bin'"),
        (Series::Two, "'version': 3", "io.containerd.cri.v1.runtime", "'bin_dirs': ['/opt/cni/bin']"),
    ] {
        let path = folder.path().join("config.toml");
        let runtime_settings = Runtime { series, plugins: containerd::KUBERNETES_PLUGINS };
        let text = containerd::config(runtime_settings, "registry.k8s.io/pause:3.9", false);
        compare(&format!("containerd-{series:?}.toml").to_lowercase(), &text);
        fs::write(&path, text).unwrap();
        let output = Command::new("python3").args(["-c", READ]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read = String::from_utf8(output.stdout).unwrap();
        for expected in [version, runtime, "'SystemdCgroup': True", "registry.k8s.io/pause:3.9", plugins] {
            assert!(read.contains(expected), "{expected} is not in {read}");
        }
    }
}

#[test]
fn with_docker_the_kubelets_side_of_it_is_told_of_socket_and_pause_image() {
    let docker = cluster(
        "runtime: docker\nadd-ons: { network: none }\nnodes: [{hostname: m, board: rpi4, role: master}]",
    );
    let files = files(&docker, "m", None);
    assert_eq!(content(&files, "/etc/crictl.yaml"), "runtime-endpoint: unix:///run/cri-dockerd.sock\n");
    let settings = content(&files, docker::PATH);
    assert_eq!(settings.lines().last(), Some("PAUSE_IMAGE=registry.k8s.io/pause:3.10.2"));
    assert!(files.iter().all(|file| file.path != containerd::PATH), "its containerd is not the kubelet's");
}

#[test]
fn a_node_routes_ipv6_where_pods_have_such_addresses() {
    let with = |pods: &str, services: &str| {
        cluster(&format!(
            "networking: {{ pod-subnet: {pods}, service-subnet: {services} }}\nadd-ons: {{ network: none }}\n\
             nodes: [{{ hostname: m, board: rpi4, role: master }}, {{ hostname: nas, board: rpi1, role: base }}]"
        ))
    };
    let path = "/etc/sysctl.d/90-imgforge-ipv6.conf";
    let both = with("[10.244.0.0/16, 'fd00:10:244::/56']", "[10.96.0.0/12, 'fd00:10:96::/112']");
    assert!(content(&files(&both, "m", None), path).contains("net.ipv6.conf.all.forwarding = 1\n"));
    assert!(files(&both, "nas", None).is_empty());
    let v4 = files(&with("10.244.0.0/16", "10.96.0.0/12"), "m", None);
    assert!(v4.iter().all(|file| file.path != path));
}

#[test]
fn a_node_of_another_role_is_no_member() {
    let text = "
add-ons: { network: none }
nodes:
  - { hostname: m1, board: rpi4, role: master }
  - hostname: nas
    board: rpi1
    role: base
    files: [{ path: /etc/motd, mode: '0600', content: hello }]";
    let cluster = cluster(text);
    assert_eq!(
        listing(&files(&cluster, "nas", None)),
        "",
        "its own files are put in with its other settings"
    );
}

#[test]
fn an_old_kubelet_does_not_get_a_new_containerd() {
    let old = cluster(
        "kubernetes: 1.20.2\nadd-ons: { network: none }\nnodes: [{hostname: m, board: rpi4, role: master}]",
    );
    let member = Member::new(&old, "m", &boards).unwrap();
    let with = |series| {
        let containerd = Runtime { series, plugins: containerd::DEBIAN_PLUGINS };
        node_files(&member, &Sources { containerd, ..sources(None, &Manifests::new()) })
    };
    with(Series::One).unwrap();
    assert_eq!(
        with(Series::Two).unwrap_err().to_string(),
        "m: Kubernetes 1.20.2 does not work with containerd 2; choose packages of the other series"
    );
}

#[test]
fn what_cannot_be_made_is_told() {
    let home = cluster(&HOME);
    let error = |hostname| Member::new(&home, hostname, &boards).unwrap_err().to_string();
    assert_eq!(error("nobody"), "the cluster home has no node `nobody`; add it to the cluster file");
    let member = Member::new(&home, "k8s-master-1", &boards).unwrap();
    let manifests = manifests();
    let missing = node_files(&member, &sources(None, &manifests));
    assert!(missing.unwrap_err().to_string().starts_with("the manifest of flannel v0.28.9 is not at hand"));
    let changed =
        node_files(&member, &Sources { manifest: &|_| Some(b"x".to_vec()), ..sources(None, &manifests) });
    assert!(changed.unwrap_err().to_string().contains("it was changed since it was pinned"));
}
