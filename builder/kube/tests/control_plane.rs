//! Options of the control plane and the files that they name: what its programs end at.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use common::{boards, cluster, lab::*};
use imgforge_kube::{kubeadm, member::Member};
use serde_yaml::Value;

#[test]
fn options_are_ones_that_the_programs_read() {
    quiet(&top(
        "api-server: { extra-args: { event-ttl: 24h, v: 4, profiling: false, max-requests-inflight: 200, oidc-issuer-url: 'https://id', oidc-client-id: kube } }\n\
         controller-manager: { extra-args: { node-eviction-rate: 0.5, v: 2, cloud-provider: external, concurrent-rc-syncs: 1_0 } }\n\
         scheduler: { extra-args: { kube-api-burst: 100, logging-format: json } }\n\
         etcd: { extra-args: { auto-compaction-retention: '8', quota-backend-bytes: 4294967296, experimental-peer-skip-client-san-verification: true } }",
    ));
    for (component, option, value) in [
        ("api-server", "event-ttl", "24"),
        ("api-server", "event-ttl", "1d"),
        ("api-server", "profiling", "no"),
        ("controller-manager", "node-monitor-period", "5"),
        ("scheduler", "kube-api-qps", "many"),
        ("etcd", "heartbeat-interval", "100ms"),
        ("api-server", "enable-admission-plugins", "'NodeRestriction,PodSecurityPolicy'"),
        ("api-server", "v", "debug"),
        ("etcd", "log-level", "verbose"),
        ("api-server", "audit-log-maxage", "1.5"),
    ] {
        let path = format!("{component}.extra-args.{option}");
        says("option-value", &path, &top(&format!("{component}: {{ extra-args: {{ {option}: {value} }} }}")));
    }
    for (component, option) in [
        ("api-server", "event-tll"),
        ("scheduler", "event-ttl"),
        ("etcd", "leader-elect"),
        ("scheduler", "policy-configmap"),
        ("scheduler", "port"),
        ("api-server", "insecure-port"),
    ] {
        let path = format!("{component}.extra-args.{option}");
        says("unknown-option", &path, &top(&format!("{component}: {{ extra-args: {{ {option}: x }} }}")));
    }
}

