//! What the fields of a node's kubelet say together, those that imgforge writes and those that are passed on: a kubelet
//! ends at each of these. <https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/>

use serde_yaml::Value;

use super::{
    At, Context, Found, Rule,
    units::{nanoseconds, thousandths},
};
use crate::{board::BoardFacts, kubeadm::kubelet_configuration, member::Member};

pub const RULES: &[Rule] = &[
    Rule::error("kubelet-fields", "no field of a kubelet's forbids another", kubelet_fields),
    Rule::error(
        "kubelet-reserves",
        "what a kubelet keeps from pods is a part of what its board has",
        kubelet_reserves,
    ),
];

/// A field that others forbid, why, and what to do.
type Clash = (&'static str, String, &'static str);

/// What may not be together.
const CLASHES: [fn(&Configuration) -> Option<Clash>; 10] =
    [image_space, image_ages, shutdown, soft_evictions, enforcement, groups, pulls, preloaded, cpus, memory];

/// The configuration of one node's kubelet.
struct Configuration(Value);

impl Configuration {
    fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, field: &str, default: i64) -> i64 {
        self.0.get(field).and_then(Value::as_i64).unwrap_or(default)
    }

    /// Nanoseconds.
    fn time(&self, field: &str, default: i128) -> i128 {
        nanoseconds(self.text(field)).unwrap_or(default)
    }

    /// Thousandths of what `field` has of `resource`.
    fn kept(&self, field: &str, resource: &str) -> i128 {
        self.0.get(field).and_then(|kept| thousandths(kept.get(resource)?.as_str()?)).unwrap_or(0)
    }

    fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|value| !value.is_null())
    }
}

/// The nodes whose kubelets have fields that are passed on, with their boards.
fn configured<'a>(context: &Context<'a>) -> Vec<(At<'a>, BoardFacts, Configuration)> {
    let is_told = |at: &At<'_>| !context.cluster.kubelet.is_empty() || !at.node.kubelet.is_empty();
    let configuration = |at: At<'a>| {
        let member = Member::new(context.cluster, &at.node.hostname, context.boards).ok()?;
        Some((at, member.board, Configuration(kubelet_configuration(&member).ok()?)))
    };
    context.members().filter(is_told).filter_map(configuration).collect()
}

/// What `judge` says of each node's configuration, at the setting that the field stands in; of all nodes once.
fn judged(context: &Context<'_>, judge: impl Fn(&BoardFacts, &Configuration) -> Vec<Clash>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (at, board, configuration) in configured(context) {
        for (field, message, suggestion) in judge(&board, &configuration) {
            let own = at.node.kubelet.names().any(|name| name == field);
            let setting = if own { at.path("kubelet") } else { "kubelet".into() };
            let one = Found::new(format!("{setting}.{field}"), message).suggest(suggestion);
            if !found.iter().any(|other| other.path == one.path) {
                found.push(one);
            }
        }
    }
    found
}

fn kubelet_fields(context: &Context<'_>) -> Vec<Found> {
    judged(context, |_, configuration| CLASHES.iter().filter_map(|clash| clash(configuration)).collect())
}

fn image_space(configuration: &Configuration) -> Option<Clash> {
    let high = configuration.number("imageGCHighThresholdPercent", 85);
    let low = configuration.number("imageGCLowThresholdPercent", 80);
    let field = match configuration.has("imageGCHighThresholdPercent") {
        true => "imageGCHighThresholdPercent",
        false => "imageGCLowThresholdPercent",
    };
    let message = format!("images are removed from {high} % of the disk down to {low} %, which is no less");
    (low >= high).then_some((
        field,
        message,
        "give both: imageGCLowThresholdPercent below imageGCHighThresholdPercent",
    ))
}

fn image_ages(configuration: &Configuration) -> Option<Clash> {
    let most = configuration.time("imageMaximumGCAge", 0);
    let least = configuration.time("imageMinimumGCAge", nanoseconds("2m")?);
    let message =
        "images are too old before they are old enough to be removed (imageMinimumGCAge, 2m by itself)";
    (most > 0 && most <= least).then_some(("imageMaximumGCAge", message.into(), "make it longer"))
}

