//! Settings that are passed on: what arrives where, and what is refused.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::{fs, process::Command};

use common::{boards, cluster, lab::*};
use imgforge_kube::{
    add_ons::Manifests,
    cluster::Cluster,
    containerd::{KUBERNETES_PLUGINS, Runtime, Series},
    kubeadm,
    member::Member,
    node_files::{NodeFile, Sources, node_files},
    patches::patches,
};
use serde_yaml::Value;

const NODES: &str = "add-ons: { network: none }
nodes:
  - { hostname: m, board: rpi4, role: master, address: 192.168.1.10/24, kubelet: { maxPods: 20 } }
  - { hostname: w, board: rpi4 }
";

fn with(text: &str) -> Cluster {
    cluster(&format!("{text}\n{NODES}"))
}

/// The document of this kind that the master gets.
fn document(cluster: &Cluster, kind: &str) -> Value {
    let member = Member::new(cluster, "m", &boards).unwrap();
    let text = kubeadm::render(&kubeadm::init(&member, "abcdef.0123456789abcdef"), cluster).unwrap();
    let documents = text.split("---\n").map(|text| serde_yaml::from_str::<Value>(text).unwrap());
    documents.into_iter().find(|document| document["kind"] == kind).unwrap()
}

fn files(cluster: &Cluster, hostname: &str, series: Series) -> Vec<NodeFile> {
    let containerd = Runtime { series, plugins: KUBERNETES_PLUGINS };
    let manifests = Manifests::new();
    let sources = Sources { secrets: None, containerd, manifests: &manifests, manifest: &|_| None };
    node_files(&Member::new(cluster, hostname, &boards).unwrap(), &sources).unwrap()
}

fn content<'a>(files: &'a [NodeFile], path: &str) -> &'a str {
    &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).content
}