#[test]
fn options_of_the_control_plane_go_together() {
    let quick = "performance: fast, mounts: [{ source: /dev/disk/by-id/x, target: /var/lib/etcd }]";
    for fine in [
        "api-server: { extra-args: { enable-admission-plugins: 'NodeRestriction,PodNodeSelector' } }",
        "api-server: { extra-args: { disable-admission-plugins: DefaultStorageClass, authorization-mode: 'Node,RBAC' } }",
        "api-server: { extra-args: { authorization-mode: AlwaysAllow, allow-privileged: true } }",
        "api-server: { extra-args: { oidc-issuer-url: 'https://id.home.example', oidc-client-id: kube } }",
        "scheduler: { extra-args: { tls-cipher-suites: TLS_AES_128_GCM_SHA256, tls-min-version: VersionTLS13 } }",
        "controller-manager: { extra-args: { controllers: '*,bootstrapsigner,tokencleaner,-ttl' } }",
        "scheduler: { extra-args: { leader-elect-lease-duration: 60s, leader-elect-renew-deadline: 40s } }",
        "scheduler: { extra-args: { leader-elect: false, leader-elect-lease-duration: 1s } }",
        "etcd: { extra-args: { heartbeat-interval: 300, election-timeout: 3000 } }",
    ] {
        quiet(&top(fine));
    }
    for (component, option, options) in [
        ("api-server", "disable-admission-plugins", "disable-admission-plugins: NodeRestriction"),
        ("api-server", "authorization-mode", "authorization-mode: RBAC"),
        ("api-server", "authorization-mode", "authorization-mode: 'Node,Rbac'"),
        ("api-server", "allow-privileged", "allow-privileged: false"),
        ("api-server", "authorization-mode", "authorization-mode: ''"),
        ("api-server", "authorization-mode", "authorization-mode: 'Node,RBAC,RBAC'"),
        ("api-server", "authorization-mode", "authorization-mode: 'Node,RBAC,Webhook'"),
        ("api-server", "authorization-policy-file", "authorization-policy-file: /etc/kubernetes/pki/policy"),
        (
            "api-server",
            "authorization-config",
            "authorization-config: /etc/kubernetes/pki/a, authorization-mode: 'Node,RBAC'",
        ),
        ("api-server", "disable-admission-plugins", "disable-admission-plugins: ServiceAccount"),
        ("api-server", "oidc-issuer-url", "oidc-issuer-url: 'https://id.home.example'"),
        ("api-server", "oidc-issuer-url", "oidc-issuer-url: 'http://id.home.example', oidc-client-id: kube"),
        (
            "api-server",
            "authentication-config",
            "authentication-config: /etc/kubernetes/pki/a, oidc-client-id: kube",
        ),
        (
            "api-server",
            "encryption-provider-config-automatic-reload",
            "encryption-provider-config-automatic-reload: true",
        ),
        ("api-server", "tls-cipher-suites", "tls-cipher-suites: TLS_AES_128_GCM_SHA256"),
        ("scheduler", "tls-cipher-suites", "tls-cipher-suites: TLS_RSA_WITH_AES_128_GCM_SHA256"),
        ("etcd", "cipher-suites", "cipher-suites: TLS_AES_128_GCM_SHA256, tls-min-version: TLS1.3"),
        ("etcd", "tls-max-version", "tls-max-version: TLS1.2, tls-min-version: TLS1.3"),
        ("scheduler", "leader-elect-retry-period", "leader-elect-retry-period: 0s"),
        ("etcd", "experimental-initial-corrupt-check", "experimental-initial-corrupt-check: true"),
        ("controller-manager", "controllers", "controllers: '*'"),
        ("controller-manager", "controllers", "controllers: 'bootstrapsigner,tokencleaner'"),
        ("controller-manager", "leader-elect-renew-deadline", "leader-elect-renew-deadline: 20s"),
        ("scheduler", "leader-elect-lease-duration", "leader-elect-lease-duration: 10s"),
        ("scheduler", "leader-elect-retry-period", "leader-elect-retry-period: 9s"),
        ("etcd", "election-timeout", "election-timeout: 60000, heartbeat-interval: 5000"),
        ("etcd", "heartbeat-interval", "heartbeat-interval: 0"),
    ] {
        let options = format!("{component}: {{ extra-args: {{ {options} }} }}");
        let text = lab(&format!("{LAN}{options}"), &format!("{M1}, {quick}"), W1);
        let path = format!("{component}.extra-args.{option}");
        let path = path.replace("election-timeout", "heartbeat-interval");
        says("control-plane-options", &path, &text);
    }
    let own = "api-server: { extra-args: { enable-admission-plugins: PodNodeSelector } }";
    says("admission-plugins", "api-server.extra-args.enable-admission-plugins", &top(own));
}

#[test]
fn what_imgforge_gives_for_slow_boards_counts_with_what_is_passed_on() {
    let slow = |options: &str| lab(&format!("{LAN}{options}"), &format!("{M1}, performance: slow"), W1);
    let lease = "controller-manager: { extra-args: { leader-elect-lease-duration: 30s } }";
    quiet(&top(lease));
    says("control-plane-options", "controller-manager.extra-args.leader-elect-lease-duration", &slow(lease));
    let election = "etcd: { extra-args: { election-timeout: 2000 } }";
    says("control-plane-options", "etcd.extra-args.election-timeout", &slow(election));
}

/// A policy that the card brings, and a log.
const POLICY: &str = "files:
  - { path: /etc/audit/policy.yaml, content: '{ apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{ level: Metadata }] }' }
  - path: /etc/own/scheduler.yaml
    content: |
      apiVersion: kubescheduler.config.k8s.io/v1
      kind: KubeSchedulerConfiguration
      clientConnection: { kubeconfig: /etc/kubernetes/scheduler.conf }
