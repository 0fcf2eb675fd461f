//! Commands that talk with a cluster that runs: real members of etcd, and stand-ins for API servers (`tests/running`).

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    path::PathBuf,
    process::{Command, Stdio},
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

    // A control plane that has just come back takes a node for Ready that died meanwhile; not so one whose clock is behind.
    let worker = |heard: Value| json!({ "nodes": [{ "name": "k8s-master-1" }, { "name": "k8s-worker-1", "heard": heard }] });
    cluster.facts(&worker(json!("2026-09-21T14:30:00.123456Z")));
    let said = fails(&mut cluster.imgforge(&["status", "--wait", "--timeout", "15s"]), 5);
    assert!(said.contains("a node has not been heard since"), "{said}");
    cluster.facts(&worker(json!(700)));
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

#[test]
fn a_dead_master_is_taken_out_and_the_majority_is_kept() {
    let (mut cluster, folders) = formed(5, &["k8s-master-1", "k8s-master-2", "k8s-master-3"]);
    wait_for_leader(&cluster, &folders[0], 0);
    let said = fails(&mut cluster.imgforge(&["cluster", "remove", "k8s-master-3"]), 1);
    assert!(said.contains("error: k8s-master-3 is Ready\n"), "{said}");
    assert!(
        fails(&mut cluster.imgforge(&["cluster", "remove", "k8s-master-7"]), 1)
            .contains("the cluster has k8s-master-1, k8s")
    );
    assert!(
        fails(&mut cluster.imgforge(&["cluster", "remove", "../../secrets"]), 1)
            .contains("is no node's name")
    );

    let facts = |gone: &[&str]| {
        let names = ["k8s-master-1", "k8s-master-2", "k8s-master-3", "k8s-worker-1"];
        json!({ "nodes": names.map(|name| json!({ "name": name, "ready": !gone.contains(&name),
            "labels": if name.contains("master") { json!({ "node-role.kubernetes.io/control-plane": "" }) } else { json!({}) } })) })
    };
    cluster.facts(&facts(&["k8s-master-3"]));
    let said = fails(&mut cluster.imgforge(&["cluster", "remove", "k8s-master-3"]), 1);
    assert!(said.contains("the etcd of k8s-master-3 answers: it is not dead"), "{said}");
    cluster.cut("etcd k8s-master-3");
    cluster.cut("api k8s-master-3");
    let said = fails(&mut cluster.imgforge(&["cluster", "remove", "k8s-master-2", "--force"]), 1);
    assert!(
        said.contains(
            "without k8s-master-2 etcd would have 2 members, of which 1 answers (k8s-master-1), and 2 have to"
        ),
        "{said}"
    );
    assert_eq!(cluster.changes(), "", "nothing was done until now");

    let output = cluster.imgforge(&["cluster", "remove", "k8s-master-3"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("k8s-master-3: taken out of etcd, which has 2 members left; 0 of them may be lost"),
        "{said}"
    );
    assert_eq!(
        cluster.changes(),
        "PATCH /api/v1/nodes/k8s-master-3 application/strategic-merge-patch+json {\"spec\":{\"unschedulable\":true}}\n\
         DELETE /api/v1/nodes/k8s-master-3\n"
    );
    let list = self::output(cluster.etcdctl(&cluster.address(0), &folders[0]).args(["member", "list"]));
    assert!(list.lines().count() == 2 && !list.contains("k8s-master-3"), "{list}");
    // Once more: nothing is left to do.
    let again = cluster.imgforge(&["cluster", "remove", "k8s-master-3"]).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("is no member of the cluster: nothing to do"));

    // Two are left, and one of them dies: etcd says nothing any more, whatever is asked.
    cluster.cut("etcd k8s-master-2");
    let said = fails(&mut cluster.imgforge(&["cluster", "remove", "k8s-master-2", "--force"]), 5);
    assert!(
        said.contains("etcd has no majority: of 2 members 1 answers (k8s-master-1), and 2 have to"),
        "{said}"
    );
}

#[test]
fn a_worker_is_taken_out_and_the_last_master_is_not() {
    let (cluster, folders) = formed(6, &["k8s-master-1"]);
    wait_for_leader(&cluster, &folders[0], 0);
    let said = fails(&mut cluster.imgforge(&["cluster", "remove", "k8s-master-1", "--force"]), 1);
    assert!(said.contains("k8s-master-1 is the last master"), "{said}");
    let said = fails(&mut cluster.imgforge(&["cluster", "remove", "k8s-worker-1"]), 1);
    assert!(said.contains("hint: `kubectl drain k8s-worker-1 "), "{said}");
    assert_eq!(cluster.changes(), "");
    succeeds(&mut cluster.imgforge(&["cluster", "remove", "k8s-worker-1", "--force"]));
    assert!(cluster.changes().ends_with("DELETE /api/v1/nodes/k8s-worker-1\n"), "{}", cluster.changes());
}

