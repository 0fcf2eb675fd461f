//! `imgforge cluster apply`: what changes in the cluster file reaches the cluster. With a stand-in for the API server
//! (`tests/running`), and with Kubernetes' own where `scripts/make-kubernetes native` has been run.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use imgforge_tests::{RunningCluster, fails, native_kubernetes, succeeds};
use serde_json::{Value, json};

/// The cluster file's text, changed.
fn edit(cluster: &RunningCluster, from: &str, to: &str) {
    let text = fs::read_to_string(cluster.file()).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(cluster.file(), text.replace(from, to)).unwrap();
}

/// What `imgforge cluster apply` says that it changes, a line each.
fn apply(cluster: &RunningCluster, options: &[&str]) -> Vec<String> {
    let output = succeeds(cluster.imgforge(&["cluster", "apply"]).args(options));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A master with a stand-in for its API server, and a worker.
fn formed(number: u8) -> RunningCluster {
    let mut cluster = RunningCluster::new(number, &[("k8s-master-1", "master"), ("k8s-worker-1", "worker")]);
    let address = cluster.address(0);
    let folder = cluster.certificates("k8s-master-1", &address, 300);
    cluster.start_api("k8s-master-1", &address, &folder);
    cluster
}

fn facts(cluster: &RunningCluster) -> Value {
    serde_json::from_str(&fs::read_to_string(cluster.path("facts")).unwrap()).unwrap()
}

#[test]
fn labels_and_taints_of_the_file_come_and_go() {
    let cluster = formed(11);
    let tainted = json!([{ "key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule" }]);
    cluster.facts(&json!({ "busy": 2, "nodes": [
        { "name": "k8s-master-1", "taints": tainted },
        { "name": "k8s-worker-1", "labels": { "home.example/disk": "small", "owner": "somebody" } } ] }));
    edit(&cluster, "role: master,", "role: master, taints: [],");
    edit(
        &cluster,
        "role: worker,",
        "role: worker, labels: { home.example/disk: big, home.example/old: 'true' },",
    );
    let expected = [
        "k8s-master-1: taint node-role.kubernetes.io/control-plane:NoSchedule goes",
        "k8s-worker-1: label home.example/disk=big (was small)",
        "k8s-worker-1: label home.example/old=true",
    ];
    assert_eq!(apply(&cluster, &["--dry-run"]), expected);
    assert_eq!(cluster.changes(), "", "nothing was done until now");
    assert_eq!(apply(&cluster, &[]), expected, "though somebody else changes the nodes meanwhile");
    assert_eq!(apply(&cluster, &[]), [""; 0]);

    edit(&cluster, ", home.example/old: 'true'", "");
    edit(&cluster, "role: master, taints: [],", "role: master,");
    assert_eq!(
        apply(&cluster, &[]),
        [
            "k8s-master-1: taint node-role.kubernetes.io/control-plane:NoSchedule",
            "k8s-worker-1: label home.example/old goes"
        ]
    );
    let nodes = facts(&cluster)["nodes"].clone();
    assert_eq!(nodes[0]["taints"], tainted);
    assert_eq!(nodes[1]["labels"], json!({ "home.example/disk": "big", "owner": "somebody" }));
}

#[test]
fn a_node_that_is_no_member_yet_is_left_to_its_card() {
    let cluster = formed(12);
    cluster.facts(&json!({ "nodes": [{ "name": "k8s-master-1" }] }));
    edit(&cluster, "role: worker,", "role: worker, labels: { a: b },");
    assert_eq!(apply(&cluster, &[]), [""; 0]);
}

#[test]
fn add_ons_are_applied_and_what_others_have_set_is_theirs() {
    let cluster = formed(13);
    cluster.facts(&json!({ "nodes": [{ "name": "k8s-master-1" }, { "name": "k8s-worker-1" }] }));
    edit(&cluster, "network: none", "network: none, monitoring: {}");
    let wanted = apply(&cluster, &["--dry-run"]);
    assert!(
        wanted.iter().any(|line| line.ends_with("monitoring.yaml: Namespace monitoring is made")),
        "{wanted:?}"
    );
    assert_eq!(facts(&cluster).get("objects"), None);
    assert_eq!(apply(&cluster, &[]), wanted);
    assert_eq!(apply(&cluster, &[]), [""; 0]);
    edit(&cluster, "monitoring: {}", "monitoring: { days: 14 }");
    let changed = apply(&cluster, &[]);
    assert!(!changed.is_empty() && changed.iter().all(|line| line.ends_with(" is changed")), "{changed:?}");

    // Somebody has taken an object over.
    let mut theirs = facts(&cluster);
    for (_, object) in theirs["objects"].as_object_mut().unwrap() {
        object["manager"] = "kubectl-edit".into();
    }
    cluster.facts(&theirs);
    edit(&cluster, "days: 14", "days: 21");
    let said = fails(&mut cluster.imgforge(&["cluster", "apply"]), 1);
    assert!(
        said.contains("conflict with \"kubectl-edit\"") && said.contains("take them over with --force"),
        "{said}"
    );
    assert_eq!(apply(&cluster, &["--force"]), changed);
}

#[test]
fn what_a_cluster_cannot_take_is_said() {
    let cluster = formed(14);
    cluster.facts(&json!({ "nodes": [{ "name": "k8s-master-1" }] }));
    edit(&cluster, "role: worker,", "role: worker, labels: { a/b/c: d },");
    assert!(fails(&mut cluster.imgforge(&["cluster", "apply"]), 1).contains("`a/b/c: d` is no label"));
    edit(&cluster, "labels: { a/b/c: d },", "");
    for way in ["endless", "short", "{}", "\u{1b}[2J"] {
        cluster.facts(&json!({ "nodes": [], "hostile": way }));
        let said = fails(&mut cluster.imgforge(&["cluster", "apply"]), 4);
        assert!(!said.contains('\u{1b}'), "{way}: {said}");
    }
    let nobody = RunningCluster::new(15, &[("k8s-master-1", "master")]);
    assert!(fails(&mut nobody.imgforge(&["cluster", "apply"]), 4).contains("does not answer"));
}

/// A cluster with Kubernetes' own API server, and kubectl for it; nothing where they have not been built.
fn with_kubernetes(number: u8) -> Option<(RunningCluster, impl Fn(&[&str]) -> Command)> {
    let (server, kubectl) = (native_kubernetes("kube-apiserver")?, native_kubernetes("kubectl")?);
    let mut cluster = RunningCluster::new(number, &[("k8s-master-1", "master"), ("k8s-worker-1", "worker")]);
    let address = cluster.address(0);
    let folder = cluster.certificates("k8s-master-1", &address, 300);
    cluster.start_etcd(&[("k8s-master-1", &address, &folder)]);
    cluster.start_kubernetes(&server, &address, &folder);
    succeeds(&mut cluster.imgforge(&["kubeconfig"]));
    let kubeconfig = cluster.path("home.kubeconfig");
    let kubectl = move |words: &[&str]| {
        let mut command = Command::new(&kubectl);
        command.arg("--kubeconfig").arg(&kubeconfig).args(words);
        command
    };
    let until = Instant::now() + Duration::from_secs(300);
    while !kubectl(&["get", "namespace", "default"]).output().unwrap().status.success() {
        let log = || fs::read_to_string(cluster.path("kube-apiserver.log")).unwrap();
        assert!(Instant::now() < until, "the API server does not become well: {}", log());
        thread::sleep(Duration::from_secs(1));
    }
    Some((cluster, kubectl))
}

#[test]
fn kubernetes_own_api_server_takes_it_and_knows_whose_each_field_is() {
    let Some((cluster, kubectl)) = with_kubernetes(17) else {
        println!("not run: scripts/make-kubernetes native has not been run");
        return;
    };
    let get = |words: &[&str]| -> Value {
        serde_json::from_slice(&succeeds(kubectl(&["get", "-o", "json"]).args(words)).stdout).unwrap()
    };
    let node = cluster.path("node.json");
    let object = json!({ "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": "k8s-worker-1", "labels": { "home.example/disk": "small", "own": "kept" } },
        "spec": { "taints": [{ "key": "theirs", "effect": "NoExecute" }] } });
    fs::write(&node, object.to_string()).unwrap();
    succeeds(kubectl(&["create", "--filename"]).arg(&node));
    edit(
        &cluster,
        "role: worker,",
        "role: worker, labels: { home.example/disk: big }, taints: [{ key: slow, effect: NoSchedule }],",
    );
    let expected =
        ["k8s-worker-1: label home.example/disk=big (was small)", "k8s-worker-1: taint slow:NoSchedule"];
    assert_eq!(apply(&cluster, &["--dry-run"]), expected);
    assert_eq!(apply(&cluster, &[]), expected);
    assert_eq!(apply(&cluster, &[]), [""; 0]);
    edit(&cluster, "labels: { home.example/disk: big }, taints: [{ key: slow, effect: NoSchedule }],", "");
    assert_eq!(
        apply(&cluster, &[]),
        ["k8s-worker-1: label home.example/disk goes", "k8s-worker-1: taint slow:NoSchedule goes"]
    );
    let worker = get(&["node", "k8s-worker-1"]);
    assert_eq!(
        (&worker["metadata"]["labels"]["own"], &worker["metadata"]["labels"]["home.example/disk"]),
        (&json!("kept"), &Value::Null)
    );
    let taints = worker["spec"]["taints"].as_array().unwrap();
    assert!(
        taints.iter().any(|taint| taint["key"] == "theirs")
            && !taints.iter().any(|taint| taint["key"] == "slow"),
        "{taints:?}"
    );

    edit(&cluster, "network: none", "network: none, monitoring: {}");
    let made = apply(&cluster, &["--dry-run"]);
    assert!(
        made.contains(&"92-monitoring.yaml: Deployment monitoring/prometheus is made".to_owned()),
        "{made:?}"
    );
    assert_eq!(apply(&cluster, &[]), made);
    assert_eq!(apply(&cluster, &[]), [""; 0], "what the server adds by itself is no change");
    edit(&cluster, "monitoring: {}", "monitoring: { days: 14 }");
    let changed = ["92-monitoring.yaml: Deployment monitoring/prometheus is changed"];
    assert_eq!(apply(&cluster, &["--dry-run"]), changed);
    assert_eq!(apply(&cluster, &[]), changed);

    // Somebody else sets what the file says otherwise later.
    let patch =
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"prometheus","args":["--theirs"]}]}}}}"#;
    succeeds(&mut kubectl(&[
        "--namespace",
        "monitoring",
        "patch",
        "deployment",
        "prometheus",
        "--patch",
        patch,
    ]));
    let said = fails(&mut cluster.imgforge(&["cluster", "apply"]), 1);
    assert!(
        said.contains("Deployment monitoring/prometheus: ") && said.contains("conflict with \"kubectl"),
        "{said}"
    );
    assert!(said.contains("take them over with --force"), "{said}");
    assert_eq!(apply(&cluster, &["--force"]), changed);
    let deployment = get(&["deployment", "prometheus", "--namespace", "monitoring"]);
    let arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(arguments.contains("retention.time=14d") && !arguments.contains("--theirs"), "{arguments}");

    // What the first boot has applied is changed without a conflict: both are the same manager. So are manifests of the user's own.
    let app = cluster.path("app.yaml");
    let text = |color: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: app }}\ndata: {{ color: {color} }}\n")
    };
    fs::write(&app, text("red")).unwrap();
    let first_boot =
        ["apply", "--server-side", "--force-conflicts", "--field-manager", "imgforge", "--filename"];
    succeeds(kubectl(&first_boot).arg(&app));
    fs::write(&app, text("blue")).unwrap();
    edit(&cluster, "name: home\n", "name: home\nmanifests: [app.yaml]\n");
    assert_eq!(apply(&cluster, &[]), ["own-000-app.yaml: ConfigMap app is changed"]);
    assert_eq!(get(&["configmap", "app"])["data"]["color"], "blue");
}
