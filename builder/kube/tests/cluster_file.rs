//! The cluster file: what it may say and what is found wrong with it.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use common::{HOME, boards, cluster, manifests};
use imgforge_kube::{
    check::{Severity, check},
    cluster::{Cluster, Role},
    version::Version,
};

/// Errors found in `text`, as they are shown.
fn errors(text: &str) -> Vec<String> {
    found(text, Severity::Error)
}

fn notices(text: &str) -> Vec<String> {
    found(text, Severity::Notice)
}

fn found(text: &str, severity: Severity) -> Vec<String> {
    let findings = check(&cluster(text), &boards, &manifests());
    findings.iter().filter(|f| f.severity == severity).map(ToString::to_string).collect()
}

#[test]
fn the_example_is_a_cluster_that_works() {
    assert_eq!(errors(&HOME), [""; 0]);
    assert_eq!(
        notices(&HOME),
        ["kubernetes: Kubernetes 1.26.15 gets no fixes any more; it is the line of 32-bit Arm; \
          with 64-bit boards only, take a current release; `engine: k3s` has one for 32-bit boards, too"]
    );
    let home = cluster(&HOME);
    assert_eq!(home.control_plane_endpoint().unwrap().authority(), "192.168.1.10:6443");
    let master = home.first_master().unwrap();
    assert_eq!((master.hostname.as_str(), master.taints.as_deref()), ("k8s-master-1", Some(&[][..])));
    assert!(master.has_disk_for("/var/lib/etcd") && master.has_disk_for("/var/lib/containerd/io.x"));
    assert!(!master.has_disk_for("/var/lib/etcd2"));
}

#[test]
fn what_is_read_can_be_written_and_read_again() {
    let home = cluster(&HOME);
    let text = serde_yaml::to_string(&home).unwrap();
    assert_eq!(cluster(&text), home);
}

#[test]
fn everything_but_a_nodes_name_and_board_has_a_default() {
    let small = cluster("nodes: [{hostname: a, board: rpi4, role: master}, {hostname: b, board: rpi4}]");
    assert_eq!(small.kubernetes, Version::new(36, 4));
    assert_eq!(small.networking.pod_subnet.to_string(), "10.244.0.0/16");
    assert_eq!(small.node("b").unwrap().role, Role::Worker);
    assert!(serde_yaml::from_str::<Cluster>("nodes: [{hostname: a}]").is_err());
}

#[test]
fn unknown_keys_and_half_a_version_are_told_with_their_place() {
    let message = |text: &str| serde_yaml::from_str::<Cluster>(text).unwrap_err().to_string();
    assert!(message("nodes:\n  - { hostname: a, board: b, lables: {} }").contains("unknown field `lables`"));
    let release = message("name: home\nkubernetes: '1.36'\n");
    assert!(release.contains("write all three numbers, such as 1.36.4"), "{release}");
    assert!(release.contains("line 2"), "{release}");
    assert!(message("networking: {pod-subnet: 10.0.0.0}").contains("no address with a prefix length"));
}

#[test]
fn duplicates_are_told_with_a_way_out() {
    let text = "
lan: { gateway: 192.168.1.1 }
nodes:
  - { hostname: node-1, board: rpi4, role: master, address: 192.168.1.10/24 }
  - { hostname: node-1, board: rpi4, address: 192.168.1.10/24 }";
    assert_eq!(
        errors(text),
        [
            "nodes[1].hostname: `node-1` is there twice; a node is known by its name; node-2 is free",
            "nodes[1].address: 192.168.1.10 is already node-1's",
        ]
    );
}

#[test]
fn unknown_boards_are_errors() {
    let text = "nodes: [{hostname: a, board: rpi9, role: master}]";
    assert_eq!(
        errors(text),
        ["nodes[0].board: no board is called `rpi9`; `imgforge boards` lists those that are known"]
    );
}

#[test]
fn boards_that_cannot_do_it_are_errors_before_anything_is_built() {
    let text = "
kubernetes: 1.36.4
nodes:
  - { hostname: a, board: rpi4, role: master }
  - { hostname: b, board: bananapi }
  - { hostname: c, board: rpi1 }
  - { hostname: d, board: rpi1, role: base }";
    let told = errors(text);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told[0].starts_with("nodes[1].board: Kubernetes 1.36.4 has no binaries for 32-bit Arm"),
        "{}",
        told[0]
    );
    assert!(told[0].ends_with("set `kubernetes: 1.26.15` for the whole cluster, or leave the board out; `engine: k3s` has current releases for it"));
    assert!(told[1].starts_with("nodes[2].board: Kubernetes has no binaries for ARMv6"), "{}", told[1]);
}