api-server: { extra-args: { audit-policy-file: /etc/audit/policy.yaml, audit-log-path: /var/log/audit/kube.log } }
scheduler: { extra-args: { config: /etc/own/scheduler.yaml } }
";

/// Volumes of one's own for them.
const VOLUMES: &str = "kubeadm: { apiServer: { extraVolumes: [
  { name: audit, hostPath: /etc/own, mountPath: /etc/audit, readOnly: true, pathType: Directory },
  { name: audit-log, hostPath: /var/log/own, mountPath: /var/log/audit, pathType: DirectoryOrCreate }] } }";

/// The volumes of a program in the document that the first master gets.
fn volumes(text: &str, program: &str) -> Vec<String> {
    let cluster = cluster(text);
    let member = Member::new(&cluster, "m1", &boards).unwrap();
    let text = kubeadm::render(&kubeadm::init(&member, "abcdef.0123456789abcdef"), &cluster).unwrap();
    let documents = text.split("---\n").map(|text| serde_yaml::from_str::<Value>(text).unwrap());
    let of_cluster = documents.into_iter().find(|document| document["kind"] == "ClusterConfiguration");
    let volumes = of_cluster.unwrap()[program]["extraVolumes"].as_sequence().cloned().unwrap_or_default();
    let field = |volume: &Value, name: &str| volume[name].as_str().unwrap_or_default().to_owned();
    let names = ["name", "hostPath", "mountPath", "pathType"];
    volumes.iter().map(|volume| names.map(|name| field(volume, name)).join(" ")).collect()
}

#[test]
fn what_options_name_is_mounted_where_files_bring_it() {
    quiet(&top(POLICY));
    assert_eq!(
        volumes(&top(POLICY), "apiServer"),
        [
            "imgforge-audit-policy-file /etc/audit/policy.yaml /etc/audit/policy.yaml File",
            "imgforge-audit-log-path /var/log/audit /var/log/audit DirectoryOrCreate"
        ]
    );
    assert_eq!(
        volumes(&top(POLICY), "scheduler"),
        ["imgforge-config /etc/own/scheduler.yaml /etc/own/scheduler.yaml File"]
    );
    // What the file mounts there itself stays as it is.
    let own = volumes(&top(&format!("{POLICY}{VOLUMES}")), "apiServer");
    assert_eq!(
        own,
        ["audit /etc/own /etc/audit Directory", "audit-log /var/log/own /var/log/audit DirectoryOrCreate"]
    );
    let of_kubeadm = "api-server: { extra-args: { oidc-ca-file: /etc/ssl/certs/ca-certificates.crt, \
        oidc-issuer-url: 'https://id', oidc-client-id: kube, audit-log-path: '-' } }";
    quiet(&top(of_kubeadm));
    assert_eq!(volumes(&top(of_kubeadm), "apiServer"), [""; 0]);
    quiet(&top("api-server: { extra-args: { audit-log-path: /dev/stdout } }"));
    quiet(&top("etcd: { extra-args: { wal-dir: /var/lib/etcd/wal } }"));
}

/// Two options may name one file.
#[test]
fn one_file_is_mounted_once() {
    let twice = "files: [{ path: /etc/own/hook.kubeconfig, content: '' }]
api-server: { extra-args: { audit-webhook-config-file: /etc/own/hook.kubeconfig, \
        authentication-token-webhook-config-file: /etc/own/hook.kubeconfig } }";
    let expected =
        "imgforge-audit-webhook-config-file /etc/own/hook.kubeconfig /etc/own/hook.kubeconfig File";
    assert_eq!(volumes(&top(twice), "apiServer"), [expected]);
    quiet(&top(twice));
}