#[test]
fn a_backup_is_what_etcds_own_tools_restore() {
    let (mut cluster, folders) = formed(7, &["k8s-master-1", "k8s-master-2"]);
    wait_for_leader(&cluster, &folders[0], 0);
    // More than a piece of 32 KiB.
    for number in 0..40 {
        let value = format!("{number}:").repeat(4000);
        succeeds(cluster.etcdctl(&cluster.address(0), &folders[0]).args([
            "put",
            &format!("/registry/x/{number}"),
            &value,
        ]));
    }
    let file = cluster.path("home.snapshot");
    succeeds(cluster.imgforge(&["cluster", "backup"]).arg("--output").arg(&file));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let said = fails(cluster.imgforge(&["cluster", "backup"]).arg("--output").arg(&file), 1);
    assert!(said.contains("is there already"), "{said}");
    let known = output(
        Command::new("etcdctl").env("ETCDCTL_API", "3").args(["snapshot", "status", "-w", "json"]).arg(&file),
    );
    let known: Value = serde_json::from_str(&known).unwrap();
    assert!(known["totalKey"].as_u64().unwrap() >= 40, "{known}");

    // A new member begins with it, and has all of it. etcdctl compares the hash at the end of the file.
    let (address, data) = (cluster.address(9), cluster.path("restored"));
    let mut restore = Command::new("etcdctl");
    restore
        .env("ETCDCTL_API", "3")
        .args(["snapshot", "restore", "--name=r"])
        .arg(&file)
        .arg("--data-dir")
        .arg(&data);
    restore.arg(format!("--initial-cluster=r=http://{address}:2380"));
    succeeds(restore.arg(format!("--initial-advertise-peer-urls=http://{address}:2380")));
    let mut etcd = Command::new("etcd");
    etcd.arg("--name=r").arg("--data-dir").arg(&data).stdout(Stdio::null()).stderr(Stdio::null());
    etcd.args(
        ["listen-client-urls", "advertise-client-urls"]
            .map(|option| format!("--{option}=http://{address}:2379")),
    );
    etcd.arg(format!("--listen-peer-urls=http://{address}:2380"));
    cluster.start("restored".into(), etcd, &format!("{address}:2379"));
    let mut get = Command::new("etcdctl");
    get.env("ETCDCTL_API", "3").arg(format!("--endpoints=http://{address}:2379")).args([
        "get",
        "--print-value-only",
        "/registry/x/39",
    ]);
    assert_eq!(output(&mut get).trim(), "39:".repeat(4000));

    // One byte of it is another: nobody restores that, which is what the hash is for.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[9000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    restore.arg("--data-dir").arg(cluster.path("damaged"));
    assert!(!restore.output().unwrap().status.success());

    // Without a majority nobody leads, and there is nothing to rely upon.
    cluster.cut("etcd k8s-master-2");
    let until = Instant::now() + Duration::from_secs(30);
    let said = loop {
        let output = cluster.imgforge(&["cluster", "backup"]).output().unwrap();
        if output.status.code() == Some(5) {
            break String::from_utf8_lossy(&output.stderr).into_owned();
        }
        assert!(Instant::now() < until, "a backup of a member that nobody leads");
    };
    assert!(said.contains("k8s-master-1:2379 has no leader"), "{said}");
}

