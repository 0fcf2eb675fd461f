//! Options of etcd.

use super::{Flaw, Options};
use crate::{engine::Engine, performance::EtcdTiming, version::Version};

/// <https://etcd.io/docs/latest/tuning/>: etcd takes no others. `ours` is what imgforge gives.
pub(super) fn timing(told: &Options, ours: EtcdTiming) -> Option<Flaw> {
    let option =
        ["heartbeat-interval", "election-timeout"].into_iter().find(|name| told.contains_key(*name))?;
    let time = |name: &str, ours: u32| match told.get(name) {
        Some(text) => text.parse().ok(),
        None => Some(u64::from(ours)),
    };
    let heartbeat: u64 = time("heartbeat-interval", ours.heartbeat)?;
    let election: u64 = time("election-timeout", ours.election)?;
    let message = if heartbeat == 0 || heartbeat.saturating_mul(5) > election {
        format!(
            "five signs of life ({heartbeat} ms) take longer than until an election ({election} ms): etcd ends"
        )
    } else if election > 50_000 {
        format!("an election after {election} ms is later than etcd lets it be, 50000")
    } else {
        return None;
    };
    let suggestion = "give both: election-timeout ten times heartbeat-interval, and at most 50000";
    Some(Flaw::new(option, message, suggestion))
}

/// Of TLS 1.3 nobody chooses cipher suites.
pub(super) fn tls(told: &Options) -> Option<Flaw> {
    let least = told.get("tls-min-version").map(String::as_str)?;
    let most = told.get("tls-max-version").map(String::as_str);
    if least == "TLS1.3" && most == Some("TLS1.2") {
        let message = "no version is from TLS1.3 to TLS1.2: etcd ends";
        return Some(Flaw::new("tls-max-version", message, "remove one of the two"));
    }
    (least == "TLS1.3" && told.contains_key("cipher-suites")).then(|| {
        let message = "cipher suites are of TLS 1.2, which `tls-min-version` keeps out: etcd ends";
        Flaw::new("cipher-suites", message, "remove one of the two")
    })
}

/// Options that etcd 3.6 has gates for.
const GATES: [(&str, &str); 6] = [
    ("experimental-compact-hash-check-enabled", "CompactHashCheck"),
    ("experimental-enable-lease-checkpoint", "LeaseCheckpoint"),
    ("experimental-enable-lease-checkpoint-persist", "LeaseCheckpointPersist"),
    ("experimental-initial-corrupt-check", "InitialCorruptCheck"),
    ("experimental-stop-grpc-service-on-defrag", "StopGRPCServiceOnDefrag"),
    ("experimental-txn-mode-write-with-shared-buffer", "TxnModeWriteWithSharedBuffer"),
];

/// What kubeadm gives where nobody gives gates, since it brings etcd 3.6.
const GIVEN: &str = "InitialCorruptCheck=true";

/// etcd takes an option, or the gate that took its place.
pub(super) fn gates(told: &Options, engine: Engine, version: Version) -> Option<Flaw> {
    let is_given = engine == Engine::Kubeadm && version.minor >= 34;
    let given = if is_given { GIVEN } else { "" };
    let gates = told.get("feature-gates").map_or(given, String::as_str);
    // A part of a name is enough for etcd.
    let (option, gate) =
        GATES.into_iter().find(|(option, gate)| told.contains_key(*option) && gates.contains(gate))?;
    let message =
        format!("it stands beside the gate {gate}, which kubeadm or `feature-gates` gives: etcd ends");
    Some(Flaw::new(option, message, "remove it, and say it by `feature-gates`"))
}
