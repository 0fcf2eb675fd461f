//! Disks: where they are mounted, and what Kubernetes keeps on them.

use imgforge_spec::{is_absolute_path, is_path_in, plain_path};

use super::{At, Context, Found, Rule, files::judged};
use crate::{
    cluster::{Bind, Mount, Node, Role, Runtime},
    engine::{Engine, k3s},
    kubeadm::GoDuration,
};

pub const RULES: &[Rule] = &[
    Rule::error("path-form", "paths are absolute and do not climb", path_form),
    Rule::error("mount-hides-system", "no mount hides what the node is made of", mount_hides_system),
    Rule::error(
        "bind-without-mount",
        "what is bound elsewhere lands on a disk that is mounted",
        bind_without_mount,
    ),
    Rule::error("bind-shared", "no two folders are bound to one", bind_shared),
    Rule::error(
        "disk-file-system",
        "containers and etcd are on file systems that are good enough",
        disk_file_system,
    ),
    Rule::error("disk-options", "disks of containers and etcd are mounted so that these work", disk_options),
    Rule::error("optional-disk", "the disk of etcd's data is one that the node waits for", optional_disk),
    Rule::error(
        "backup-settings",
        "backups of etcd are as many, and as often, as a disk bears",
        backup_settings,
    ),
    Rule::notice("backups-on-card", "backups of etcd are not on the card that they are for", backups_on_card),
    Rule::error("disk-name", "a disk is called by a name that a disk can have", disk_name),
    Rule::notice("unstable-disk-name", "a disk has a name that stays", unstable_disk_name),
];

/// Folders without which a node does not start, or without what this image put there.
const SYSTEM: [&str; 18] = [
    "/",
    "/bin",
    "/boot",
    "/boot/firmware",
    "/dev",
    "/etc",
    "/lib",
    "/opt/cni/bin",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/sbin",
    "/var/lib/dpkg",
    "/var/lib/imgforge",
    "/var/lib/systemd",
];

/// Folders that are the kernel's or the package system's down to the last file.
const WHOLE: [&str; 6] = ["/boot", "/dev", "/proc", "/run", "/sys", "/usr/lib/systemd"];

/// Folders that Kubernetes writes to: whether it starts programs from there.
const WORK: [(&str, bool); 5] = [
    ("/var/lib/containerd", true),
    ("/var/lib/docker", true),
    ("/var/lib/etcd", false),
    ("/var/lib/kubelet", true),
    (k3s::DATA, true),
];

fn path_form(context: &Context<'_>) -> Vec<Found> {
    judged(context, |placed| {
        let path = &placed.file.path;
        let message = || format!("`{path}` must begin with / and not climb with ..");
        (!is_absolute_path(path)).then(|| Found::new(format!("{}.path", placed.setting), message()))
    })
}

/// What is mounted over, of disks and of binds.
fn targets<'a>(at: At<'a>) -> impl Iterator<Item = (String, String)> + use<'a> {
    let mounts = at.node.mounts.iter().enumerate();
    let binds = at.node.storage.iter().enumerate();
    let mounts = mounts.map(move |(i, mount)| {
        (at.path(format!("mounts[{i}].target")), plain_path(&mount.target.to_string()))
    });
    mounts.chain(
        binds.map(move |(i, bind)| {
            (at.path(format!("storage[{i}].path")), plain_path(&bind.path.to_string()))
        }),
    )
}

fn mount_hides_system(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, target) in context.nodes().flat_map(targets) {
        let hidden =
            SYSTEM.iter().find(|folder| **folder == "/" && target.is_empty() || is_path_in(folder, &target));
        let whole = WHOLE.iter().find(|folder| is_path_in(&target, folder));
        let message = match (hidden, whole) {
            (Some(_), _) if target.is_empty() => "the root file system is the image's own".to_owned(),
            (Some(folder), _) if **folder == target => {
                format!("{target} is what the node is made of, and would be hidden")
            }
            (Some(folder), _) => {
                format!("{target} would hide {folder}, without which the node does not start")
            }
            (None, Some(folder)) => format!("{folder} is the system's own, and nothing is mounted in it"),
            (None, None) => continue,
        };
        found.push(
            Found::new(path, message)
                .suggest("mount the disk below /mnt, and bind single folders to it with `storage`"),
        );
    }
    found
}

