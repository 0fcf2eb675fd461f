//! A cluster that this machine reaches by other addresses than its own: `--at`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{io::Write, net::TcpListener, thread};

use imgforge_tests::{RunningCluster, fails};
use serde_json::{Value, json};

/// The near end of a tunnel whose other end is nobody: it takes connections and hangs up.
fn mute(address: &str) {
    let listener = TcpListener::bind(format!("{address}:6442")).unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| drop(stream.unwrap().flush())));
}

#[test]
fn nodes_are_asked_at_the_near_ends_of_tunnels() {
    let mut cluster =
        RunningCluster::new(16, &[("k8s-master-1", "master"), ("k8s-worker-1", "worker"), ("nas", "base")]);
    let near = [5, 6, 7].map(|index| cluster.address(index));
    let folder = cluster.certificates("k8s-master-1", &cluster.address(0), 300);
    cluster.start_api("k8s-master-1", &near[0], &folder);
    cluster.start_etcd(&[("k8s-master-1", &near[0], &folder)]);
    cluster.facts(&json!({ "nodes": [{ "name": "k8s-master-1" }] }));
    let states = "state=waiting\nsince=1790001000\nmessage=no answer\nretry_at=1790001040\n";
    cluster.first_boot("k8s-worker-1", "worker", &near[1], &[("kubeadm", states)]);
    mute(&near[0]);
    mute(&near[2]);

    let places = ["k8s-master-1", "k8s-worker-1", "nas"].iter().zip(&near);
    let options: Vec<String> =
        places.flat_map(|(node, near)| ["--at".into(), format!("{node}={near}")]).collect();
    let output = cluster.imgforge(&["status", "--json"]).args(&options).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["api"]["server"], "k8s-master-1:6443", "{seen}");
    let states: Vec<_> = seen["nodes"].as_array().unwrap().iter().map(|node| node["state"].clone()).collect();
    assert_eq!(states, ["ready", "coming-up", "ready"], "{seen}");
    assert_eq!(seen["nodes"][0]["problems"], json!([]), "who hangs up says nothing: {seen}");
    assert_eq!(seen["etcd"]["well"], 1, "{seen}");
    // Nobody is at the nodes' own addresses.
    let output = cluster.imgforge(&["status", "--json"]).output().unwrap();
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["api"]["server"], Value::Null, "{seen}");

    let said = fails(cluster.imgforge(&["status"]).args(["--at", "k8s-master-7=127.0.0.1"]), 1);
    assert!(
        said.contains("has no node `k8s-master-7`") && said.contains("did you mean `k8s-master-1`?"),
        "{said}"
    );
    for bad in ["k8s-master-1", "k8s-master-1=here"] {
        fails(cluster.imgforge(&["status"]).args(["--at", bad]), 2);
    }
}
