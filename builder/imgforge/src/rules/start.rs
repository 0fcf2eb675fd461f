//! The system is started as it should be: by what the base tells its kernel, firmware and systemd, from no disk that may be
//! missing, and as one that has never run.

use imgforge_kube::{check::Found, engine::Engine, version::Version};
use imgforge_spec::unfit_kernel_argument;

use super::{Context, Rule};
use crate::image::survey::Mounted;

pub(crate) const RULES: &[Rule] = &[
    Rule::error("used-base", "the base is no card of a node that has run", used_base),
    Rule::error("base-command-line", "the base's own kernel arguments start a node", base_command_line),
    Rule::error(
        "moved-command-line",
        "the firmware reads the command line that is written",
        moved_command_line,
    ),
    Rule::error("default-target", "systemd starts what services belong to", default_target),
    Rule::notice(
        "base-waits-for-disk",
        "the base waits for no disk that may not be there",
        base_waits_for_disk,
    ),
    Rule::error("kernel-version", "kubeadm takes the base's kernel", kernel_version),
    Rule::notice(
        "time-servers-unread",
        "what sets the node's clock reads its time servers",
        time_servers_unread,
    ),
];

fn used_base(context: &Context<'_>) -> Vec<Found> {
    let is_planned = |path: &str| context.changes.iter().any(|entry| entry.path.to_string() == path);
    let mut traces = context.survey.traces.iter().filter(|path| !is_planned(path));
    let Some(first) = traces.next() else { return Vec::new() };
    let more = match traces.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let message = format!(
        "the base has run as a node before{more}: what is done is not done again, and it is still that node"
    );
    vec![
        Found::new(first.as_str(), message)
            .suggest("take the image as its vendor publishes it, or the one that was flashed"),
    ]
}

/// Words that the image itself decides, and so are right in it.
const OF_IMAGE: [&str; 3] = ["root", "rootfstype", "init"];

fn base_command_line(context: &Context<'_>) -> Vec<Found> {
    let own = &context.request.node.kernel_arguments;
    let reason = |word: &str| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match (name, value) {
            ("boot", "overlay") => Some("the node would forget at each start what it has become"),
            ("overlayroot", "" | "disabled") => None,
            ("systemd.unified_cgroup_hierarchy", "0" | "no" | "false" | "off") if wants_v2(context) => {
                Some("kubelets since 1.35 want the second version of control groups")
            }
            ("init", program)
                if ["/sh", "/bash", "/busybox"].iter().any(|shell| program.ends_with(shell)) =>
            {
                Some("another program than systemd would be started")
            }
            // Of one letter there are others than the kernel's in these files.
            _ if OF_IMAGE.contains(&name) || word.len() < 2 => None,
            _ => unfit_kernel_argument(word),
        }
    };
    let words = context.survey.boot.words.iter().filter(|(_, word)| !own.contains(word));
    let bad = words.filter_map(|(file, word)| Some((file, word, reason(word)?)));
    bad.map(|(file, word, reason)| {
        Found::new(file.as_str(), format!("`{word}`: {reason}"))
            .suggest("take the image as its vendor publishes it, or have an overlay remove the word")
    })
    .collect()
}

/// Whether the node's kubelet is of a release that wants the second version of control groups.
fn wants_v2(context: &Context<'_>) -> bool {
    let release = context.request.kubernetes.as_ref().map(|choice| choice.release.as_str());
    let minor = release.and_then(|release| release.split('.').nth(1)?.parse().ok());
    context.request.role.runs_kubernetes()
        && minor.is_some_and(|minor| Version::new(minor, 0).needs_cgroup_v2())
}

fn moved_command_line(context: &Context<'_>) -> Vec<Found> {
    let moved = context.survey.boot.moved.iter();
    moved
        .map(|line| {
            let message = format!(
                "with `{line}` the firmware does not read cmdline.txt, where the node's arguments are"
            );
            Found::new("boot:/config.txt", message).suggest("take an image without that line")
        })
        .collect()
}