#[test]
fn a_master_needs_two_cores_and_is_told_of_little_memory() {
    let text = "
kubernetes: 1.26.15
nodes: [{hostname: a, board: cubieboard, role: master}]";
    assert_eq!(errors(text).len(), 1);
    assert!(errors(text)[0].contains("make it a worker"));
    assert!(notices(text).iter().any(|n| n.contains("kubeadm wants 1700 MB")), "{:?}", notices(text));
}

#[test]
fn add_ons_without_images_for_a_node_are_errors() {
    let text = "
kubernetes: 1.26.15
add-ons: { network: calico }
nodes: [{hostname: a, board: rpi4, role: master}, {hostname: b, board: bananapi}]";
    assert_eq!(errors(text), ["add-ons: calico has no images for armv7 (b); flannel and metallb have"]);
}

#[test]
fn a_lagging_worker_is_possible_within_the_skew() {
    let with = |release: &str, board: &str| {
        format!(
            "kubernetes: {release}
nodes:
  - {{ hostname: a, board: rpi4, role: master }}
  - {{ hostname: b, board: {board}, kubernetes: 1.26.15 }}"
        )
    };
    assert_eq!(errors(&with("1.29.14", "rk3328")), [""; 0]);
    let told = notices(&with("1.29.14", "rk3328"));
    assert!(
        told.iter().any(|notice| notice.contains("kubeadm is only tested with its own release")),
        "{told:?}"
    );
    assert_eq!(
        errors(&with("1.30.1", "rk3328")),
        [
            "nodes[1].kubernetes: the kubelet (1.26.15) may be 3 minor releases older than the control plane (1.30.1), not more"
        ]
    );
    assert_eq!(
        errors(&with("1.29.14", "bananapi")),
        [
            "nodes[1].board: kube-proxy runs on every node in the cluster's release, and 1.29.14 has no image of it for \
          32-bit Arm; set `kubernetes: 1.26.15` for the whole cluster, or leave the board out; `engine: k3s` has current releases for it"
        ]
    );
}

#[test]
fn docker_is_a_choice_for_all_nodes_or_one_and_what_follows_is_told() {
    let text = |cluster: &str, node: &str| {
        let nodes = format!(
            "\n  - {{ hostname: m, board: rpi4, role: master }}\n  - {{ hostname: w, board: rpi4{node} }}\n"
        );
        format!("{cluster}nodes:{nodes}  - {{ hostname: nas, board: rpi1, role: base }}")
    };
    let told = |text: &str| {
        assert_eq!(errors(text), [""; 0]);
        let of_docker = |notice: &String| notice.contains("Docker");
        notices(text).into_iter().filter(of_docker).collect::<Vec<_>>()
    };
    assert_eq!(told(&text("", "")), [""; 0]);
    let runs = "Debian's Docker runs the containers, and cri-dockerd translates for the kubelet: \
                two more daemons than with containerd";
    assert_eq!(told(&text("runtime: docker\n", "")), [format!("runtime: {runs}")]);
    assert_eq!(told(&text("", ", runtime: docker")), [format!("nodes[1].runtime: {runs}")]);
    assert_eq!(told(&text("runtime: docker\n", ", runtime: containerd")), [format!("runtime: {runs}")]);
    let elsewhere = ", runtime: docker, mounts: [{ source: LABEL=d, target: /mnt/d }], \
         storage: [{ path: /var/lib/containerd, on: /mnt/d/containerd }]";
    assert_eq!(
        told(&text("", elsewhere))[1],
        "nodes[1].storage: Docker keeps images and containers in /var/lib/docker, which is on the card; \
         bind that in place of /var/lib/containerd"
    );
    let base = "runtime: docker\nnodes:\n  - { hostname: m, board: rpi4, role: master, runtime: containerd }\n  \
                - { hostname: nas, board: rpi1, role: base, runtime: docker }";
    assert_eq!(
        told(base),
        ["nodes[1].runtime: a node with the role base runs no containers of the cluster; \
          `packages: [docker.io, docker-cli]` puts Docker there for its own sake"]
    );
}

