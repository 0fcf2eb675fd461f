//! Files and kernel arguments that people give.

use imgforge_spec::unfit_kernel_argument;

use super::{
    Context, Found, Rule,
    storage::{is_in, plain},
};
use crate::{
    cluster::{Family, Role, Runtime},
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

/// Where imgforge puts its own files on every node.
const OURS: [&str; 3] = ["/etc/imgforge", "/usr/lib/imgforge", "/var/lib/imgforge"];

/// Where it puts those of a cluster's members, and kubeadm.
const OF_MEMBERS: [&str; 8] = [
    "/etc/containerd/certs.d",
    "/etc/containerd/config.toml",
    "/etc/crictl.yaml",
    "/etc/kubernetes",
    "/etc/sysctl.d/90-imgforge-ipv6.conf",
    "/etc/systemd/system/containerd.service.d/20-imgforge-proxy.conf",
    "/etc/systemd/system/docker.service.d/20-imgforge-proxy.conf",
    "/etc/systemd/system/kubelet.service.d/20-imgforge-proxy.conf",
];

/// The same of k3s.
const OF_K3S: [&str; 3] = ["/etc/rancher", "/etc/sysctl.d/90-imgforge-ipv6.conf", "/usr/local/bin/k3s"];

/// Files of the system, or folders, and what to do instead of replacing them.
const SYSTEM: [(&str, &str); 22] = [
    ("/etc/fstab", "give the disks under `mounts`"),
    ("/etc/passwd", PEOPLE),
    ("/etc/shadow", PEOPLE),
    ("/etc/group", PEOPLE),
    ("/etc/gshadow", PEOPLE),
    ("/etc/subuid", PEOPLE),
    ("/etc/subgid", PEOPLE),
    ("/etc/sudoers", "give a user `sudo: true`, or a file in /etc/sudoers.d"),
    ("/etc/hostname", "give `hostname`"),
    ("/etc/hosts", "imgforge writes it; names of the network belong into its name server"),
    ("/etc/machine-id", "the node makes its own at the first start"),
    ("/etc/os-release", "it says which system this is"),
    ("/etc/modules-load.d/imgforge.conf", "give a file of another name there"),
    ("/usr/lib/os-release", "it says which system this is"),
    ("/var/lib/dpkg", "give `packages`"),
    ("/boot/firmware/cmdline.txt", "give `kernel-arguments`"),
    ("/boot/cmdline.txt", "give `kernel-arguments`"),
    ("/boot/armbianEnv.txt", "give `kernel-arguments`"),
    ("/proc", KERNEL),
    ("/sys", "give a file in /etc/sysctl.d or /etc/tmpfiles.d that sets it"),
    ("/dev", KERNEL),
    ("/run", "give a file in /etc/tmpfiles.d that makes it"),
];

const PEOPLE: &str = "give people under `users`";
const KERNEL: &str = "the kernel makes what is in there";

fn file_of_imgforge(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes() {
        let cluster = context.cluster;
        let (of_member, of_runtime): (&[&str], &[&str]) = match (at.node.role, cluster.runtime_of(at.node)) {
            (Role::Base, _) => (&[], &[]),
            _ if cluster.engine == Engine::K3s => (&OF_K3S, &[]),
            (_, Runtime::Containerd) => (&OF_MEMBERS, &[]),
            (_, Runtime::Docker) => (&OF_MEMBERS, &docker::FILES),
        };
        for (index, file) in at.node.files.iter().enumerate() {
            let mut ours = OURS.iter().chain(of_member).chain(of_runtime);
            if let Some(ours) = ours.find(|ours| is_in(&plain(&file.path), ours)) {
                let message = match file.path.len() == ours.len() {
                    true => format!("`{}` is imgforge's or {}'s own", file.path, cluster.engine.name()),
                    false => format!(
                        "`{}` is in {ours}, which is imgforge's or {}'s own",
                        file.path,
                        cluster.engine.name()
                    ),
                };
                found.push(
                    Found::new(at.path(format!("files[{index}].path")), message)
                        .suggest("take another place; `registries`, `proxy`, `kubeadm` and `kubelet` change what lies there"),
                );
            }
        }
    }
    found
}

fn file_of_system(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes() {
        for (index, file) in at.node.files.iter().enumerate() {
            let path = plain(&file.path);
            let setting = at.path(format!("files[{index}].path"));
            // The boot partition tells no case apart.
            let is_taken = |system: &str| {
                is_in(&path, system) || (system.starts_with("/boot/") && path.eq_ignore_ascii_case(system))
            };
            if let Some((system, instead)) = SYSTEM.iter().find(|(system, _)| is_taken(system)) {
                let message = match path.len() == system.len() {
                    true => format!("`{}` would be replaced whole", file.path),
                    false => format!("`{}` is in {system}, which is the system's own", file.path),
                };
                found.push(Found::new(setting, message).suggest(*instead));
            } else if SYSTEM.iter().any(|(system, _)| is_in(system, &path)) {
                found.push(Found::new(setting, format!("`{}` is a folder of the system", file.path)));
            }
        }
    }
    found
}

fn file_twice(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes() {
        let paths: Vec<String> = at.node.files.iter().map(|file| plain(&file.path)).collect();
        for (index, path) in paths.iter().enumerate() {
            if paths.iter().take(index).any(|other| other == path) {
                let message = format!("`{path}` is there twice");
                found.push(Found::new(at.path(format!("files[{index}].path")), message));
            }
        }
    }
    found
}

fn file_mode(context: &Context<'_>) -> Vec<Found> {
    let files = context.nodes().flat_map(|at| at.node.files.iter().enumerate().map(move |file| (at, file)));
    let bad = files.filter(|(_, (_, file))| file.permissions().is_none());
    bad.map(|(at, (index, file))| {
        let message = format!("`{}` is no mode in octal digits, such as 0644", file.mode);
        Found::new(at.path(format!("files[{index}].mode")), message)
    })
    .collect()
}

fn kernel_argument(context: &Context<'_>) -> Vec<Found> {
    let has_v6 = context.cluster.networking.pod_subnet.of(Family::V6).is_some();
    let mut found = Vec::new();
    for at in context.nodes() {
        let runs_pods = at.node.role != Role::Base;
        let needs_v2 = context.cluster.version_of(at.node).needs_cgroup_v2();
        let reason = |argument: &str| {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            unfit_kernel_argument(argument).or(match (name, value) {
                ("cgroup_disable", controllers) if runs_pods && controllers.contains("memory") => {
                    Some("Kubernetes controls the memory of pods")
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