#[test]
fn an_options_name_has_hyphens() {
    for name in ["audit_policy_file", "--audit-policy-file"] {
        let text = top(&format!("api-server: {{ extra-args: {{ {name}: /etc/own/policy.yaml }} }}"));
        let told = findings(&text).into_iter().find(|finding| finding.name == "extra-args").unwrap();
        assert_eq!(told.suggestion.as_deref(), Some("write it as `audit-policy-file`"));
    }
}

#[test]
fn what_is_mounted_by_nobody_is_told() {
    let path = "api-server.extra-args.audit-policy-file";
    says("option-file", path, &top(&POLICY.replace("path: /etc/audit/policy", "path: /etc/audit/other")));
    says("option-file-absent", path, &top(&format!("{POLICY}{VOLUMES}")));
    let elsewhere = "api-server: { extra-args: { audit-log-path: /audit.log } }";
    says("log-in-container", "api-server.extra-args.audit-log-path", &top(elsewhere));
    says("option-file", "etcd.extra-args.wal-dir", &top("etcd: { extra-args: { wal-dir: /mnt/wal } }"));
    let bare = "api-server: { extra-args: { audit-policy-file: /etc/kubernetes/policy.yaml } }";
    let told = findings(&top(bare)).into_iter().find(|finding| finding.name == "option-file").unwrap();
    assert_eq!(
        told.suggestion.unwrap(),
        "name it /etc/control-plane/policy.yaml here and in `files`: it is mounted then"
    );
    let log = "api-server.extra-args.audit-log-path";
    let read_only = VOLUMES.replace("pathType: DirectoryOrCreate", "readOnly: true");
    says("option-file", log, &top(&format!("{POLICY}{read_only}")));
    let inner = "{ name: logs, hostPath: /var/log, mountPath: /var/log, readOnly: true }, { name: audit-log,";
    let nested = top(&format!("{POLICY}{}", VOLUMES.replace("{ name: audit-log,", inner)));
    assert!(findings(&nested).iter().all(|finding| finding.path != log), "the inner one counts");
    let of_k3s = "engine: k3s\napi-server: { extra-args: { audit-policy-file: /etc/audit/policy.yaml } }";
    let found = findings(&top(of_k3s));
    let named = found.iter().map(|finding| finding.name).filter(|name| name.starts_with("option"));
    assert_eq!(named.collect::<Vec<_>>(), ["option-file-absent"]);
}

#[test]
fn files_that_options_name_are_of_their_kind() {
    let policy = "api-server.extra-args.audit-policy-file";
    for (was, is) in [
        ("kind: Policy", "kind: Polcy"),
        ("rules: [{ level: Metadata }]", "rules: []"),
        ("apiVersion: audit.k8s.io/v1, ", ""),
        ("rules: [{", "rules: ["),
    ] {
        assert!(POLICY.contains(was));
        says("option-file-kind", policy, &top(&POLICY.replace(was, is)));
    }
    let scheduler = "scheduler.extra-args.config";
    let lost =
        POLICY.replace("clientConnection: { kubeconfig: /etc/kubernetes/scheduler.conf }", "profiles: []");
    says("option-file-kind", scheduler, &top(&lost));
    let of_k3s = format!("engine: k3s\n{lost}");
    assert!(findings(&top(&of_k3s)).iter().all(|finding| finding.path != scheduler), "k3s says it itself");
}

/// One master of several has the file.
#[test]
fn a_file_of_one_master_is_not_mounted_on_all() {
    let several = |files: &str| {
        format!(
            "endpoint: {{ host: k8s.home.example }}
api-server: {{ extra-args: {{ audit-policy-file: /etc/audit/policy.yaml }} }}
nodes:
  - {{ hostname: m1, board: rpi4, role: master, address: 192.168.1.10/24, {files} }}
  - {{ hostname: m2, board: rpi4, role: master, address: 192.168.1.11/24 }}
  - {{ hostname: m3, board: rpi4, role: master, address: 192.168.1.12/24 }}"
        )
    };
    let policy = "{ apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{ level: Metadata }] }";
    let of_one = several(&format!("files: [{{ path: /etc/audit/policy.yaml, content: '{policy}' }}]"));
    assert_eq!(volumes(&of_one, "apiServer"), [""; 0]);
    says("option-file", "api-server.extra-args.audit-policy-file", &of_one);
}