/// Where what is written to `path` really goes: binds are followed, though not in circles.
fn followed(node: &Node, path: &str) -> String {
    let mut path = path.to_owned();
    for _ in 0..node.storage.len() {
        let bind = node
            .storage
            .iter()
            .filter(|bind| is_path_in(&path, &plain_path(&bind.path.to_string())))
            .max_by_key(|bind| plain_path(&bind.path.to_string()).len());
        let Some(bind) = bind else { break };
        let rest = path.get(plain_path(&bind.path.to_string()).len()..).unwrap_or_default();
        path = plain_path(&bind.on.to_string()) + rest;
    }
    path
}

/// The disk on which what is written to `path` lands, with its place in the file; none: the card.
fn disk_of<'a>(node: &'a Node, path: &str) -> Option<(usize, &'a Mount)> {
    let path = followed(node, path);
    let mounts = node
        .mounts
        .iter()
        .enumerate()
        .filter(|(_, mount)| is_path_in(&path, &plain_path(&mount.target.to_string())));
    mounts.max_by_key(|(_, mount)| plain_path(&mount.target.to_string()).len())
}

fn bind_without_mount(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes() {
        for (index, bind) in at.node.storage.iter().enumerate() {
            if disk_of(at.node, &plain_path(&bind.on.to_string())).is_none() {
                let message = format!("{} is below no mount: {} would stay on the card", bind.on, bind.path);
                found.push(
                    Found::new(at.path(format!("storage[{index}].on")), message)
                        .suggest("name the disk under `mounts`, or correct the path"),
                );
            }
        }
    }
    found
}

fn bind_shared(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes() {
        let lands = |bind: &Bind| followed(at.node, &plain_path(&bind.path.to_string()));
        for (index, bind) in at.node.storage.iter().enumerate() {
            let mut earlier = at.node.storage.iter().take(index);
            found.extend(earlier.find(|other| lands(other) == lands(bind)).map(|other| {
                let message = format!("{} is bound there, too: both would write into one folder", other.path);
                Found::new(at.path(format!("storage[{index}].on")), message).suggest("give each its own")
            }));
        }
    }
    found
}

/// What Kubernetes keeps on the node's disks: the folder, or one in it that is elsewhere than the rest, whether programs are
/// started from it, and the disk.
fn work<'a>(context: &Context<'a>) -> Vec<(At<'a>, String, bool, usize, &'a Mount)> {
    let cluster = context.cluster;
    let mut all = Vec::new();
    for at in context.members() {
        let is_used = |folder: &str| match folder {
            k3s::DATA => cluster.engine == Engine::K3s,
            "/var/lib/containerd" | "/var/lib/etcd" if cluster.engine == Engine::K3s => false,
            "/var/lib/etcd" => at.node.role == Role::Master,
            "/var/lib/docker" => cluster.runtime_of(at.node) == Runtime::Docker,
            _ => true,
        };
        for (folder, starts_programs) in WORK.into_iter().filter(|(folder, _)| is_used(folder)) {
            let whole = disk_of(at.node, folder);
            let parts = targets(at).map(|(_, target)| target).filter(|target| is_path_in(target, folder));
            let parts = parts.filter_map(|part| Some((disk_of(at.node, &part)?, part)));
            let of_others = |(disk, part): &((usize, &Mount), String)| {
                part != folder && whole.is_none_or(|whole| whole.0 != disk.0)
            };
            let whole = whole.map(|disk| (disk, folder.to_owned()));
            for ((index, mount), path) in whole.into_iter().chain(parts.filter(of_others)) {
                all.push((at, path, starts_programs, index, mount));
            }
        }
    }
    all
}

