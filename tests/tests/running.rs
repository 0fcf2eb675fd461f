//! Commands that talk with a cluster that runs: real members of etcd, and stand-ins for API servers (`tests/running`).

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use imgforge_tests::{RunningCluster, fails, succeeds};
use serde_json::{Value, json};

fn output(command: &mut Command) -> String {
    String::from_utf8(succeeds(command).stdout).unwrap()
}

/// The document of `imgforge status --json`, which must end with `code`.
fn status(cluster: &RunningCluster, code: i32) -> Value {
    let output = cluster.imgforge(&["status", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Masters with API servers and etcd, and a worker at the end.
fn formed(number: u8, masters: &[&str]) -> (RunningCluster, Vec<PathBuf>) {
    let nodes: Vec<(&str, &str)> =
        masters.iter().map(|name| (*name, "master")).chain([("k8s-worker-1", "worker")]).collect();
    let mut cluster = RunningCluster::new(number, &nodes);
    let addresses: Vec<String> = (0..masters.len()).map(|index| cluster.address(index)).collect();
    let folders: Vec<PathBuf> = masters
        .iter()
        .zip(&addresses)
        .map(|(name, address)| cluster.certificates(name, address, 300))
        .collect();
    for ((name, address), folder) in masters.iter().zip(&addresses).zip(&folders) {
        cluster.start_api(name, address, folder);
    }
    let members: Vec<_> = masters
        .iter()
        .zip(&addresses)
        .zip(&folders)
        .map(|((name, address), folder)| (*name, address.as_str(), folder.as_path()))
        .collect();
    cluster.start_etcd(&members);
    cluster.facts(
        &json!({ "nodes": nodes.iter().map(|(name, _)| json!({ "name": name })).collect::<Vec<_>>() }),
    );
    (cluster, folders)
}

/// Waits until the members have chosen who leads.
fn wait_for_leader(cluster: &RunningCluster, folder: &std::path::Path, index: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    while !cluster
        .etcdctl(&cluster.address(index), folder)
        .args(["endpoint", "health"])
        .output()
        .unwrap()
        .status
        .success()
    {
        assert!(Instant::now() < until, "etcd does not become well");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_look_at_a_cluster_that_is_well() {
    let (cluster, folders) = formed(0, &["k8s-master-1"]);
    wait_for_leader(&cluster, &folders[0], 0);
    let seen = status(&cluster, 0);
    assert_eq!(seen["ready"], true);
    let master = &seen["nodes"][0];
    assert_eq!((&master["state"], &master["member"]["kubelet"]), (&json!("ready"), &json!("v1.36.4")));
    assert_eq!(master["disk"], json!({ "size": 32_000_000_000_u64, "free": 20_000_000_000_u64 }));
    // OpenSSL says when the certificates end that it signed.
    let printed = output(
        Command::new("openssl")
            .args(["x509", "-noout", "-enddate", "-in"])
            .arg(folders[0].join("apiserver.crt")),
    );
    let date = printed.trim().strip_prefix("notAfter=").unwrap().to_owned();
    let end = output(Command::new("date").args(["-u", "+%s", "-d", &date]));
    let off = master["certificate"]["end"].as_i64().unwrap() - end.trim().parse::<i64>().unwrap();
    assert!((0..60).contains(&off.abs()), "{off}");
    // etcdctl says who is a member, and of which release.
    let list = output(cluster.etcdctl(&cluster.address(0), &folders[0]).args(["member", "list"]));
    let member = &seen["etcd"]["members"][0];
    assert!(
        list.starts_with(&format!("{}, started, k8s-master-1,", member["id"].as_str().unwrap())),
        "{list}"
    );
    assert_eq!((&seen["etcd"]["leader"], &seen["etcd"]["well"]), (&json!("k8s-master-1"), &json!(1)));
    let version = output(Command::new("etcdctl").env("ETCDCTL_API", "3").arg("version"));
    assert!(
        version.contains(&format!("etcdctl version: {}\n", master["etcd"]["version"].as_str().unwrap())),
        "{version}"
    );
    assert_eq!(seen["nodes"][1]["next"], json!([]));

    let page = output(&mut cluster.imgforge(&["status"]));
    assert!(page.contains("etcd: 1 of 1 members answer, none may be lost, k8s-master-1 leads"), "{page}");
    assert!(page.contains("k8s-worker-1  worker  Ready  2026-09-21T14:30:00Z  1.36.4 "), "{page}");
    output(&mut cluster.imgforge(&["status", "--wait"]));
}

#[test]
fn a_look_at_a_cluster_that_is_not_well() {
    let (mut cluster, folders) = formed(1, &["k8s-master-1", "k8s-master-2", "k8s-master-3"]);
    wait_for_leader(&cluster, &folders[0], 0);
    cluster.facts(&json!({ "failing": ["etcd"], "nodes": [
        { "name": "k8s-master-1" }, { "name": "k8s-master-2" }, { "name": "k8s-master-3", "ready": false, "heard": 700 },
        { "name": "k8s-worker-1", "kubelet": "v1.35.0", "unschedulable": true, "pressure": ["DiskPressure"], "disk": [100, 4] },
        { "name": "stranger" } ] }));
    cluster.cut("etcd k8s-master-3");
    cluster.cut("api k8s-master-3");
    let seen = status(&cluster, 5);
    assert_eq!((&seen["ready"], &seen["others"]), (&json!(false), &json!(["stranger"])));
    assert_eq!(seen["api"]["failing"], json!(["etcd"]));
    assert_eq!((&seen["etcd"]["well"], &seen["etcd"]["majority"]), (&json!(2), &json!(2)));
    assert_eq!(seen["nodes"][2]["state"], "not-ready");
    let problems = seen["nodes"][2]["problems"].to_string();
    assert!(problems.contains("its etcd: k8s-master-3:2379 does not answer: "), "{problems}");
    let next = seen["nodes"][3]["next"].to_string();
    for part in ["kubectl uncordon k8s-worker-1", "DiskPressure", "runs 1.35.0", "96 % full"] {
        assert!(next.contains(part), "{part}: {next}");
    }
    let said = fails(&mut cluster.imgforge(&["status"]), 5);
    assert!(said.contains("error: the cluster home is not Ready: k8s-master-3 is not Ready\n"), "{said}");

    // Two of three are gone: who is left has nobody to lead.
    cluster.cut("etcd k8s-master-2");
    thread::sleep(Duration::from_secs(3));
    let seen = status(&cluster, 5);
    let next = seen["next"].to_string();
    assert!(next.contains("etcd has no majority: 1 of its members answer, and 2 have to."), "{next}");
}

#[test]
fn a_node_at_its_first_boot_tells_how_far_it_is() {
    let mut cluster =
        RunningCluster::new(4, &[("k8s-master-1", "master"), ("k8s-worker-1", "worker"), ("nas", "base")]);
    let states = "state=waiting\nsince=1790001000\nmessage=disk UUID=1 for /mnt/root is missing: attach it\nretry_at=1790001040\n";
    let root = cluster.first_boot("k8s-worker-1", "worker", &cluster.address(1), &[("storage", states)]);
    let seen = status(&cluster, 5);
    let worker = &seen["nodes"][1];
    assert_eq!(worker["state"], "coming-up", "{worker}");
    assert_eq!(
        worker["stage"],
        json!({ "stage": "storage", "state": "waiting", "since": 1_790_001_000, "retry-at": 1_790_001_040,
            "message": "disk UUID=1 for /mnt/root is missing: attach it" })
    );
    assert_eq!(seen["nodes"][2]["state"], "ready", "a base node that is up");
    std::fs::write(root.join("run/imgforge/stages/storage"), states.replace("waiting", "failed")).unwrap();
    let seen = status(&cluster, 5);
    assert_eq!(seen["nodes"][1]["state"], "failed");
    assert!(
        seen["nodes"][1]["next"][0].as_str().unwrap().contains("`systemctl restart imgforge-storage`"),
        "{seen}"
    );
    let page = fails(&mut cluster.imgforge(&["status", "--wait", "--timeout", "1s"]), 5);
    assert!(page.contains("k8s-worker-1 is failed: storage is failed: disk UUID=1"), "{page}");

    // Another node has its address, as may be where a router hands them out.
    cluster.first_boot("k8s-worker-9", "worker", &cluster.address(0), &[]);
    let problems = status(&cluster, 5)["nodes"][0]["problems"].to_string();
    assert!(problems.contains("the node k8s-worker-9 answers at its address"), "{problems}");
}

#[test]
fn nobody_is_there_and_somebody_else_is() {
    let mut cluster = RunningCluster::new(2, &[("k8s-master-1", "master")]);
    let begun = Instant::now();
    let seen = status(&cluster, 5);
    assert_eq!(seen["nodes"][0]["state"], "up", "a loopback address always refuses");
    assert!(seen["api"]["problem"].as_str().unwrap().contains("Connection refused"), "{seen}");
    let said = fails(&mut cluster.imgforge(&["status", "--wait", "--timeout", "6s"]), 5);
    assert!(
        begun.elapsed() < Duration::from_secs(60) && said.contains("the API server does not answer"),
        "{said}"
    );

    // Another cluster with the same names and addresses.
    let other = RunningCluster::new(3, &[("k8s-master-1", "master")]);
    let address = cluster.address(0);
    let foreign = other.certificates("k8s-master-1", &address, 300);
    cluster.start_api("k8s-master-1", &address, &foreign);
    let seen = status(&cluster, 5);
    let problem = seen["api"]["problem"].as_str().unwrap();
    assert!(problem.contains("UnknownIssuer") || problem.contains("BadSignature"), "{problem}");
    cluster.cut("api k8s-master-1");

    // This cluster's, on another machine than the certificate is about.
    let elsewhere = cluster.certificates("k8s-master-9", "127.9.9.9", 300);
    cluster.start_api("k8s-master-1", &address, &elsewhere);
    let problem = status(&cluster, 5)["api"]["problem"].to_string();
    assert!(problem.contains("NotValidForName") || problem.contains("not valid for name"), "{problem}");
}