#[test]
fn volumes_of_the_control_plane_are_ones_that_a_pod_can_have() {
    let instead = "[{ name: ca-certs, hostPath: /srv/certs, mountPath: /etc/ssl/certs }]";
    quiet(&top(&format!("kubeadm: {{ apiServer: {{ extraVolumes: {instead} }} }}")));
    for (field, volumes) in [
        ("apiServer", "[{ name: My_Audit, hostPath: /a, mountPath: /a }]"),
        ("apiServer", "[{ name: a.b, hostPath: /a, mountPath: /a }]"),
        ("apiServer", "[{ name: a, hostPath: /a, mountPath: /a }, { name: a, hostPath: /b, mountPath: /b }]"),
        ("apiServer", "[{ name: a, hostPath: /a, mountPath: /a }, { name: b, hostPath: /b, mountPath: /a }]"),
        ("apiServer", "[{ name: k8s-certs, hostPath: /a, mountPath: /a }]"),
        ("controllerManager", "[{ name: certs, hostPath: /a, mountPath: /etc/ssl/certs }]"),
        ("scheduler", "[{ name: a, hostPath: a, mountPath: /a }]"),
        ("scheduler", "[{ name: a, hostPath: /a/../b, mountPath: /a }]"),
        ("scheduler", "[{ name: a, hostPath: /a, mountPath: '/a:b' }]"),
        ("scheduler", "[{ name: a, hostPath: /a, mountPath: / }]"),
        ("scheduler", "[{ name: a, hostPath: /a, mountPath: /usr/ }]"),
    ] {
        let fields = format!("kubeadm: {{ {field}: {{ extraVolumes: {volumes} }} }}");
        says("control-plane-volumes", &format!("kubeadm.{field}"), &top(&fields));
    }
}

#[test]
fn feature_gates_are_ones_that_the_programs_know() {
    quiet(&top("api-server: { extra-args: { feature-gates: 'kube:HPAScaleToZero=true,AllBeta=false' } }"));
    quiet(&top("etcd: { extra-args: { feature-gates: InitialCorruptCheck=true } }"));
    for (path, text) in [
        ("kubelet.featureGates", "kubelet: { featureGates: { EphemeralContainers: true } }"),
        ("kubeadm.featureGates", "kubeadm: { featureGates: { EtcdLearnerMode: true } }"),
        (
            "scheduler.extra-args.feature-gates",
            "scheduler: { extra-args: { feature-gates: 'NodeSwap=true,TTLAfterFinished=true' } }",
        ),
        ("etcd.extra-args.feature-gates", "etcd: { extra-args: { feature-gates: NodeSwap=true } }"),
    ] {
        says("unknown-gate", path, &top(text));
    }
    let locked = "api-server: { extra-args: { feature-gates: SidecarContainers=false } }";
    says("locked-gate", "api-server.extra-args.feature-gates", &top(locked));
    let later = "api-server: { extra-args: { feature-gates: UserNamespacesSupport=false } }";
    says("locked-gate", "api-server.extra-args.feature-gates", &top(later));
    quiet(&top(&format!("kubernetes: 1.35.1\n{later}")));
    let gone = "kubelet: { featureGates: { GitRepoVolumeDriver: true } }";
    says("locked-gate", "kubelet.featureGates", &top(gone));
    says("locked-gate", "kubelet.featureGates", &top("kubelet: { featureGates: { NodeSwap: false } }"));
    says("unknown-gate", "nodes[0].kubelet.featureGates", &master("kubelet: { featureGates: { X: true } }"));
}
