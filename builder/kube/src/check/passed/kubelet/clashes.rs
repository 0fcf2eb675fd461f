//! Fields that may not be together.

use serde_yaml::Value;

use super::{
    super::{
        texts::{FOR_HTTP2, OF_HTTP2},
        units::{nanoseconds, thousandths},
    },
    Clash, Configuration,
};

/// All of them.
pub(super) const ALL: [fn(&Configuration) -> Option<Clash>; 14] = [
    cipher_suites,
    image_space,
    image_ages,
    critical_pods,
    short_shutdown,
    soft_evictions,
    cgroup_of_enforced,
    enforced,
    cgroups,
    pulls,
    preloaded,
    cpus,
    cpu_options,
    memory,
];

/// The kubelet speaks HTTP/2, which wants one of these of TLS 1.2.
fn cipher_suites(kubelet: &Configuration) -> Option<Clash> {
    let suites = kubelet.texts("tlsCipherSuites");
    let is_tls_13 = kubelet.text("tlsMinVersion") == "VersionTLS13";
    let has_one = suites.iter().any(|suite| OF_HTTP2.contains(suite));
    (!suites.is_empty() && !is_tls_13 && !has_one).then(|| {
        Clash::new(
            &["tlsCipherSuites", "tlsMinVersion"],
            "HTTP/2 wants a cipher suite of AES_128_GCM_SHA256",
            FOR_HTTP2,
        )
    })
}

fn image_space(kubelet: &Configuration) -> Option<Clash> {
    let high = kubelet.number("imageGCHighThresholdPercent", 85);
    let low = kubelet.number("imageGCLowThresholdPercent", 80);
    (low >= high).then(|| {
        Clash::new(
            &["imageGCHighThresholdPercent", "imageGCLowThresholdPercent"],
            format!("images are removed from {high} % of the disk down to {low} %, which is no less"),
            "give both: imageGCLowThresholdPercent below imageGCHighThresholdPercent",
        )
    })
}

fn image_ages(kubelet: &Configuration) -> Option<Clash> {
    let most = kubelet.time("imageMaximumGCAge", 0);
    let least = kubelet.time("imageMinimumGCAge", nanoseconds("2m")?);
    (most > 0 && most <= least).then(|| {
        Clash::new(
            &["imageMaximumGCAge", "imageMinimumGCAge"],
            "images are too old before they are old enough to be removed (imageMinimumGCAge, 2m by itself)",
            "make imageMaximumGCAge longer",
        )
    })
}

fn critical_pods(kubelet: &Configuration) -> Option<Clash> {
    let all = kubelet.time("shutdownGracePeriod", 0);
    (kubelet.time("shutdownGracePeriodCriticalPods", 0) > all).then(|| {
        Clash::new(
            &["shutdownGracePeriodCriticalPods", "shutdownGracePeriod"],
            "critical pods get more than all pods have together (shutdownGracePeriod)",
            "make shutdownGracePeriod longer: critical pods get the end of it",
        )
    })
}

fn short_shutdown(kubelet: &Configuration) -> Option<Clash> {
    const FIELDS: [&str; 2] = ["shutdownGracePeriod", "shutdownGracePeriodCriticalPods"];
    let times = FIELDS.map(|field| kubelet.time(field, 0));
    if kubelet.get("shutdownGracePeriodByPodPriority").is_some() && times != [0, 0] {
        return Some(Clash::new(
            &["shutdownGracePeriodByPodPriority", "shutdownGracePeriod", "shutdownGracePeriodCriticalPods"],
            "pods are stopped by their priority, or in two groups (shutdownGracePeriod)",
            "remove one of the two",
        ));
    }
    let second = nanoseconds("1s")?;
    times.iter().any(|time| (1..second).contains(time)).then(|| {
        Clash::new(
            &["shutdownGracePeriod", "shutdownGracePeriodCriticalPods"],
            "pods get less than a second to end",
            "give a second at least, or 0s",
        )
    })
}

fn soft_evictions(kubelet: &Configuration) -> Option<Clash> {
    let periods = kubelet.get("evictionSoftGracePeriod");
    let soft = kubelet.get("evictionSoft")?.as_mapping()?;
    // The kubelet reads over these two shares.
    let is_read = |value: &Value| !matches!(value.as_str(), Some("0%" | "100%"));
    let mut signals =
        soft.iter().filter(|(_, value)| is_read(value)).filter_map(|(signal, _)| signal.as_str());
    let signal = signals.find(|signal| {
        let period = periods.and_then(|periods| periods.get(*signal));
        period.is_none_or(Value::is_null)
    })?;
    Some(Clash::new(
        &["evictionSoft", "evictionSoftGracePeriod"],
        format!("`{signal}` has no time after which pods are stopped"),
        "give it in evictionSoftGracePeriod, such as 1m30s",
    ))
}

/// What is kept from pods, by the kind that is enforced, with the field of its control group.
const KINDS: [(&str, &str); 2] =
    [("system-reserved", "systemReservedCgroup"), ("kube-reserved", "kubeReservedCgroup")];

fn cgroup_of_enforced(kubelet: &Configuration) -> Option<Clash> {
    let enforced = kubelet.texts("enforceNodeAllocatable");
    let (kind, group) = KINDS.into_iter().find(|(kind, group)| {
        enforced.iter().any(|one| one.starts_with(kind)) && kubelet.text(group).is_empty()
    })?;
    Some(Clash::new(
        &["enforceNodeAllocatable", "systemReservedCgroup", "kubeReservedCgroup"],
        format!("`{kind}` has no control group"),
        format!("give {group}, and make that group"),
    ))
}

