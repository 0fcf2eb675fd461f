//! Secrets, judged by OpenSSL.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::{HOME, cluster, random};
use imgforge_kube::{
    cluster::Cluster,
    kubeconfig::{Kubeconfig, MergeError, merge},
    pki::{CertifiedKey, Error, Lifetime, Secrets, end_of},
    version::Version,
};
use tempfile::TempDir;

/// 2026-01-01.
const NOW: i64 = 1_767_225_600;

fn secrets() -> Secrets {
    Secrets::generate(&cluster(&HOME), Lifetime::generous(NOW), &mut random(1)).unwrap()
}

fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().unwrap()
}

/// What OpenSSL prints; it must succeed.
fn says(arguments: &[&str]) -> String {
    let output = openssl(arguments);
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with `files`.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = Path::join(self.0.path(), name);
        path.to_str().unwrap().to_owned()
    }
}

/// Verifies `identity` against the cluster's authority as of `time` (seconds since 1970).
fn verify(secrets: &Secrets, identity: &CertifiedKey, time: i64) -> Output {
    let files = Files::new(&[("ca.crt", &secrets.ca.certificate), ("client.crt", &identity.certificate)]);
    let (ca, client, time) = (files.path("ca.crt"), files.path("client.crt"), time.to_string());
    openssl(&["verify", "-x509_strict", "-purpose", "sslclient", "-attime", &time, "-CAfile", &ca, &client])
}

#[test]
fn openssl_accepts_what_the_authority_signed_in_1970_and_in_2055() {
    let secrets = secrets();
    for identity in [&secrets.admin, &secrets.kube_vip] {
        for time in [1, NOW, 2_682_288_000] {
            let output = verify(&secrets, identity, time);
            assert!(output.status.success(), "at {time}: {}", String::from_utf8_lossy(&output.stderr));
        }
        assert!(!verify(&secrets, identity, 2_840_140_800).status.success(), "in 2060 it has ended");
    }
}

#[test]
fn another_clusters_authority_is_not_accepted() {
    let (ours, theirs) =
        (secrets(), Secrets::generate(&cluster(&HOME), Lifetime::generous(NOW), &mut random(2)).unwrap());
    assert!(!verify(&theirs, &ours.admin, NOW).status.success());
}

#[test]
fn authorities_have_kubeadms_names_and_may_sign() {
    let secrets = secrets();
    for (name, authority) in [
        ("kubernetes", &secrets.ca),
        ("front-proxy-ca", &secrets.front_proxy_ca),
        ("etcd-ca", &secrets.etcd_ca),
    ] {
        let files = Files::new(&[("ca.crt", &authority.certificate), ("ca.key", authority.key.reveal())]);
        let text = says(&["x509", "-in", &files.path("ca.crt"), "-noout", "-text"]);
        for expected in [
            &format!("Subject: CN = {name}"),
            "CA:TRUE",
            "Certificate Sign",
            "Public Key Algorithm: id-ecPublicKey",
            "ASN1 OID: prime256v1",
            &format!("DNS:{name}"),
        ] {
            assert!(text.contains(expected), "{name}: {expected} is not in\n{text}");
        }
        let of_key = says(&["ec", "-in", &files.path("ca.key"), "-pubout"]);
        assert_eq!(says(&["x509", "-in", &files.path("ca.crt"), "-noout", "-pubkey"]), of_key, "{name}");
        let verified =
            says(&["verify", "-x509_strict", "-CAfile", &files.path("ca.crt"), &files.path("ca.crt")]);
        assert!(verified.ends_with("OK\n"), "{verified}");
    }
}