fn default_target(context: &Context<'_>) -> Vec<Found> {
    let target = context.survey.boot.target.as_deref();
    let bad = target.filter(|target| matches!(*target, "rescue.target" | "emergency.target"));
    bad.map(|target| {
        Found::new("/etc/systemd/system/default.target", format!("{target} starts a shell and nothing else"))
            .suggest("take the image as its vendor publishes it")
    })
    .into_iter()
    .collect()
}

/// Where vendors' images have file systems of their own.
const OF_VENDOR: [&str; 4] = ["/boot", "/boot/efi", "/boot/firmware", "/efi"];

fn base_waits_for_disk(context: &Context<'_>) -> Vec<Found> {
    let node = &context.request.node;
    let is_own = |mounted: &Mounted| node.mounts.iter().any(|mount| mount.target == mounted.target);
    let waits = |mounted: &&Mounted| {
        let is_disk = mounted.source.starts_with("/dev/") || mounted.source.contains('=');
        let lets_go = mounted.options.split(',').any(|option| matches!(option, "nofail" | "noauto"));
        is_disk
            && !lets_go
            && !is_own(mounted)
            && !OF_VENDOR.iter().any(|path| mounted.target.to_string() == *path)
    };
    let found = context.survey.mounts.iter().filter(waits);
    found
        .map(|Mounted { source, target, .. }| {
            let message = format!(
                "the base wants {source} on {target}: without that disk the node stops in emergency mode"
            );
            Found::new("/etc/fstab", message)
                .suggest("attach it, or have an overlay remove the line and give the disk under `mounts`")
        })
        .collect()
}

/// kubeadm's preflight (`k8s.io/system-validators`) refuses kernels before 4.19.
const OLDEST: (u64, u64) = (4, 19);