#[test]
fn an_upgrade_is_planned_from_what_runs() {
    let (cluster, folders) = formed(8, &["k8s-master-1"]);
    wait_for_leader(&cluster, &folders[0], 0);
    assert_eq!(
        output(&mut cluster.imgforge(&["cluster", "upgrade", "--plan"])),
        "all nodes run what the file wants\n"
    );
    let runs = |master: &str, worker: &str| {
        cluster.facts(&json!({ "nodes": [
            { "name": "k8s-master-1", "kubelet": master }, { "name": "k8s-worker-1", "kubelet": worker } ] }));
    };
    runs("v1.35.2", "v1.35.2");
    let said = fails(&mut cluster.imgforge(&["cluster", "upgrade", "--plan"]), 1);
    assert!(said.contains("k8s-master-1 is the only master, and etcd's data is on its card"), "{said}");
    let text = std::fs::read_to_string(cluster.file()).unwrap().replace(
        "role: master,",
        "role: master, mounts: [{ source: UUID=0d1c2b3a-9a5d-45f3-ae14-73b4c5ed50c3, target: /mnt/root }], \
         storage: [{ path: /var/lib/etcd, on: /mnt/root/etcd }],",
    );
    std::fs::write(cluster.file(), text).unwrap();
    let page = output(&mut cluster.imgforge(&["cluster", "upgrade", "--plan"]));
    let lines: Vec<&str> = page.lines().collect();
    assert!(lines[0].starts_with("1. imgforge cluster backup --cluster "), "{page}");
    assert!(lines[1].starts_with("2. k8s-master-1, 1.35.2 to 1.36.4: imgforge build "), "{page}");
    assert!(
        lines[2].starts_with("3. k8s-worker-1, 1.35.2 to 1.36.4: kubectl drain k8s-worker-1 ")
            && lines.len() == 3,
        "{page}"
    );
    runs("v1.34.9", "v1.35.2");
    let said = fails(&mut cluster.imgforge(&["cluster", "upgrade", "--plan"]), 1);
    assert!(said.contains("one minor release at a time. Put 1.35 into the file first"), "{said}");
}

#[test]
fn a_kubeconfig_goes_among_others() {
    let cluster = RunningCluster::new(9, &[("k8s-master-1", "master")]);
    let folder = cluster.home.path().join(".kube");
    succeeds(&mut cluster.imgforge(&["kubeconfig", "--merge"]));
    let ours = std::fs::read_to_string(folder.join("config")).unwrap();
    let mode = |path: PathBuf| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
    };
    assert_eq!((mode(folder.clone()), mode(folder.join("config"))), (0o700, 0o600));
    // A link to elsewhere stays one, and what kubectl is changing is left alone.
    let elsewhere = cluster.path("elsewhere");
    std::fs::write(&elsewhere, "kind: Config\napiVersion: v1\ncontexts: [{ name: work, context: { cluster: work } }]\ncurrent-context: work\n").unwrap();
    std::fs::remove_file(folder.join("config")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.join("config")).unwrap();
    std::fs::write(cluster.path("elsewhere.lock"), "").unwrap();
    assert!(
        fails(&mut cluster.imgforge(&["kubeconfig", "--merge"]), 1)
            .contains("is being changed by somebody else")
    );
    std::fs::remove_file(cluster.path("elsewhere.lock")).unwrap();
    succeeds(&mut cluster.imgforge(&["kubeconfig", "--merge"]));
    assert!(folder.join("config").is_symlink() && !cluster.path("elsewhere.lock").exists());
    let merged = std::fs::read_to_string(&elsewhere).unwrap();
    assert!(merged.contains("current-context: work") && merged.contains("name: work"), "{merged}");
    let data =
        |text: &str| text.lines().find(|line| line.contains("client-key-data")).unwrap().trim().to_owned();
    assert_eq!(data(&merged), data(&ours));
    std::fs::write(&elsewhere, "nonsense: [\n").unwrap();
    let said = fails(&mut cluster.imgforge(&["kubeconfig", "--merge"]), 1);
    assert!(
        said.contains("it is no YAML") && std::fs::read_to_string(&elsewhere).unwrap() == "nonsense: [\n",
        "{said}"
    );
}

#[test]
fn answers_that_are_none_are_said_and_end() {
    let mut cluster = RunningCluster::new(10, &[("k8s-master-1", "master")]);
    let address = cluster.address(0);
    let folder = cluster.certificates("k8s-master-1", &address, 300);
    cluster.start_api("k8s-master-1", &address, &folder);
    for (way, expected) in [
        ("endless", "bytes"),
        ("short", "GET /api/v1/nodes"),
        ("redirect", "refuses"),
        ("{}", "missing field `items`"),
        ("{\"items\":[{\"metadata\":7}]}", "invalid type"),
        ("\u{1b}[2J", "expected value"),
        ("", "EOF"),
    ] {
        cluster.facts(&json!({ "nodes": [], "hostile": way }));
        let problem = status(&cluster, 5)["api"]["problem"].to_string();
        assert!(problem.contains(expected), "{way}: {problem}");
        let said = fails(&mut cluster.imgforge(&["cluster", "remove", "k8s-master-1"]), 4);
        assert!(!said.contains('\u{1b}'), "{way}: {said}");
    }
    // What a node says of itself moves no cursor.
    cluster.facts(
        &json!({ "nodes": [{ "name": "k8s-master-1", "message": "\u{1b}[2J\u{202e}", "ready": false }] }),
    );
    let page = fails(&mut cluster.imgforge(&["status"]), 5);
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'), "{page}");
}