#[test]
fn the_files_of_docker_are_imgforges_only_where_it_runs_the_containers() {
    let text = |runtime: &str| {
        format!(
            "runtime: {runtime}\nnodes: [{{ hostname: m, board: rpi4, role: master, \
             files: [{{ path: /etc/docker/daemon.json, content: '{{}}' }}] }}]"
        )
    };
    assert_eq!(errors(&text("containerd")), [""; 0]);
    let expected = "nodes[0].files[0].path: `/etc/docker/daemon.json` is imgforge's or kubeadm's own; take another place; `registries`, `proxy`, `kubeadm` and `kubelet` change what lies there";
    assert_eq!(errors(&text("docker")), [expected]);
}

#[test]
fn reserved_labels_are_refused_with_a_better_name() {
    let text = "
nodes:
  - hostname: a
    board: rpi4
    role: master
    labels: { node-role.kubernetes.io/nas: 'true' }";
    assert_eq!(
        errors(text),
        [
            "nodes[0].labels: `node-role.kubernetes.io/nas`: node-role.kubernetes.io belongs to Kubernetes, and a node may \
          not label itself there; use a domain of your own, such as home.example/nas"
        ]
    );
}

#[test]
fn a_cluster_has_a_master_and_several_have_an_endpoint() {
    assert_eq!(
        errors("nodes: [{hostname: a, board: rpi4}]"),
        ["nodes: no node is a master; give one of them `role: master`"]
    );
    let two = "nodes: [{hostname: a, board: rpi4, role: master}, {hostname: b, board: rpi4, role: master}]";
    assert_eq!(errors(two).len(), 3, "{:?}", errors(two));
    assert!(errors(two)[0].starts_with("nodes[0].address: a has its address from DHCP"), "{:?}", errors(two));
    assert!(errors(two)[2].starts_with("endpoint: several masters need one address"), "{:?}", errors(two));
    assert!(notices(two)[0].contains("etcd needs a majority"));
    let own = "
nodes:
  - { hostname: a, board: rpi4, role: master, address: 192.168.1.10/24 }
  - { hostname: b, board: rpi4, role: master, address: 192.168.1.11/24 }";
    assert_eq!(errors(&format!("endpoint: {{ host: 192.168.1.9, virtual: true }}\n{own}")), [""; 0]);
    let named = format!("endpoint: {{ host: k8s.home.example, virtual: true }}\n{own}");
    assert_eq!(errors(&named), ["endpoint.host: a virtual endpoint is an address, not a name"]);
}

#[test]
fn networks_are_networks_and_do_not_overlap() {
    let master = "nodes: [{hostname: a, board: rpi4, role: master}]";
    let with = |networking: &str| errors(&format!("networking: {{{networking}}}\n{master}"));
    assert_eq!(
        with("pod-subnet: 10.244.0.1/16"),
        [
            "networking.pod-subnet: 10.244.0.1/16 is an address in a network, not a network; write 10.244.0.0/16"
        ]
    );
    assert!(with("pod-subnet: 10.96.0.0/16")[0].contains("overlap"));
    assert!(with("pod-subnet: 10.244.0.0/28")[0].contains("no room"));
    assert!(with("service-subnet: 10.0.0.0/8, pod-subnet: 172.16.0.0/16")[0].contains("too wide"));
    assert!(with("proxy-mode: nftables").is_empty());
    let at_home = "
lan: { gateway: 10.96.1.1 }
nodes: [{hostname: a, board: rpi4, role: master, address: 10.96.1.10/24}]";
    assert!(errors(at_home)[0].contains("overlaps that of Services"), "{:?}", errors(at_home));
}

#[test]
fn handed_out_addresses_belong_to_nobody() {
    let text = "
lan: { gateway: 192.168.1.1 }
add-ons: { load-balancer: { addresses: [192.168.1.2-192.168.1.20] } }
nodes: [{hostname: a, board: rpi4, role: master, address: 192.168.1.10/24}]";
    assert_eq!(errors(text), ["add-ons.load-balancer.addresses[0]: the address of a is in the range"]);
}