/// What Python's own reader finds in the TOML `text`.
fn toml(text: &str) -> Value {
    const READ: &str = "import json, sys, tomllib; print(json.dumps(tomllib.load(open(sys.argv[1], 'rb'))))";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    fs::write(&path, text).unwrap();
    let output = Command::new("python3").args(["-c", READ]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_yaml::from_slice(&output.stdout).unwrap()
}

#[test]
fn options_reach_the_components_in_the_form_of_the_release() {
    let settings = "api-server: { extra-args: { event-ttl: 24h, v: 4, profiling: false } }
controller-manager: { extra-args: { node-cidr-mask-size-ipv4: 25 } }
scheduler: { extra-args: { v: '2' } }
etcd: { extra-args: { quota-backend-bytes: 4294967296 } }";
    let current = document(&with(&format!("carry-images: false\n{settings}")), "ClusterConfiguration");
    let expected: Value = serde_yaml::from_str(
        "[{ name: event-ttl, value: 24h }, { name: profiling, value: 'false' }, { name: v, value: '4' }]",
    )
    .unwrap();
    assert_eq!(current["apiServer"]["extraArgs"], expected);
    assert_eq!(current["etcd"]["local"]["extraArgs"][0]["value"], "4294967296");
    assert_eq!(current["etcd"]["local"].get("imageTag"), None, "kubeadm's own");
    assert_eq!(current["scheduler"]["extraArgs"][0]["name"], "v");
    let nodes_apart = NODES.replace(", kubelet: { maxPods: 20 }", "");
    let old = cluster(&format!("kubernetes: 1.24.17\n{settings}\n{nodes_apart}"));
    let old = document(&old, "ClusterConfiguration");
    assert_eq!(old["controllerManager"]["extraArgs"]["node-cidr-mask-size-ipv4"], "25");
}

#[test]
fn kubelets_get_the_clusters_fields_and_their_own() {
    let cluster = with(
        "kubelet: { maxPods: 50, evictionHard: { memory.available: 50Mi }, imageGCHighThresholdPercent: 70 }",
    );
    assert_eq!(document(&cluster, "KubeletConfiguration")["maxPods"], 50);
    let patch = |hostname: &str| -> Value {
        let member = Member::new(&cluster, hostname, &boards).unwrap();
        let patch = patches(&member).unwrap().into_iter().find(|patch| patch.name.starts_with("kubelet"));
        serde_yaml::from_str(&patch.unwrap().content).unwrap()
    };
    assert_eq!((&patch("m")["maxPods"], &patch("w")["maxPods"]), (&Value::from(20), &Value::from(50)));
    assert_eq!(patch("w")["evictionHard"]["memory.available"], "50Mi");
    assert_eq!(patch("w")["evictionHard"]["nodefs.available"], "10%", "the others stay");
    let old = with("kubernetes: 1.24.17\nkubelet: { kubeReserved: { memory: 1Gi } }");
    let old_kubelet = document(&old, "InitConfiguration")["nodeRegistration"]["kubeletExtraArgs"].clone();
    assert_eq!(old_kubelet.get("kube-reserved"), None, "an option would stand above the field");
    assert!(old_kubelet.get("system-reserved").is_some());
}

#[test]
fn kubeadm_gets_fields_beside_ours() {
    let cluster = with(
        "kubeadm: { apiServer: { extraVolumes: [{ name: audit, hostPath: /var/log/audit, mountPath: /audit }], \
           certSANs: [vpn.home.example, 192.168.1.10] }, \
         certificateValidityPeriod: 8760h }",
    );
    let document = document(&cluster, "ClusterConfiguration");
    assert_eq!(document["apiServer"]["extraVolumes"][0]["name"], "audit");
    let sans = document["apiServer"]["certSANs"].as_sequence().unwrap();
    assert_eq!(sans.iter().filter(|san| *san == "192.168.1.10").count(), 1, "{sans:?}");
    assert_eq!(sans.last().unwrap(), "vpn.home.example");
    assert_eq!(document["certificateValidityPeriod"], "8760h");
}

const CA: &str = "|
      -----BEGIN CERTIFICATE-----
      MIIB
      -----END CERTIFICATE-----
";

fn registries() -> Cluster {
    with(&format!(
        "registries:
  docker.io: {{ mirrors: ['http://nas.home.example:5000', 'https://mirror.example/v2/proxy'] }}
  nas.home.example:5000:
    ca: {CA}"
    ))
}

#[test]
fn registries_have_mirrors_and_authorities() {
    for (series, plugin) in
        [(Series::One, "io.containerd.grpc.v1.cri"), (Series::Two, "io.containerd.cri.v1.images")]
    {
        let files = files(&registries(), "w", series);
        let config = toml(content(&files, "/etc/containerd/config.toml"));
        assert_eq!(config["plugins"][plugin]["registry"]["config_path"], "/etc/containerd/certs.d");
        let hosts = toml(content(&files, "/etc/containerd/certs.d/docker.io/hosts.toml"));
        assert_eq!(hosts["host"]["http://nas.home.example:5000"]["capabilities"][0], "pull");
        assert!(hosts["host"]["http://nas.home.example:5000"].get("override_path").is_none());
        assert_eq!(hosts["host"]["https://mirror.example/v2/proxy"]["override_path"], true);
        let folder = "/etc/containerd/certs.d/nas.home.example:5000";
        let own = toml(content(&files, &format!("{folder}/hosts.toml")));
        assert_eq!(own["ca"], format!("{folder}/ca.crt"));
        assert!(content(&files, &format!("{folder}/ca.crt")).starts_with("-----BEGIN CERTIFICATE-----\n"));
    }
}

#[test]
fn the_proxy_is_for_what_is_outside() {
    let text = "proxy: { https: 'http://proxy.home.example:3128/%20', no-proxy: [nas.home.example, 192.168.1.0/24] }";
    let files = files(&with(text), "w", Series::Two);
    let expected = "# Made by imgforge from `proxy`.
[Service]
Environment=\"HTTPS_PROXY=http://proxy.home.example:3128/%%20\"
Environment=\"NO_PROXY=localhost,127.0.0.0/8,::1,192.168.1.10,m,w,192.168.1.0/24,10.244.0.0/16,10.96.0.0/12,.svc,.cluster.local,nas.home.example\"
";
    for service in ["containerd", "kubelet"] {
        let path = format!("/etc/systemd/system/{service}.service.d/20-imgforge-proxy.conf");
        assert_eq!(content(&files, &path), expected);
    }
}

#[test]
fn what_contradicts_other_settings_is_refused_with_these() {
    quiet(&top("kubelet: { maxPods: 50, evictionHard: { memory.available: 50Mi } }"));
    quiet(&top(
        "api-server: { extra-args: { event-ttl: 24h } }\nkubeadm: { featureGates: { RootlessControlPlane: true } }",
    ));
    quiet(&top("registries: { docker.io: { mirrors: ['https://nas.home.example:5000'] } }"));
    quiet(&top("registries: { _default: { mirrors: ['https://nas.home.example:5000'] } }"));
    quiet(&top("proxy: { http: 'http://proxy.home.example:3128', no-proxy: [.home.example] }"));
    for fields in
        ["cgroupDriver: cgroupfs", "clusterDNS: [10.96.0.10]", "failSwapOn: false", "max-pods: 5", "5: 5"]
    {
        says("kubelet-setting", "kubelet", &top(&format!("kubelet: {{ {fields} }}")));
        says("kubelet-setting", "nodes[0].kubelet", &master(&format!("kubelet: {{ {fields} }}")));
    }
    says("unknown-field", "kubelet.maxpods", &top("kubelet: { maxpods: 5 }"));
    says("unknown-field", "kubelet.authentication", &top("kubelet: { authentication: { webhok: {} } }"));
    says(
        "unknown-field",
        "nodes[0].kubelet.memoryTrottlingFactor",
        &master("kubelet: { memoryTrottlingFactor: 0.9 }"),
    );
    says("unknown-field", "kubeadm.apiserver", &top("kubeadm: { apiserver: {} }"));
    let of_node = format!("kubernetes: 1.24.17\n{}", master("kubelet: { maxPods: 5 }"));
    says("kubelet-of-node", "nodes[0].kubelet", &of_node);
    for (component, option) in [
        ("api-server", "secure-port"),
        ("api-server", "--event-ttl"),
        ("api-server", "anonymous-auth"),
        ("controller-manager", "cluster-cidr"),
        ("scheduler", "kubeconfig"),
        ("scheduler", "secure-port"),
        ("controller-manager", "cluster_cidr"),
        ("etcd", "data-dir"),
    ] {
        let text = top(&format!("{component}: {{ extra-args: {{ {option}: '1' }} }}"));
        says("extra-args", &format!("{component}.extra-args"), &text);
    }
    for fields in
        ["clusterName: x", "networking: {}", "apiServer: { extraArgs: [] }", "etcd: { external: {} }"]
    {
        says("kubeadm-setting", "kubeadm", &top(&format!("kubeadm: {{ {fields} }}")));
    }
    for (path, registry) in [
        ("registries", "'a/b': { mirrors: ['https://x'] }"),
        ("registries.x", "x: { mirrors: [nas] }"),
        ("registries.x", "x: { mirrors: ['http://a\"b'] }"),
        ("registries.x", "x: { mirrors: ['https://y', 'https://y'] }"),
        ("registries", "192.168.1.300: { mirrors: ['https://y'] }"),
        ("registries.x", "x: {}"),
        ("registries.x", "x: { ca: secret }"),
    ] {
        says("registry", path, &top(&format!("registries: {{ {registry} }}")));
    }
    says(
        "registry-runtime",
        "registries",
        &top("runtime: docker\nregistries: { x: { mirrors: ['https://y'] } }"),
    );
    says("proxy", "proxy.https", &top("proxy: { https: 'http://me:secret@proxy:3128' }"));
    says("proxy", "proxy", &top("proxy: {}"));
    let shown = format!("{:?}", findings(&top("proxy: { https: 'http://me:secret@proxy:3128' }")));
    assert!(!shown.contains("secret@"), "{shown}");
}

#[test]
fn a_narrower_part_for_each_node_makes_room_for_more() {
    let networking = "networking: { pod-subnet: 10.244.0.0/24 }\n";
    says("pod-subnet-size", "networking.pod-subnet", &top(networking));
    let narrower = "controller-manager: { extra-args: { node-cidr-mask-size-ipv4: 26 } }";
    quiet(&top(&format!("{networking}{narrower}")));
}

#[test]
fn fields_hold_what_kubernetes_reads() {
    quiet(&top(
        "kubelet: { imageMinimumGCAge: 5m, kubeReserved: { cpu: 500m, memory: 0.5Gi }, logging: { verbosity: 4 }, \
         evictionMinimumReclaim: { nodefs.available: '0' }, featureGates: { NodeSwap: true }, resolvConf: '' }\n\
         kubeadm: { apiServer: { certSANs: ['*.home.example', 192.168.1.9] }, encryptionAlgorithm: ECDSA-P256, \
         dns: { disabled: true } }",
    ));
    for (field, value) in [
        ("maxPods", "'50'"),
        ("maxPods", "-5"),
        ("serializeImagePulls", "no"),
        ("imageMinimumGCAge", "300"),
        ("imageMinimumGCAge", "1d"),
        ("kubeReserved", "{ cpu: 1 }"),
        ("kubeReserved", "{ memory: 1GB }"),
        ("systemReserved", "{ ram: 1Gi }"),
        ("evictionHard", "{ memory.free: 100Mi }"),
        ("evictionHard", "{ memory.available: 10 % }"),
        ("evictionHard", "100Mi"),
        ("cpuManagerPolicy", "Static"),
        ("containerLogMaxFiles", "1"),
        ("authentication", "{ anonymous: { enabled: 'false' } }"),
        ("allowedUnsafeSysctls", "net.core.somaxconn"),
        ("enforceNodeAllocatable", "[pod]"),
        ("syncFrequency", "~"),
        ("cpuCFSQuotaPeriod", "5s"),
        ("podLogsDir", "logs"),
    ] {
        let fields = format!("kubelet: {{ {field}: {value} }}");
        says("field-value", &format!("kubelet.{field}"), &top(&fields));
        says("field-value", &format!("nodes[0].kubelet.{field}"), &master(&fields));
    }
    for (field, value) in [
        ("apiServer", "{ certSANs: vpn.home.example }"),
        ("apiServer", "{ certSANs: [vpn_1.home.example] }"),
        ("scheduler", "{ extraVolumes: [{ name: a, readOnly: 'yes' }] }"),
        ("certificateValidityPeriod", "365d"),
        ("encryptionAlgorithm", "rsa"),
        ("etcd", "{ local: { serverCertSANs: [5] } }"),
        ("proxy", "{ disabled: 1 }"),
    ] {
        let fields = format!("kubeadm: {{ {field}: {value} }}");
        says("field-value", &format!("kubeadm.{field}"), &top(&fields));
    }
}

#[test]
fn fields_of_a_kubelet_go_together() {
    for fine in [
        "imageGCHighThresholdPercent: 70, imageGCLowThresholdPercent: 60",
        "imageMaximumGCAge: 168h",
        "shutdownGracePeriod: 60s, shutdownGracePeriodCriticalPods: 10s",
        "evictionSoft: { memory.available: 300Mi }, evictionSoftGracePeriod: { memory.available: 1m }",
        "enforceNodeAllocatable: [pods, kube-reserved], kubeReservedCgroup: /kube.slice",
        "cgroupsPerQOS: false, enforceNodeAllocatable: [none]",
        "maxParallelImagePulls: 3",
        "cpuManagerPolicy: static, reservedSystemCPUs: '0', cpuManagerPolicyOptions: { full-pcpus-only: 'true' }",
        "cgroupsPerQOS: false, enforceNodeAllocatable: []",
        "evictionSoft: { memory.available: 0% }",
        "memoryManagerPolicy: Static, kubeReserved: { memory: 400Mi }, systemReserved: { memory: 100Mi }, \
         evictionHard: { memory.available: 100Mi }, reservedMemory: [{ numaNode: 0, limits: { memory: 600Mi } }]",
    ] {
        quiet(&top(&format!("kubelet: {{ {fine} }}")));
    }
    for (field, fields) in [
        ("imageGCHighThresholdPercent", "imageGCHighThresholdPercent: 70"),
        ("imageGCLowThresholdPercent", "imageGCLowThresholdPercent: 90"),
        ("imageMaximumGCAge", "imageMaximumGCAge: 1m"),
        ("imageMaximumGCAge", "imageMaximumGCAge: 1m, imageMinimumGCAge: 0s"),
        ("shutdownGracePeriod", "shutdownGracePeriod: 500ms"),
        ("enforceNodeAllocatable", "enforceNodeAllocatable: [pods, pods]"),
        ("cpuManagerPolicyOptions", "cpuManagerPolicyOptions: { full-pcpus-only: 'true' }"),
        ("reservedSystemCPUs", "reservedSystemCPUs: '0', kubeReservedCgroup: /kube.slice"),
        ("shutdownGracePeriodCriticalPods", "shutdownGracePeriodCriticalPods: 10s"),
        ("evictionSoft", "evictionSoft: { memory.available: 300Mi }"),
        ("enforceNodeAllocatable", "enforceNodeAllocatable: [pods, system-reserved]"),
        ("enforceNodeAllocatable", "enforceNodeAllocatable: [none, pods]"),
        ("cgroupsPerQOS", "cgroupsPerQOS: false"),
        ("maxParallelImagePulls", "maxParallelImagePulls: 3, serializeImagePulls: true"),
        ("cpuManagerPolicy", "cpuManagerPolicy: static"),
        ("memoryManagerPolicy", "memoryManagerPolicy: Static"),
        ("tlsCipherSuites", "tlsCipherSuites: [TLS_AES_128_GCM_SHA256]"),
        ("systemCgroups", "systemCgroups: /system.slice"),
        (
            "preloadedImagesVerificationAllowlist",
            "preloadedImagesVerificationAllowlist: [registry.k8s.io/pause]",
        ),
    ] {
        let fields = format!("kubelet: {{ {fields} }}");
        says("kubelet-fields", &format!("kubelet.{field}"), &top(&fields));
        says("kubelet-fields", &format!("nodes[0].kubelet.{field}"), &master(&fields));
    }
    let narrower = "nodes[0].kubelet.imageGCLowThresholdPercent";
    let at_node = "kubelet: { imageGCLowThresholdPercent: 75 }";
    let of_all = "kubelet: { imageGCHighThresholdPercent: 70, imageGCLowThresholdPercent: 60 }";
    says("kubelet-fields", narrower, &lab(&format!("{LAN}{of_all}"), &format!("{M1}, {at_node}"), W1));
    let common = "kubelet: { imageGCHighThresholdPercent: 70 }";
    assert_eq!(findings(&top(common)).len(), 1, "what all nodes share is said once");
}

#[test]
fn a_kubelet_keeps_no_more_than_its_board_has() {
    quiet(&top("kubelet: { kubeReserved: { cpu: '3', memory: 3Gi } }"));
    quiet(&top("kubelet: { evictionHard: { memory.available: 100% } }"));
    quiet(&top("kubelet: { kubeReserved: { cpu: '4' }, reservedSystemCPUs: 0-1 }"));
    for (field, value) in [
        ("kubeReserved", "{ memory: 3800Mi }"),
        ("systemReserved", "{ memory: 4Gi }"),
        ("evictionHard", "{ memory.available: 95% }"),
        ("kubeReserved", "{ cpu: '4' }"),
        ("kubeReserved", "{ cpu: 100000000000000000E, memory: '1e35' }"),
        ("evictionHard", "{ memory.available: '9e34' }"),
        ("reservedSystemCPUs", "0-9"),
        ("kubeReserved", "{ memory: '512' }"),
        ("systemReserved", "{ memory: 512m }"),
        ("evictionHard", "{ memory.available: '100' }"),
    ] {
        let fields = format!("kubelet: {{ {field}: {value} }}");
        says("kubelet-reserves", &format!("kubelet.{field}"), &top(&fields));
    }
    let more = "memory: 8192, kubelet: { kubeReserved: { memory: 3800Mi } }";
    quiet(&master(more));
}

#[test]
fn a_kubelet_that_does_not_set_the_kernel_finds_it_set() {
    let path = "/etc/sysctl.d/90-imgforge-kubelet.conf";
    let told = with("kubelet: { protectKernelDefaults: true }");
    let files = files(&told, "w", Series::Two);
    let settings = content(&files, path);
    for line in ["vm.overcommit_memory = 1", "kernel.panic = 10", "kernel.panic_on_oops = 1"] {
        assert!(settings.lines().any(|other| other == line), "{settings}");
    }
    let plain = with("kubelet: { protectKernelDefaults: false }");
    assert!(self::files(&plain, "w", Series::Two).iter().all(|file| file.path != path));
    let later = |line: &str| {
        let file = format!("files: [{{ path: /etc/sysctl.d/99-own.conf, content: '{line}' }}]");
        top(&format!("kubelet: {{ protectKernelDefaults: true }}\n{file}"))
    };
    says("kernel-defaults", "files[0]", &later("vm.overcommit_memory=0"));
    quiet(&later("vm.overcommit_memory = 1"));
    quiet(&later("vm.swappiness = 0"));
    says("file-of-imgforge", "files[0].path", &top(&format!("files: [{{ path: {path}, content: '' }}]")));
}
