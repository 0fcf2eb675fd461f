//! Real Kubernetes on two emulated boards: `make boot-kubernetes`. One cluster file, two images, and nobody touches what
//! they become.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod lab;

use std::{fs, process::Command, time::Duration};

use imgforge_tests::{Guest, Tool, kubernetes_program, partitions, succeeds};
use serde_json::{Value, json};

use lab::{Lab, NEWER, Site, condition, is};

/// About six times what an idle machine of two cores needs.
const FIRST_BOOT: Duration = Duration::from_secs(3600);

fn finishes(guest: &mut Guest, node: &str) {
    let time = guest.wait_for(&format!("imgforge: first boot finished: {node}"), FIRST_BOOT);
    println!("{node}: first boot finished after {:.0} s", time.as_secs_f64());
}

/// Waits for what the cluster's owner wants to see.
fn judge(site: &Site<'_>) {
    site.wait_for(&["nodes"], |nodes| {
        let labels = [
            ("k8s-master-1", "home.example/raid", "true"),
            ("k8s-worker-1", "home.example/network", "gigabit"),
        ];
        labels.iter().all(|(name, label, value)| {
            let node = nodes.iter().find(|node| node["metadata"]["name"] == *name);
            node.is_some_and(|node| is(node, "Ready") && node["metadata"]["labels"][label] == *value)
        })
    });
    site.wait_for(&["pods", "--namespace", "kube-system"], |pods| {
        let proxies = pods.iter().filter(|pod| pod["metadata"]["labels"]["k8s-app"] == "kube-proxy").count();
        proxies == 2 && pods.iter().all(|pod| is(pod, "Ready"))
    });
}

#[test]
fn the_master_is_powered_on_first() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let mut master = site.master();
    finishes(&mut master, "k8s-master-1 (master)");
    let mut worker = site.worker();
    finishes(&mut worker, "k8s-worker-1 (worker)");
    judge(&site);

    // What changes in the file reaches the cluster.
    lab.edit("home.example/network: gigabit", "home.example/disk: small");
    let output = succeeds(&mut site.imgforge(&["cluster", "apply"]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, "k8s-worker-1: label home.example/disk=small\n");
    site.wait_for(&["nodes"], |nodes| {
        nodes.iter().any(|node| node["metadata"]["labels"]["home.example/disk"] == "small")
    });
}

#[test]
fn the_worker_is_powered_on_first_and_the_masters_card_dies() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let mut worker = site.worker();
    let watch = site.watch();
    worker.wait_for("imgforge: [kubeadm] kubeadm join: takes minutes", FIRST_BOOT);
    let mut master = site.master();
    finishes(&mut master, "k8s-master-1 (master)");
    finishes(&mut worker, "k8s-worker-1 (worker)");
    let said = watch.ends();
    for step in [
        "k8s-worker-1 is coming up: kubeadm is ",
        "k8s-master-1 is coming up: ",
        "k8s-worker-1 is Ready",
        "k8s-master-1 is Ready",
    ] {
        assert!(said.contains(step), "{step}");
    }
    judge(&site);

    // Something of the owner's runs on the worker. Then the master's card dies, and another is written, on a newer base.
    succeeds(&mut site.kubectl(&["create", "configmap", "kept", "--from-literal=answer=42"]));
    succeeds(&mut site.kubectl(&["create", "deployment", "work", "--image=k8s.gcr.io/pause:3.2"]));
    site.wait_for(&["pods"], |pods| pods.len() == 1 && pods.iter().all(|pod| is(pod, "Ready")));
    let (before, on_worker) = (identities(&site), running_on(&site, "k8s-worker-1"));
    assert!(on_worker.iter().any(|pod| pod["name"].as_str().unwrap().starts_with("work-")), "{on_worker:?}");
    drop(master);
    lab.write_anew("k8s-master-1");

    let mut master = site.master();
    let watch = site.watch();
    master.wait_for("imgforge: [kubeadm] etcd's data is here: kubeadm init goes on with it", FIRST_BOOT);
    finishes(&mut master, "k8s-master-1 (master)");
    watch.ends();
    judge(&site);
    let nodes = site.wait_for(&["nodes"], |nodes| {
        nodes.iter().any(|node| node["status"]["nodeInfo"]["osImage"] == NEWER)
    });
    assert_eq!(nodes.len(), 2);
    assert_eq!(
        identities(&site),
        before,
        "the nodes are those they were, and the worker was Ready all the time"
    );
    assert_eq!(running_on(&site, "k8s-worker-1"), on_worker, "nothing on the worker was started anew");
    let kept =
        site.wait_for(&["configmaps"], |maps| maps.iter().any(|map| map["metadata"]["name"] == "kept"));
    assert!(kept.iter().any(|map| map["data"]["answer"] == "42"), "{kept:?}");
}