fn shutdown(configuration: &Configuration) -> Option<Clash> {
    let all = configuration.time("shutdownGracePeriod", 0);
    let critical = configuration.time("shutdownGracePeriodCriticalPods", 0);
    let message = "critical pods get more than all pods have together (shutdownGracePeriod)";
    (critical > all).then_some((
        "shutdownGracePeriodCriticalPods",
        message.into(),
        "make shutdownGracePeriod longer: critical pods get the end of it",
    ))
}

fn soft_evictions(configuration: &Configuration) -> Option<Clash> {
    let periods = configuration.0.get("evictionSoftGracePeriod");
    let soft = configuration.0.get("evictionSoft")?.as_mapping()?;
    let signal = soft.keys().filter_map(Value::as_str).find(|signal| {
        let period = periods.and_then(|periods| periods.get(*signal));
        period.is_none_or(Value::is_null)
    })?;
    let message = format!("`{signal}` has no time after which pods are stopped");
    Some(("evictionSoft", message, "give it in evictionSoftGracePeriod, such as 1m30s"))
}

fn enforcement(configuration: &Configuration) -> Option<Clash> {
    const FIELD: &str = "enforceNodeAllocatable";
    let told = configuration.0.get(FIELD).and_then(Value::as_sequence);
    let enforced: Vec<_> =
        told.map_or_else(|| vec!["pods"], |told| told.iter().filter_map(Value::as_str).collect());
    let without_group =
        [("system-reserved", "systemReservedCgroup"), ("kube-reserved", "kubeReservedCgroup")]
            .into_iter()
            .find(|(kind, group)| {
                enforced.iter().any(|one| one.starts_with(kind)) && configuration.text(group).is_empty()
            });
    if let Some((kind, group)) = without_group {
        return Some((
            FIELD,
            format!("`{kind}` has no control group"),
            match group {
                "systemReservedCgroup" => "give systemReservedCgroup, and make that group",
                _ => "give kubeReservedCgroup, and make that group",
            },
        ));
    }
    if enforced.contains(&"none") && enforced.len() > 1 {
        return Some((FIELD, "`none` stands beside others".into(), "keep one of them"));
    }
    let without_groups = configuration.0.get("cgroupsPerQOS").and_then(Value::as_bool) == Some(false);
    (without_groups && enforced != ["none"]).then_some((
        "cgroupsPerQOS",
        format!("without control groups of pods nothing keeps to {}", enforced.join(", ")),
        "remove it, or give `enforceNodeAllocatable: [none]`",
    ))
}

fn pulls(configuration: &Configuration) -> Option<Clash> {
    let in_turn = configuration.0.get("serializeImagePulls").and_then(Value::as_bool) == Some(true);
    (in_turn && configuration.number("maxParallelImagePulls", 1) > 1).then_some((
        "maxParallelImagePulls",
        "images are pulled one after the other (serializeImagePulls)".into(),
        "remove one of the two",
    ))
}

fn groups(configuration: &Configuration) -> Option<Clash> {
    let is_alone =
        !configuration.text("systemCgroups").is_empty() && configuration.text("cgroupRoot").is_empty();
    let message = "the group of the system's programs is below one that is not given";
    is_alone.then_some(("systemCgroups", message.into(), "give cgroupRoot, such as /"))
}

fn preloaded(configuration: &Configuration) -> Option<Clash> {
    const FIELD: &str = "preloadedImagesVerificationAllowlist";
    let list = configuration.0.get(FIELD).and_then(Value::as_sequence)?;
    let policy = configuration.text("imagePullCredentialsVerificationPolicy");
    let message = "the list is for another policy than imagePullCredentialsVerificationPolicy gives";
    (!list.is_empty() && policy != "NeverVerifyAllowlistedImages").then_some((
        FIELD,
        message.into(),
        "give `imagePullCredentialsVerificationPolicy: NeverVerifyAllowlistedImages`",
    ))
}