#[test]
fn image_tags_are_tags() {
    let text = "images: { etcd: 'registry/etcd:3', coredns: v1.9.3 }\nnodes: [{hostname: a, board: rpi4, role: master}]";
    assert_eq!(errors(text), ["images.etcd: `registry/etcd:3` is no tag of an image"]);
}

#[test]
fn the_schema_describes_every_setting() {
    let schema = schemars::schema_for!(Cluster).to_value();
    let properties = schema["properties"].as_object().unwrap();
    let example: serde_yaml::Value = serde_yaml::from_str(&HOME).unwrap();
    for key in example.as_mapping().unwrap().keys() {
        let setting = &properties[key.as_str().unwrap()];
        assert!(setting["description"].is_string() || setting["$ref"].is_string(), "{key:?}: {setting}");
    }
}

#[test]
fn the_name_server_of_the_home_network_has_an_address_and_somebody_to_ask() {
    let with = |lan_dns: &str| {
        errors(&format!(
            "add-ons: {{ load-balancer: {{ addresses: [192.168.1.240-192.168.1.250] }}, lan-dns: {{ {lan_dns} }} }}
nodes: [{{hostname: a, board: rpi4, role: master}}]"
        ))
    };
    assert_eq!(with("address: 192.168.1.240, domain: home.example, upstream: [192.168.1.1]"), [""; 0]);
    assert!(
        with("address: 192.168.1.2, domain: home.example, upstream: [192.168.1.1]")[0].contains("not among")
    );
    assert!(with("address: 192.168.1.240, domain: home.example")[0].contains("nobody is there to ask"));
    assert!(with("address: 192.168.1.240, domain: a_b, upstream: [192.168.1.1]")[0].contains("is no domain"));
    assert!(
        with("address: 192.168.1.240, domain: a, upstream: [192.168.1.240]")
            .iter()
            .any(|e| e.contains("ask itself"))
    );
}

#[test]
fn a_card_is_named_for_an_address_only() {
    let text = "
nodes:
  - { hostname: a, board: rpi4, role: master, address: 192.168.1.10/24, interface: 02:00:5e:10:00:01 }
  - { hostname: b, board: rpi4, interface: end0 }";
    let expected = "nodes[1].interface: end0 is to have a static address, and there is none; give `address`, or remove this";
    assert_eq!(errors(text), [expected]);
}

#[test]
fn swap_wants_a_kubelet_that_keeps_pods_out_of_it() {
    let text = "
kubernetes: 1.26.15
nodes:
  - { hostname: a, board: rpi4, role: master }
  - { hostname: b, board: rpi4, swap: true }
  - { hostname: c, board: rpi4, role: base, swap: true }";
    assert_eq!(
        errors(text),
        ["nodes[1].swap: the kubelet of 1.26.15 does not keep pods out of swap; 1.30 and newer do"]
    );
    assert_eq!(errors(&text.replace("1.26.15", "1.36.4")), [""; 0]);
}

#[test]
fn paths_are_absolute_and_modes_octal() {
    let text = "
nodes:
  - hostname: a
    board: rpi4
    role: master
    files:
      - { path: etc/x, mode: '0999', content: '' }
      - { path: /etc/kubernetes/x, content: '' }";
    assert_eq!(
        errors(text),
        [
            "nodes[0].files[0].path: `etc/x` must begin with / and not climb with ..",
            "nodes[0].files[1].path: `/etc/kubernetes/x` is in /etc/kubernetes, which is imgforge's or kubeadm's own; take another place; `registries`, `proxy`, `kubeadm` and `kubelet` change what lies there",
            "nodes[0].files[0].mode: `0999` is no mode in octal digits, such as 0644",
        ]
    );
}

#[test]
fn monitoring_is_for_a_node_that_is_there_and_tells_somebody_who_can_be_reached() {
    let text = "
add-ons: { monitoring: { node: nas, days: 0, alerts-to: my phone } }
nodes: [{ hostname: m, board: rpi4, role: master }, { hostname: nas, board: rpi4, role: base }]";
    assert_eq!(
        errors(text),
        [
            "add-ons.monitoring.node: no node that runs pods is called `nas`",
            "add-ons.monitoring.days: nothing would be kept",
            "add-ons.monitoring.alerts-to: `my phone` is no address of a webhook: https://ntfy.home.example/alerts",
        ]
    );
}