#[test]
fn clients_are_named_as_kubernetes_expects() {
    let subject = |identity: &CertifiedKey| {
        let files = Files::new(&[("client.crt", &identity.certificate)]);
        let path = files.path("client.crt");
        says(&["x509", "-in", &path, "-noout", "-subject", "-ext", "extendedKeyUsage,basicConstraints"])
    };
    let of_1_26 = secrets();
    let admin = subject(&of_1_26.admin);
    assert!(admin.contains("O = system:masters, CN = kubernetes-admin"), "{admin}");
    assert!(admin.contains("TLS Web Client Authentication") && !admin.contains("CA:TRUE"), "{admin}");
    assert!(subject(&of_1_26.kube_vip).contains("O = system:masters, CN = kube-vip"));

    let of_release = |minor, patch| Cluster { kubernetes: Version::new(minor, patch), ..Cluster::default() };
    let current = cluster("kubernetes: 1.36.4");
    let current = Secrets::generate(&current, Lifetime::generous(NOW), &mut random(1)).unwrap();
    assert!(subject(&current.admin).contains("O = kubeadm:cluster-admins, CN = kubernetes-admin"));
    assert_eq!(current.admin_of(&of_release(36, 4)).unwrap(), current.admin);

    // The cluster file went back to a release that knows no such group.
    let older = current.admin_of(&of_release(26, 15)).unwrap();
    assert!(subject(&older).contains("O = system:masters, CN = kubernetes-admin"));
    assert_eq!((&older.key, &older), (&current.admin.key, &current.admin_of(&of_release(26, 15)).unwrap()));
    let files = Files::new(&[("ca.crt", &current.ca.certificate), ("client.crt", &older.certificate)]);
    let verified = says(&["verify", "-CAfile", &files.path("ca.crt"), &files.path("client.crt")]);
    assert!(verified.ends_with("OK\n"), "{verified}");
}

#[test]
fn a_file_with_the_key_that_nothing_uses_is_read() {
    let text = secrets().to_yaml().unwrap().reveal().to_owned() + "certificate-key: '00'\n";
    assert_eq!(Secrets::from_yaml(&text, &cluster(&HOME)).unwrap().ca, secrets().ca);
}

#[test]
fn the_pin_is_the_hash_of_the_public_key() {
    let secrets = secrets();
    let files = Files::new(&[("ca.crt", &secrets.ca.certificate)]);
    fs::write(files.path("ca.pub"), says(&["x509", "-in", &files.path("ca.crt"), "-noout", "-pubkey"]))
        .unwrap();
    says(&["pkey", "-pubin", "-in", &files.path("ca.pub"), "-outform", "der", "-out", &files.path("ca.der")]);
    let digest = says(&["dgst", "-sha256", "-r", &files.path("ca.der")]);
    let hash = digest.split(' ').next().unwrap();
    assert_eq!(secrets.ca_pin().unwrap(), format!("sha256:{hash}"));
}

#[test]
fn the_service_account_key_is_a_pair() {
    let secrets = secrets();
    let files = Files::new(&[("sa.key", secrets.service_account.key.reveal())]);
    assert_eq!(says(&["ec", "-in", &files.path("sa.key"), "-pubout"]), secrets.service_account.public);
}

#[test]
fn the_file_is_read_back_and_depends_on_the_random_bytes_only() {
    let text = secrets().to_yaml().unwrap();
    assert_eq!(Secrets::from_yaml(text.reveal(), &cluster(&HOME)).unwrap(), secrets());
    assert_eq!(secrets().to_yaml().unwrap(), text);
    let other = Secrets::generate(&cluster(&HOME), Lifetime::generous(NOW), &mut random(2)).unwrap();
    for (ours, theirs) in
        [(&secrets().bootstrap_token, &other.bootstrap_token), (&secrets().ca.key, &other.ca.key)]
    {
        assert_ne!(ours, theirs);
    }
}

#[test]
fn no_two_keys_of_a_cluster_are_the_same() {
    let s = secrets();
    let keys = [
        &s.ca.key,
        &s.front_proxy_ca.key,
        &s.etcd_ca.key,
        &s.service_account.key,
        &s.admin.key,
        &s.kube_vip.key,
    ];
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key));
    }
}