fn cpus(configuration: &Configuration) -> Option<Clash> {
    let kept = configuration.kept("kubeReserved", "cpu") + configuration.kept("systemReserved", "cpu");
    let is_static = configuration.text("cpuManagerPolicy") == "static";
    (is_static && kept == 0 && configuration.text("reservedSystemCPUs").is_empty()).then_some((
        "cpuManagerPolicy",
        "with `static` some of the cores must be kept from pods".into(),
        "give `kubeReserved: { cpu: '1' }` or reservedSystemCPUs",
    ))
}

fn memory(configuration: &Configuration) -> Option<Clash> {
    let is_static = configuration.text("memoryManagerPolicy") == "Static";
    (is_static && !configuration.has("reservedMemory")).then_some((
        "memoryManagerPolicy",
        "with `Static` the memory that is kept from pods is told for each NUMA node".into(),
        "give reservedMemory",
    ))
}

fn kubelet_reserves(context: &Context<'_>) -> Vec<Found> {
    judged(context, |board, configuration| {
        let mut found = tiny(configuration);
        found.extend(nothing_left(board, configuration).filter(|_| found.is_empty()));
        found
    })
}

/// Thousandths of a mebibyte.
const MEBIBYTE: i128 = 1000 << 20;

/// Amounts of bytes in which a unit was forgotten.
fn tiny(configuration: &Configuration) -> Vec<Clash> {
    let amounts = [
        ("kubeReserved", "memory"),
        ("kubeReserved", "ephemeral-storage"),
        ("systemReserved", "memory"),
        ("systemReserved", "ephemeral-storage"),
        ("evictionHard", "memory.available"),
        ("evictionHard", "nodefs.available"),
        ("evictionHard", "imagefs.available"),
        ("evictionSoft", "memory.available"),
    ];
    let tiny = |(field, resource): (&'static str, &str)| {
        let kept = configuration.kept(field, resource);
        let text = configuration.0.get(field)?.get(resource)?.as_str()?;
        let message = format!(
            "`{resource}: {text}` is less than a mebibyte: a number without a unit is in bytes, `m` thousandths of one"
        );
        (kept > 0 && kept < MEBIBYTE).then_some((field, message, "give it a unit, such as 512Mi"))
    };
    amounts.into_iter().filter_map(tiny).collect()
}

fn nothing_left(board: &BoardFacts, configuration: &Configuration) -> Option<Clash> {
    let has_memory = i128::from(board.memory) * MEBIBYTE;
    let threshold =
        configuration.0.get("evictionHard").and_then(|hard| hard.get("memory.available")?.as_str());
    let evicted = match threshold.and_then(|threshold| threshold.strip_suffix('%')) {
        Some(share) => {
            has_memory / 100 * share.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or(0)
        }
        None => configuration.kept("evictionHard", "memory.available"),
    };
    let of =
        |resource: &str| ["kubeReserved", "systemReserved"].map(|field| configuration.kept(field, resource));
    let memory = of("memory").iter().sum::<i128>() + evicted;
    let cores: i128 = of("cpu").iter().sum();
    let most = |resource: &str| match of(resource) {
        [kube, system] if kube >= system => "kubeReserved",
        _ => "systemReserved",
    };
    if memory >= has_memory {
        let field = if evicted * 2 > memory { "evictionHard" } else { most("memory") };
        let message = format!(
            "{} MiB of memory are kept from pods (kubeReserved, systemReserved, evictionHard), and the board has {}",
            memory / MEBIBYTE,
            board.memory
        );
        return Some((field, message, "keep less, or give the node's `memory` if it has more"));
    }
    let message =
        format!("{cores} thousandths of a core are kept from pods, and the board has {} cores", board.cores);
    (cores >= i128::from(board.cores) * 1000).then_some((most("cpu"), message, "keep less"))
}
