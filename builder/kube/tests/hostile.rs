//! Texts from outside end in a value or an error, never in a panic.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use base64ct::{Base64, Encoding};
use common::{HOME, boards, cluster, manifests, random};
use imgforge_kube::{
    check::{Severity, check},
    cluster::Cluster,
    containerd::{KUBERNETES_PLUGINS, Runtime, Series},
    kubeadm,
    member::Member,
    node_files::{Sources, node_files},
    pki::{self, Lifetime, Secrets},
    version::Version,
};
use proptest::prelude::*;

/// Values that people might write where another belongs.
const WORDS: [&str; 20] = [
    "1.36.4",
    "1.20.0",
    "1.65535.65535",
    "0.0.0.0/0",
    "::/0",
    "10.244.0.0/16",
    "255.255.255.255/32",
    "fd00::1",
    "''",
    "-1",
    "4294967295",
    "0",
    "true",
    "null",
    "[]",
    "{}",
    "master",
    "rpi1",
    "cubieboard",
    "../../etc",
];

/// The example with some values exchanged for words.
fn altered() -> impl Strategy<Value = String> {
    let lines = HOME.lines().count();
    prop::collection::vec((0..lines, 0..WORDS.len()), 1..6).prop_map(|changes| {
        let mut lines: Vec<String> = HOME.lines().map(str::to_owned).collect();
        for (line, word) in changes {
            if let Some((key, _)) = lines[line].split_once(": ") {
                lines[line] = format!("{key}: {}", WORDS[word]);
            }
        }
        lines.join("\n")
    })
}

/// A cluster in which nothing is wrong must lead to files, whatever it looks like.
fn build(cluster: &Cluster) {
    let manifests = manifests();
    let findings = check(cluster, &boards, &manifests);
    let is_good = findings.iter().all(|finding| finding.severity == Severity::Notice);
    let runtime = Runtime { series: Series::Two, plugins: KUBERNETES_PLUGINS };
    let mut cluster = cluster.clone();
    cluster.add_ons = Default::default();
    for node in &cluster.nodes {
        let sources =
            Sources { secrets: None, containerd: runtime, manifests: &manifests, manifest: &|_| None };
        match Member::new(&cluster, &node.hostname, &boards) {
            Ok(member) => drop(node_files(&member, &sources)),
            Err(error) => assert!(!is_good, "{error} was not found by the check"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn altered_cluster_files(text in altered()) {
        if let Ok(cluster) = serde_yaml::from_str::<Cluster>(&text) {
            build(&cluster);
        }
    }

    #[test]
    fn any_text(text in "[ -~\\n]{0,200}") {
        if let Ok(cluster) = serde_yaml::from_str::<Cluster>(&text) {
            build(&cluster);
        }
        drop(text.parse::<Version>());
        drop(kubeadm::parse(&text));
        prop_assert!(Secrets::from_yaml(&text, &Cluster::default()).is_err());
    }

    #[test]
    fn cut_secrets(cut in 0usize..4000) {
        let home = cluster(&HOME);
        let text = SECRETS.with(String::clone);
        let half = text.get(..cut.min(text.len().saturating_sub(2))).unwrap();
        prop_assert!(Secrets::from_yaml(half, &home).is_err());
    }
}

thread_local! {
    static SECRETS: String = {
        let secrets = Secrets::generate(&cluster(&HOME), Lifetime::generous(0), &mut random(3)).unwrap();
        secrets.to_yaml().unwrap().reveal().to_owned()
    };
}

proptest! {
    /// Certificates of servers, before anybody has said that they are good.
    #[test]
    fn fuzz_certificate_ends(mut der in Just(certificate()), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<prop::sample::Index>()) {
        edits.iter().for_each(|(at, byte)| { let at = at.index(der.len()); der[at] = *byte; });
        let _ = pki::end_of(&der);
        let _ = pki::end_of(&der[..cut.index(der.len())]);
        if edits.is_empty() {
            prop_assert_eq!(pki::end_of(&der), Some(253_402_300_799));
        }
    }
}

/// The certificate with which commands come to etcd, without its armour.
fn certificate() -> Vec<u8> {
    let secrets = Secrets::generate(&cluster(&HOME), Lifetime::generous(0), &mut random(1)).unwrap();
    let pem = secrets.etcd_client().unwrap().certificate;
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Base64::decode_vec(&text).unwrap()
}