/// Why containers or etcd cannot be on a file system of this type, if so.
fn unfit(kind: &str) -> Option<&'static str> {
    match kind {
        "vfat" | "msdos" | "fat" | "exfat" | "ntfs" | "ntfs3" | "ntfs-3g" | "hfs" | "hfsplus" => {
            Some("has no links, owners and permissions as Linux needs them")
        }
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "9p" | "ceph" | "glusterfs" | "sshfs" => {
            Some("is on another machine: overlays do not work there, and etcd loses data")
        }
        "tmpfs" | "ramfs" => Some("is memory: it is empty after each start"),
        "iso9660" | "udf" | "squashfs" | "erofs" | "cramfs" => Some("cannot be written to"),
        kind if kind.starts_with("fuse") => Some("has no overlays"),
        _ => None,
    }
}

fn disk_file_system(context: &Context<'_>) -> Vec<Found> {
    let bad = work(context).into_iter();
    let bad =
        bad.filter_map(|(at, folder, _, index, mount)| Some((at, folder, index, mount, unfit(&mount.kind)?)));
    bad.map(|(at, folder, index, mount, reason)| {
        let message = format!("{folder} lands on {}, and {} {reason}", mount.target, mount.kind);
        Found::new(at.path(format!("mounts[{index}].type")), message).suggest("make it ext4")
    })
    .collect()
}

/// The last of `names` among the options, which is the one that counts, unless it is the first of them.
fn last_but_first<'a>(options: &'a str, names: &[&str]) -> Option<&'a str> {
    let name = |option: &'a str| option.split('=').next().unwrap_or_default();
    let last = options.split(',').map(name).rfind(|name| names.contains(name))?;
    (names.first() != Some(&last)).then_some(last)
}

/// Options with which Kubernetes cannot work. `user` and its like imply `noexec`
/// (<https://manpages.debian.org/mount.8>).
fn disk_options(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (at, folder, starts_programs, index, mount) in work(context) {
        let last = |names: &[&str]| last_but_first(&mount.options, names);
        let noexec = last(&["exec", "noexec", "user", "users", "owner", "group"]).filter(|_| starts_programs);
        let noexec = noexec.map(|option| match option {
            "noexec" => "where `noexec` lets no program start".to_owned(),
            _ => format!("where `{option}` lets no program start, as it implies noexec"),
        });
        let read_only = last(&["rw", "ro"]).map(|_| "which `ro` makes read-only".to_owned());
        let not_mounted = last(&["auto", "noauto"]).map(|_| "which `noauto` leaves unmounted".to_owned());
        for what in [noexec, read_only, not_mounted].into_iter().flatten() {
            let message = format!("{folder} lands on {}, {what}", mount.target);
            found.push(
                Found::new(at.path(format!("mounts[{index}].options")), message)
                    .suggest("remove it, or put the opposite (`exec`, `rw`, `auto`) behind it"),
            );
        }
    }
    found
}

/// Without its disk, etcd would begin anew on the card.
fn optional_disk(context: &Context<'_>) -> Vec<Found> {
    let data = context.cluster.engine.data();
    let etcd = work(context).into_iter().filter(|(_, folder, ..)| is_path_in(folder, data));
    let optional = etcd.filter(|(.., mount)| !mount.required);
    optional
        .map(|(at, folder, _, index, mount)| {
            let message =
                format!("{folder} lands on {}, and the node starts without that disk", mount.target);
            Found::new(at.path(format!("mounts[{index}].required")), message)
                .suggest("remove `required: false`")
        })
        .collect()
}

/// Each has the size of the database; who looks whether one is due looks four times an hour.
fn backup_settings(context: &Context<'_>) -> Vec<Found> {
    let Some(backups) = context.cluster.backups else { return Vec::new() };
    let mut found = Vec::new();
    if backups.keep > 1000 {
        found.push(
            Found::new("backups.keep", "more than 1000 are not kept").suggest("write a number up to 1000"),
        );
    }
    if backups.every < GoDuration(3600) {
        found.push(
            Found::new("backups.every", "they are taken once an hour at most").suggest("write 1h or more"),
        );
    }
    found
}

fn backups_on_card(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let asked =
        context.nodes().filter(|at| cluster.backups.is_some() && cluster.backups_of(at.node).is_some());
    let data = cluster.engine.data();
    let on_card = asked.filter(|at| disk_of(at.node, data).is_none());
    on_card
        .map(|at| {
            let message = format!("{data} is on the card, and so are its backups: they die with it");
            Found::new(at.path("storage"), message)
                .suggest("give etcd a disk, or fetch them with `imgforge cluster backup`")
        })
        .collect()
}

