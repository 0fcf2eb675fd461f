//! Options of etcd.

use super::{Flaw, Options};
use crate::performance::EtcdTiming;

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