/// Who the nodes are: the objects' numbers, and of the worker its boot and since when it is Ready.
fn identities(site: &Site<'_>) -> Vec<Value> {
    let identity = |node: &Value| {
        let name = &node["metadata"]["name"];
        let since = condition(node, "Ready").map(|ready| ready["lastTransitionTime"].clone());
        let of_boot = (name == "k8s-worker-1").then(|| json!([node["status"]["nodeInfo"]["bootID"], since]));
        json!({ "name": name, "uid": node["metadata"]["uid"], "boot": of_boot })
    };
    site.wait_for(&["nodes"], |nodes| nodes.len() == 2).iter().map(identity).collect()
}

/// The pods on `node` with their containers, by name.
fn running_on(site: &Site<'_>, node: &str) -> Vec<Value> {
    let field = format!("--field-selector=spec.nodeName={node}");
    let pods =
        site.wait_for(&["pods", "--all-namespaces", &field], |pods| pods.iter().all(|pod| is(pod, "Ready")));
    let identity = |pod: &Value| {
        let containers = pod["status"]["containerStatuses"].as_array().unwrap().iter();
        let containers: Vec<_> =
            containers.map(|one| json!([one["containerID"], one["restartCount"], one["state"]])).collect();
        json!({ "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"], "containers": containers })
    };
    pods.iter().map(identity).collect()
}

/// kubeadm warns of a field that it does not know, and goes on without it.
fn takes(command: &mut Command) {
    let output = succeeds(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("error unmarshaling"), "{command:?}: {said}");
}

#[test]
fn kubeadm_takes_the_documents_patches_and_authorities() {
    let lab = Lab::new();
    for (node, document) in [("k8s-master-1", "init.yaml"), ("k8s-worker-1", "join.yaml")] {
        let dir = lab.path(node);
        fs::create_dir_all(dir.join("etc/imgforge")).unwrap();
        let root = partitions(&lab.path(&format!("{node}.img")))
            .last()
            .unwrap()
            .carve(&lab.path(&format!("{node}.img")), &dir);
        let dump = format!("rdump /etc/imgforge/kubeadm {}", dir.join("etc/imgforge").display());
        Tool::DEBUGFS.approves(["-R", &dump, &root.to_string_lossy()]);
        let path = dir.join("etc/imgforge/kubeadm").join(document);
        takes(
            kubernetes_program("kubeadm")
                .args(["config", "migrate", "--new-config", "/dev/null", "--old-config"])
                .arg(path),
        );
    }
    // In a root of its own, kubeadm makes of it what it would make on the node.
    let root = lab.path("k8s-master-1");
    let kubeadm = kubernetes_program("kubeadm");
    fs::copy(kubeadm.get_program(), root.join("kubeadm")).unwrap();
    fs::rename(root.join("etc/imgforge/kubeadm/kubernetes"), root.join("etc/kubernetes")).unwrap();
    fs::create_dir(root.join("tmp")).unwrap();
    let arguments = fs::read_to_string(root.join("etc/imgforge/kubeadm/arguments")).unwrap();
    for (phase, arguments) in [
        (["certs", "all"], ""),
        (["kubeconfig", "all"], ""),
        (["control-plane", "all"], arguments.trim()),
        (["etcd", "local"], arguments.trim()),
    ] {
        let mut command = Command::new("unshare");
        command
            .arg("--map-root-user")
            .arg("chroot")
            .arg(&root)
            .args(["/kubeadm", "init", "phase"])
            .args(phase);
        takes(command.args(["--config", "/etc/imgforge/kubeadm/init.yaml"]).args(arguments.lines()));
    }
    let pod = fs::read_to_string(root.join("etc/kubernetes/manifests/kube-apiserver.yaml")).unwrap();
    assert!(pod.contains("failureThreshold: 61\n"), "20 minutes to start: {pod}");
    let etcd = fs::read_to_string(root.join("etc/kubernetes/manifests/etcd.yaml")).unwrap();
    assert!(etcd.contains("ETCD_ELECTION_TIMEOUT") && etcd.contains("etcd:3.5.16-0"), "{etcd}");
}