fn enforced(kubelet: &Configuration) -> Option<Clash> {
    const FIELDS: &[&str] = &["enforceNodeAllocatable"];
    let told = kubelet.get("enforceNodeAllocatable");
    let enforced = if told.is_some() { kubelet.texts("enforceNodeAllocatable") } else { vec!["pods"] };
    if enforced.contains(&"none") && enforced.len() > 1 {
        return Some(Clash::new(FIELDS, "`none` stands beside others", "keep one of them"));
    }
    let is_twice = |one: &&&str| enforced.iter().filter(|other| other == one).count() > 1;
    if let Some(one) = enforced.iter().find(is_twice) {
        return Some(Clash::new(FIELDS, format!("`{one}` is there twice"), "remove one"));
    }
    let both = |kind: &str| enforced.contains(&kind) && enforced.contains(&&*format!("{kind}-compressible"));
    if let Some((kind, _)) = KINDS.into_iter().find(|(kind, _)| both(kind)) {
        let message = format!("`{kind}` and `{kind}-compressible` are one thing in two ways");
        return Some(Clash::new(FIELDS, message, "remove one"));
    }
    let is_kept = !enforced.is_empty() && enforced != ["none"];
    (is_kept && kubelet.switch("cgroupsPerQOS") == Some(false)).then(|| {
        Clash::new(
            &["cgroupsPerQOS", "enforceNodeAllocatable"],
            format!("without control groups of pods nothing keeps to {}", enforced.join(", ")),
            "remove it, or give `enforceNodeAllocatable: [none]`",
        )
    })
}

fn cgroups(kubelet: &Configuration) -> Option<Clash> {
    if !kubelet.text("systemCgroups").is_empty() && kubelet.text("cgroupRoot").is_empty() {
        return Some(Clash::new(
            &["systemCgroups"],
            "the group of the system's programs is below one that is not given",
            "give cgroupRoot, such as /",
        ));
    }
    let has_groups = KINDS.iter().any(|(_, group)| !kubelet.text(group).is_empty());
    (has_groups && !kubelet.text("reservedSystemCPUs").is_empty()).then(|| {
        Clash::new(
            &["reservedSystemCPUs", "systemReservedCgroup", "kubeReservedCgroup"],
            "cores are kept from pods by their numbers, or by control groups (systemReservedCgroup, kubeReservedCgroup)",
            "remove one of the two",
        )
    })
}

fn pulls(kubelet: &Configuration) -> Option<Clash> {
    let in_turn = kubelet.switch("serializeImagePulls") == Some(true);
    (in_turn && kubelet.number("maxParallelImagePulls", 1) > 1).then(|| {
        Clash::new(
            &["maxParallelImagePulls", "serializeImagePulls"],
            "images are pulled one after the other (serializeImagePulls), or several at once (maxParallelImagePulls)",
            "remove one of the two",
        )
    })
}

fn preloaded(kubelet: &Configuration) -> Option<Clash> {
    let is_listed = !kubelet.texts("preloadedImagesVerificationAllowlist").is_empty();
    let policy = kubelet.text("imagePullCredentialsVerificationPolicy");
    (is_listed && policy != "NeverVerifyAllowlistedImages").then(|| {
        Clash::new(
            &["preloadedImagesVerificationAllowlist", "imagePullCredentialsVerificationPolicy"],
            "the list is for another policy than imagePullCredentialsVerificationPolicy gives",
            "give `imagePullCredentialsVerificationPolicy: NeverVerifyAllowlistedImages`",
        )
    })
}

fn cpus(kubelet: &Configuration) -> Option<Clash> {
    let kept = kubelet.kept("kubeReserved", "cpu").saturating_add(kubelet.kept("systemReserved", "cpu"));
    let is_static = kubelet.text("cpuManagerPolicy") == "static";
    (is_static && kept == 0 && kubelet.text("reservedSystemCPUs").is_empty()).then(|| {
        Clash::new(
            &["cpuManagerPolicy", "kubeReserved", "systemReserved"],
            "with `static` some of the cores must be kept from pods",
            "give `kubeReserved: { cpu: '1' }` or reservedSystemCPUs",
        )
    })
}

fn cpu_options(kubelet: &Configuration) -> Option<Clash> {
    let options = kubelet.get("cpuManagerPolicyOptions").and_then(Value::as_mapping)?;
    (!options.is_empty() && kubelet.text("cpuManagerPolicy") != "static").then(|| {
        Clash::new(
            &["cpuManagerPolicyOptions", "cpuManagerPolicy"],
            "there are no options but those of the policy `static`",
            "give `cpuManagerPolicy: static`, or remove them",
        )
    })
}

/// The kubelet wants to hear what it keeps once more, by NUMA node.
fn memory(kubelet: &Configuration) -> Option<Clash> {
    if kubelet.text("memoryManagerPolicy") != "Static" {
        return None;
    }
    let kept = super::reserves::memory(kubelet);
    let nodes = kubelet.get("reservedMemory").and_then(Value::as_sequence);
    let of_node = |node: &Value| thousandths(node.get("limits")?.get("memory")?.as_str()?);
    let told = nodes.into_iter().flatten().filter_map(of_node).fold(0_i128, i128::saturating_add);
    (told != kept).then(|| {
        let bytes = kept / 1000;
        let suggestion = format!("give `reservedMemory: [{{ numaNode: 0, limits: {{ memory: '{bytes}' }} }}]`");
        Clash::new(
            &["memoryManagerPolicy", "reservedMemory", "kubeReserved", "systemReserved", "evictionHard"],
            format!("with `Static` reservedMemory is {bytes} bytes: kubeReserved, systemReserved and evictionHard together"),
            suggestion,
        )
    })
}