#[test]
fn tokens_have_the_form_kubernetes_wants() {
    for seed in 0..12 {
        let secrets = Secrets::generate(&cluster(&HOME), Lifetime::generous(NOW), &mut random(seed)).unwrap();
        let token = secrets.bootstrap_token.reveal();
        let (id, secret) = token.split_once('.').unwrap();
        assert_eq!((id.len(), secret.len()), (6, 16));
        assert!(token.bytes().all(|c| c == b'.' || c.is_ascii_lowercase() || c.is_ascii_digit()), "{seed}");
    }
}

#[test]
fn files_of_others_and_damaged_ones_are_refused() {
    let text = secrets().to_yaml().unwrap();
    let read = |text: &str| Secrets::from_yaml(text, &cluster(&HOME)).unwrap_err();
    let other = Secrets::from_yaml(text.reveal(), &cluster("name: office")).unwrap_err();
    assert_eq!(other, Error::OtherCluster { wanted: "office".into(), found: "home".into() });

    let half = text.reveal().get(..text.reveal().len() / 2).unwrap();
    assert!(matches!(read(half), Error::NotSecrets { .. }));

    let mut swapped = secrets();
    std::mem::swap(&mut swapped.ca.key, &mut swapped.etcd_ca.key);
    let message = read(swapped.to_yaml().unwrap().reveal()).to_string();
    assert!(message.starts_with("ca: certificate and key do not belong together"), "{message}");

    let mut token = secrets();
    token.bootstrap_token = imgforge_kube::pki::Secret::new("short");
    let expected = Error::Damaged {
        part: "bootstrap-token",
        problem: "a token is 6 and 16 of a-z and 0-9 with a dot between them",
    };
    assert_eq!(read(token.to_yaml().unwrap().reveal()), expected);
}

#[test]
fn errors_and_debug_output_show_no_secret() {
    let secrets = secrets();
    let shown = format!("{secrets:?}");
    assert!(!shown.contains("PRIVATE KEY") && !shown.contains(secrets.bootstrap_token.reveal()));
    let error = Secrets::from_yaml("bootstrap-token: [hunter2]", &cluster(&HOME)).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn randomness_that_is_none_is_an_error_and_no_endless_loop() {
    for byte in [0x00, 0xff] {
        let mut stuck = |buffer: &mut [u8]| buffer.fill(byte);
        let result = Secrets::generate(&cluster(&HOME), Lifetime::generous(NOW), &mut stuck);
        assert_eq!(result.unwrap_err(), Error::Random);
    }
}

#[test]
fn the_kubeconfig_holds_what_openssl_can_use() {
    let secrets = secrets();
    let config = Kubeconfig::new(
        "home",
        "192.168.1.10:6443",
        &secrets.ca.certificate,
        "kubernetes-admin",
        &secrets.admin,
    );
    let text = config.to_yaml().unwrap();
    let read: Kubeconfig = serde_yaml::from_str(text.reveal()).unwrap();
    assert_eq!(read, config);
    assert_eq!(read.current_context, "kubernetes-admin@home");
    assert_eq!(read.clusters[0].cluster.server, "https://192.168.1.10:6443");
    let files = Files::new(&[("data", &read.clusters[0].cluster.certificate_authority_data)]);
    assert_eq!(says(&["base64", "-d", "-A", "-in", &files.path("data")]), secrets.ca.certificate);
    assert!(!format!("{config:?}").contains(read.users[0].user.client_key_data.reveal()));
}

#[test]
fn etcd_lets_its_client_in_and_the_api_server_does_not() {
    let secrets = secrets();
    let client = secrets.etcd_client().unwrap();
    assert_eq!(client, secrets.etcd_client().unwrap());
    let mut of_etcd = secrets.clone();
    of_etcd.ca = secrets.etcd_ca.clone();
    let output = verify(&of_etcd, &client, NOW);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!verify(&secrets, &client, NOW).status.success());
}