/// Names that the kernel gives in the order in which it finds disks.
fn is_unstable(source: &str) -> bool {
    let Some(name) = source.strip_prefix("/dev/") else { return false };
    let letters = ["sd", "hd", "vd", "xvd"].iter().any(|kind| {
        name.strip_prefix(kind).is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_lowercase())
                && rest.bytes().all(|c| c.is_ascii_alphanumeric())
        })
    });
    let numbers = ["nvme", "mmcblk", "md", "dm-", "loop"].iter().any(|kind| {
        name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    letters || numbers
}

/// Names by which a disk is looked for, and forms of theirs: lengths, and whether the letters are capitals.
const NAMES: [(&str, &[(usize, bool)]); 2] = [
    // ext4, xfs, btrfs, f2fs and others; FAT; NTFS; ISO 9660.
    ("UUID", &[(36, false), (9, true), (16, true), (22, false)]),
    // Of a GPT's partition, and of an MBR's.
    ("PARTUUID", &[(36, false), (11, false)]),
];

/// File systems that lie on a disk.
const OF_DISKS: [&str; 14] = [
    "auto", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs", "ntfs", "ntfs3",
    "vfat", "xfs",
];

/// Why the source of `mount` is the name of no disk, if so, and what to do.
fn unfit_source(mount: &Mount) -> Option<(String, String)> {
    let (source, kind) = (&mount.source, mount.kind.to_ascii_lowercase());
    if !OF_DISKS.contains(&kind.as_str()) || source.starts_with('/') {
        return None;
    }
    if kind != mount.kind {
        return Some((format!("`{}` is no file system", mount.kind), format!("write `type: {kind}`")));
    }
    match source.split_once('=') {
        Some(("UUID" | "LABEL" | "PARTUUID" | "PARTLABEL" | "ID", name)) if !name.is_empty() => None,
        _ if source == "tmpfs" => Some(("a tmpfs is no disk".into(), "write `type: tmpfs`".into())),
        _ => {
            let message = format!("`{source}` is the name of no disk");
            Some((message, "write UUID=…, LABEL=… (`blkid` shows them) or /dev/disk/by-id/…".into()))
        }
    }
}

/// udev makes the names in /dev/disk of what is on the disk, letter by letter, and systemd waits for that name.
fn disk_name(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes() {
        for (index, mount) in at.node.mounts.iter().enumerate() {
            let setting = at.path(format!("mounts[{index}].source"));
            if let Some((message, instead)) = unfit_source(mount) {
                found.push(Found::new(setting, message).suggest(instead));
                continue;
            }
            let Some((kind, name)) = mount.source.split_once('=') else { continue };
            let Some((_, forms)) = NAMES.iter().find(|(known, _)| *known == kind) else { continue };
            let is_number = name.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
            let message = match forms.iter().find(|(length, _)| *length == name.len()) {
                Some((_, capitals)) if is_number => {
                    let right = if *capitals { name.to_ascii_uppercase() } else { name.to_ascii_lowercase() };
                    if right == name {
                        continue;
                    }
                    format!("no disk is called {name}; its name is {kind}={right}")
                }
                _ => format!("`{name}` is no {kind}, and no disk has it"),
            };
            found.push(Found::new(setting, message).suggest("`blkid` shows it"));
        }
    }
    found
}

fn unstable_disk_name(context: &Context<'_>) -> Vec<Found> {
    let mounts =
        context.nodes().flat_map(|at| at.node.mounts.iter().enumerate().map(move |mount| (at, mount)));
    let unstable = mounts.filter(|(_, (_, mount))| is_unstable(&mount.source));
    unstable
        .map(|(at, (index, mount))| {
            let message = format!("{} may be another disk after the next start", mount.source);
            let stable = if mount.format_if_blank {
                "`ls -l /dev/disk/by-id` shows a name that stays"
            } else {
                "`blkid` shows a name that stays: UUID=… or LABEL=…"
            };
            Found::new(at.path(format!("mounts[{index}].source")), message).suggest(stable)
        })
        .collect()
}