fn kernel_version(context: &Context<'_>) -> Vec<Found> {
    let request = context.request;
    if !request.role.runs_kubernetes() || request.engine != Engine::Kubeadm {
        return Vec::new();
    }
    let version = |text: &str| {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let kernels = &context.survey.kernels;
    let is_old = |text: &str| version(text).is_some_and(|version| version < OLDEST);
    // Beside an old one there may be a newer, which is started.
    let old = kernels.last().filter(|_| kernels.iter().all(|kernel| is_old(&kernel.version)));
    let found = old.map(|kernel| {
        let message = format!("kubeadm refuses kernel {}: it wants 4.19 or newer", kernel.version);
        Found::new(format!("/lib/modules/{}", kernel.version), message)
            .suggest("take a newer base, or a newer kernel as a package")
    });
    found.into_iter().collect()
}

/// Where services that set the clock read their servers.
const CLOCKS: [(&str, &str); 3] = [
    ("systemd-timesyncd.service", "/etc/systemd/timesyncd.conf.d/"),
    ("chrony.service", "/etc/chrony/"),
    ("chronyd.service", "/etc/chrony/"),
];

fn time_servers_unread(context: &Context<'_>) -> Vec<Found> {
    let services = &context.survey.time_services;
    let is_written =
        |folder: &str| context.changes.iter().any(|entry| entry.path.to_string().starts_with(folder));
    let reads = |service: &&str| CLOCKS.iter().any(|(unit, folder)| unit == service && is_written(folder));
    if context.request.node.time_servers.is_empty() || services.is_empty() || services.iter().any(reads) {
        return Vec::new();
    }
    let message = format!("{} sets the clock, and the servers are not written for it", services.join(", "));
    vec![
        Found::new("time-servers", message)
            .suggest("write its own file under `files`, or have an overlay enable systemd-timesyncd.service"),
    ]
}

#[cfg(test)]
mod tests {
    use imgforge_spec::Role;

    use crate::rules::stand_in::{Node, file};

    #[test]
    fn time_servers_that_nobody_reads_are_told() {
        let node = Node::of("time-servers: [192.168.1.1]")
            .changing([file("/etc/systemd/timesyncd.conf.d/imgforge.conf")]);
        let found = |unit: &str| node.clone().enabling(unit).findings("time-servers-unread");
        assert!(found("chrony.service")[0].starts_with("time-servers: chrony.service sets the clock"));
        assert_eq!(found("ntpsec.service").len(), 1);
        assert!(found("systemd-timesyncd.service").is_empty());
        assert!(node.findings("time-servers-unread").is_empty());
    }

    #[test]
    fn the_card_of_a_node_is_no_base() {
        let node = Node::of("")
            .with("/var/lib/imgforge/stages/packages", "")
            .with("/etc/kubernetes/kubelet.conf", "");
        let found = node.findings("used-base");
        assert!(
            found[0].starts_with(
                "/var/lib/imgforge/stages/packages: the base has run as a node before (and 1 more)"
            ),
            "{found:?}"
        );
        // What is put there by the build is no trace.
        let planned = Node::of("")
            .with("/etc/kubernetes/admin.conf", "")
            .changing([file("/etc/kubernetes/admin.conf")]);
        assert!(planned.findings("used-base").is_empty());
    }

    #[test]
    fn words_of_the_base_that_start_no_node_are_told() {
        let found = |line: &str| Node::of("").with_boot("/cmdline.txt", line).findings("base-command-line");
        for word in
            ["systemd.unit=rescue.target", "init=/bin/bash", "single", "boot=overlay", "overlayroot=tmpfs"]
        {
            let all = found(&format!("root=PARTUUID=1-02 rootfstype=ext4 rootwait {word} quiet\n"));
            assert!(
                all.len() == 1 && all[0].starts_with(&format!("boot:/cmdline.txt: `{word}`: ")),
                "{all:?}"
            );
        }
        assert!(
            found("root=/dev/x init=/usr/lib/raspberrypi-sys-mods/firstboot overlayroot=disabled\n")
                .is_empty()
        );
        let armbian = Node::of("").with("/boot/armbianEnv.txt", "verbosity=1\nextraargs=init=/bin/sh\n");
        assert_eq!(armbian.findings("base-command-line").len(), 1);
    }

    #[test]
    fn a_firmware_that_reads_another_command_line_is_told() {
        let found =
            |config: &str| Node::of("").with_boot("/config.txt", config).findings("moved-command-line");
        assert!(
            found("[all]\nos_prefix=v6/\n")[0]
                .starts_with("boot:/config.txt: with `os_prefix=v6/` the firmware")
        );
        assert!(found("#cmdline=x\narm_64bit=1\n").is_empty());
    }

    #[test]
    fn a_system_that_starts_a_shell_is_told() {
        let path = "/etc/systemd/system/default.target";
        let node = |target: &str| Node::of("").with_link(path, &format!("/usr/lib/systemd/system/{target}"));
        assert_eq!(node("rescue.target").findings("default-target").len(), 1);
        assert!(node("multi-user.target").findings("default-target").is_empty());
    }

    #[test]
    fn a_disk_that_the_base_waits_for_is_told() {
        let fstab = "UUID=1 / ext4 defaults 0 1\nLABEL=BOOT /boot/firmware vfat defaults 0 2\ntmpfs /tmp tmpfs defaults 0 0\n\
                     UUID=2 /data ext4 defaults 0 2\nUUID=3 /more ext4 defaults,nofail 0 2\n/swapfile none swap sw 0 0\n";
        let node = Node::of("").with("/etc/fstab", fstab);
        assert_eq!(
            node.findings("base-waits-for-disk"),
            [
                "/etc/fstab: the base wants UUID=2 on /data: without that disk the node stops in emergency mode; \
              attach it, or have an overlay remove the line and give the disk under `mounts`"
            ]
        );
    }

    #[test]
    fn a_kernel_that_kubeadm_refuses_is_told() {
        let node = |version: &str| {
            Node::of("").with(&format!("/lib/modules/{version}/modules.dep"), "").in_role(Role::Worker)
        };
        for (version, refused) in [("4.4.213-sunxi", 1), ("3.10.0", 1), ("4.19.0-1", 0), ("6.12.1", 0)] {
            assert_eq!(node(version).findings("kernel-version").len(), refused, "{version}");
        }
        let beside = node("4.4.1").with("/lib/modules/6.12.1/modules.dep", "");
        assert!(beside.findings("kernel-version").is_empty());
        assert!(node("4.4.1").in_role(Role::Base).findings("kernel-version").is_empty());
    }
}