#[test]
fn openssl_agrees_when_certificates_end() {
    let secrets = secrets();
    for identity in [&secrets.ca, &secrets.admin, &secrets.etcd_client().unwrap()] {
        let files = Files::new(&[("c.crt", &identity.certificate)]);
        let (pem, der) = (files.path("c.crt"), files.path("c.der"));
        says(&["x509", "-in", &pem, "-outform", "der", "-out", &der]);
        let end = end_of(&fs::read(&der).unwrap()).unwrap();
        let printed = says(&["x509", "-in", &pem, "-noout", "-enddate"]);
        let printed = printed.trim().strip_prefix("notAfter=").unwrap();
        let date = Command::new("date").args(["-u", "+%s", "-d", printed]).output().unwrap();
        assert_eq!(String::from_utf8(date.stdout).unwrap().trim(), end.to_string());
    }
}

/// What another tool wrote, with keys that are not known here.
const OTHERS: &str = "\
apiVersion: v1
kind: Config
preferences: { colors: true }
clusters:
- name: work
  cluster: { server: 'https://work:6443', insecure-skip-tls-verify: true, extensions: [{ name: x, extension: { last: 'on' } }] }
contexts:
- { name: work, context: { cluster: work, user: kubernetes-admin, namespace: team } }
users:
- { name: kubernetes-admin, user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: aws } } }
current-context: work
";

#[test]
fn a_kubeconfig_among_others_leaves_them_as_they_are() {
    let ours = Kubeconfig::admin(&cluster(&HOME), &secrets()).unwrap().unwrap().named_by_cluster();
    let merged = merge(OTHERS, &ours, false).unwrap();
    let (before, after): (serde_yaml::Value, serde_yaml::Value) =
        (serde_yaml::from_str(OTHERS).unwrap(), serde_yaml::from_str(merged.reveal()).unwrap());
    for list in ["clusters", "contexts", "users"] {
        assert_eq!(after[list][0], before[list][0], "{list}");
        assert_eq!(after[list].as_sequence().unwrap().len(), 2);
    }
    assert_eq!(
        (&after["preferences"], &after["current-context"]),
        (&before["preferences"], &before["current-context"])
    );
    assert_eq!(after["contexts"][1]["name"], "home");
    assert_eq!(after["contexts"][1]["context"]["user"], "kubernetes-admin-home");
    // Once more: nothing changes; after new secrets: only by force.
    assert_eq!(merge(merged.reveal(), &ours, false).unwrap(), merged);
    let new = Secrets::generate(&cluster(&HOME), Lifetime::generous(NOW), &mut random(9)).unwrap();
    let new = Kubeconfig::admin(&cluster(&HOME), &new).unwrap().unwrap().named_by_cluster();
    assert!(matches!(merge(merged.reveal(), &new, false), Err(MergeError::OtherCluster { .. })));
    let forced: serde_yaml::Value =
        serde_yaml::from_str(merge(merged.reveal(), &new, true).unwrap().reveal()).unwrap();
    assert_eq!(forced["clusters"].as_sequence().unwrap().len(), 2);
}

#[test]
fn an_empty_kubeconfig_becomes_ours_and_what_is_none_is_refused() {
    let ours = Kubeconfig::admin(&cluster(&HOME), &secrets()).unwrap().unwrap().named_by_cluster();
    for empty in ["", "# nothing\n", "apiVersion: v1\nkind: Config\nclusters: null\ncurrent-context: ''\n"] {
        let merged: Kubeconfig = serde_yaml::from_str(merge(empty, &ours, false).unwrap().reveal()).unwrap();
        assert_eq!(merged, ours);
    }
    for foreign in ["a", "[]", "kind: Pod", "clusters: {}", "users: [{ user: {} }]", "a: [", "a: 1\na: 2"] {
        let error = merge(foreign, &ours, true).unwrap_err().to_string();
        assert!(error.starts_with("it is no "), "{foreign}: {error}");
    }
}
