//! Files and kernel arguments that people give.

use imgforge_spec::{folder_of_ours, is_path_in, plain_path, unfit_file, unfit_kernel_argument};

use super::{At, Context, Found, Rule};
use crate::{
    cluster::{ExtraFile, Family, Role, Runtime},
    docker,
    engine::Engine,
};

pub const RULES: &[Rule] = &[
    Rule::error("file-of-imgforge", "no file takes the place of one that imgforge writes", file_of_imgforge),
    Rule::error(
        "file-of-system",
        "no file takes the place of one that other settings are written to",
        file_of_system,
    ),
    Rule::error("file-twice", "no file is there twice", file_twice),
    Rule::error("file-mode", "a file's mode is octal digits", file_mode),
    Rule::error(
        "kernel-argument",
        "no kernel argument keeps the node from starting as it should",
        kernel_argument,
    ),
];

/// Where imgforge puts the files of a cluster's members, and kubeadm.
const OF_MEMBERS: [&str; 9] = [
    "/etc/containerd/certs.d",
    "/etc/containerd/config.toml",
    "/etc/crictl.yaml",
    "/etc/kubernetes",
    "/etc/sysctl.d/90-imgforge-ipv6.conf",
    "/etc/sysctl.d/90-imgforge-kubelet.conf",
    "/etc/systemd/system/containerd.service.d/20-imgforge-proxy.conf",
    "/etc/systemd/system/docker.service.d/20-imgforge-proxy.conf",
    "/etc/systemd/system/kubelet.service.d/20-imgforge-proxy.conf",
];

/// The same of k3s.
const OF_K3S: [&str; 4] = [
    "/etc/rancher",
    "/etc/sysctl.d/90-imgforge-ipv6.conf",
    "/etc/sysctl.d/90-imgforge-kubelet.conf",
    "/usr/local/bin/k3s",
];

/// A file where it stands in the cluster file, with a node that gets it.
pub(super) struct Placed<'a> {
    /// The setting: `nodes[1].files[0]`.
    pub setting: String,
    /// What stands there.
    pub file: &'a ExtraFile,
    at: At<'a>,
}

impl Placed<'_> {
    /// Whose file it is.
    pub fn hostname(&self) -> &str {
        &self.at.node.hostname
    }
}

/// The files of `at`, those of all nodes before its own.
fn of_node<'a>(context: &Context<'a>, at: At<'a>) -> impl Iterator<Item = Placed<'a>> + use<'a> {
    let common = context.cluster.files.iter().enumerate();
    let common = common.map(move |(index, file)| Placed { setting: format!("files[{index}]"), file, at });
    let own = at.node.files.iter().enumerate();
    common.chain(own.map(move |(index, file)| Placed {
        setting: at.path(format!("files[{index}]")),
        file,
        at,
    }))
}

/// What `judge` says of the files of each node; of those of all nodes once.
pub(super) fn judged<'a>(context: &Context<'a>, judge: impl Fn(&Placed<'a>) -> Option<Found>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for placed in context.nodes().flat_map(|at| of_node(context, at)) {
        if let Some(one) = judge(&placed).filter(|one| !found.iter().any(|other| other.path == one.path)) {
            found.push(one);
        }
    }
    found
}

fn file_of_imgforge(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    judged(context, |Placed { setting, file, at }| {
        let (of_member, of_runtime): (&[&str], &[&str]) = match (at.node.role, cluster.runtime_of(at.node)) {
            (Role::Base, _) => (&[], &[]),
            _ if cluster.engine == Engine::K3s => (&OF_K3S, &[]),
            (_, Runtime::Containerd) => (&OF_MEMBERS, &[]),
            (_, Runtime::Docker) => (&OF_MEMBERS, &docker::FILES),
        };
        let path = plain_path(&file.path);
        let mut of_cluster = of_member.iter().chain(of_runtime);
        let ours = folder_of_ours(&path).or(of_cluster.find(|ours| is_path_in(&path, ours)).copied())?;
        let owners = cluster.engine.name();
        let message = match file.path.len() == ours.len() {
            true => format!("`{}` is imgforge's or {owners}'s own", file.path),
            false => format!("`{}` is in {ours}, which is imgforge's or {owners}'s own", file.path),
        };
        Some(Found::new(format!("{setting}.path"), message).suggest(
            "take another place; `registries`, `proxy`, `kubeadm` and `kubelet` change what lies there",
        ))
    })
}

fn file_of_system(context: &Context<'_>) -> Vec<Found> {
    judged(context, |Placed { setting, file, .. }| {
        let (reason, instead) = unfit_file(&file.path)?;
        let found = Found::new(format!("{setting}.path"), reason);
        Some(match instead {
            Some(instead) => found.suggest(instead),
            None => found,
        })
    })
}

fn file_twice(context: &Context<'_>) -> Vec<Found> {
    judged(context, |placed| {
        let path = plain_path(&placed.file.path);
        let mut earlier = of_node(context, placed.at).take_while(|other| other.setting != placed.setting);
        let is_there = earlier.any(|other| plain_path(&other.file.path) == path);
        is_there.then(|| Found::new(format!("{}.path", placed.setting), format!("`{path}` is there twice")))
    })
}

fn file_mode(context: &Context<'_>) -> Vec<Found> {
    judged(context, |Placed { setting, file, .. }| {
        let mode = file.mode.as_deref().filter(|_| file.permissions().is_none())?;
        let message = format!("`{mode}` is no mode in octal digits, such as 0644");
        Some(Found::new(format!("{setting}.mode"), message))
    })
}

/// Control groups without which kubeadm's preflight ends.
const CONTROLLERS: [&str; 6] = ["cpu", "cpuset", "devices", "freezer", "memory", "pids"];

fn kernel_argument(context: &Context<'_>) -> Vec<Found> {
    let has_v6 = context.cluster.networking.pod_subnet.of(Family::V6).is_some();
    let mut found = Vec::new();
    for at in context.nodes() {
        let runs_pods = at.node.role != Role::Base;
        let needs_v2 = context.cluster.version_of(at.node).needs_cgroup_v2();
        let reason = |argument: &str| {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            unfit_kernel_argument(argument).or(match (name, value) {
                ("cgroup_disable", controllers)
                    if runs_pods && controllers.split(',').any(|one| CONTROLLERS.contains(&one)) =>
                {
                    Some("Kubernetes controls with it what pods take")
                }
                ("systemd.mask", unit)
                    if runs_pods
                        && ["kubelet", "containerd", "docker", "k3s", "imgforge"]
                            .iter()
                            .any(|ours| unit.starts_with(ours)) =>
                {
                    Some("without that service it is no node")
                }
                ("ipv6.disable" | "ipv6.disable_ipv6", "1") if runs_pods && has_v6 => {
                    Some("pods have addresses of IPv6")
                }
                ("systemd.unified_cgroup_hierarchy", value)
                    if runs_pods && needs_v2 && !matches!(value, "" | "1" | "yes" | "true" | "on") =>
                {
                    Some("kubelets since 1.35 want the second version of control groups")
                }
                _ => None,
            })
        };
        for (index, argument) in at.node.kernel_arguments.iter().enumerate() {
            let setting = at.path(format!("kernel-arguments[{index}]"));
            if let Some(reason) = reason(argument) {
                found.push(
                    Found::new(setting, format!("`{}`: {reason}", argument.escape_debug()))
                        .suggest("remove it"),
                );
            }
        }
    }
    found
}
