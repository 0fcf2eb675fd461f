//! What lies below the target of a mount is hidden once it is mounted, as if the image did not have it.

use imgforge_kube::check::Found;
use imgforge_spec::ImagePath;

use super::{Context, Rule};
use crate::image::{
    change::Volume,
    entry::{ChangeEntry, State},
    survey::Mounted,
};

pub(crate) const RULES: &[Rule] = &[
    Rule::error(
        "hidden-under-mount",
        "nothing that the image has and the node needs lies under a mount",
        hidden_under_mount,
    ),
    Rule::error(
        "gone-at-start",
        "nothing that the node needs lies where each start begins with nothing",
        gone_at_start,
    ),
];

/// What every start makes anew: the kernel's and systemd's own file systems, and what tmpfiles.d(5) empties.
const ANEW: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];

/// Where the node's own system lies: a disk that is mounted over it has another, or none.
const SYSTEM: [&str; 8] =
    ["/bin", "/dev", "/etc", "/lib", "/sbin", "/usr", "/var/lib/dpkg", "/var/lib/imgforge"];

fn hidden_under_mount(context: &Context<'_>) -> Vec<Found> {
    let found = |mounted: &Mounted| {
        let Mounted { source, target, real, .. } = mounted;
        let setting = setting(context, target);
        let hidden: Vec<&ChangeEntry> =
            context.changes.iter().filter(|entry| is_hidden(entry, real)).collect();
        let system = SYSTEM.iter().find(|path| is_below(path, real));
        let message = match (hidden.first(), system) {
            // The vendor's own mounts may be over what is the system's: they are made for each other.
            (None, Some(path)) if setting.is_some() => {
                format!(
                    "{source} would be mounted over {path} of the image, without which the node does not start"
                )
            }
            (None, _) => return None,
            (Some(first), _) => {
                let more = match hidden.len() - 1 {
                    0 => String::new(),
                    more => format!(", and {more} more,"),
                };
                format!(
                    "{} ({}){more} would be hidden once {source} is mounted on {target}",
                    first.path,
                    first.origins.join(", ")
                )
            }
        };
        let suggestion = "mount it deeper, where the image has only an empty directory";
        Some(Found::new(setting.unwrap_or_else(|| "/etc/fstab".to_owned()), message).suggest(suggestion))
    };
    context.survey.mounts.iter().filter_map(found).collect()
}

/// Links of the base lead there, such as /var/run, and homes of its services. What packages bring is their own matter.
fn gone_at_start(context: &Context<'_>) -> Vec<Found> {
    let found = |entry: &ChangeEntry| {
        let gone = |folder: &&str| ImagePath::new(*folder).is_ok_and(|folder| is_hidden(entry, &folder));
        let folder = ANEW.into_iter().find(gone)?;
        let origin = entry
            .origins
            .iter()
            .find(|origin| origin.starts_with("node ") || origin.starts_with("overlay "))?;
        let setting = match origin.strip_prefix("node ") {
            Some(setting @ ("files" | "users")) => setting.to_owned(),
            _ => entry.path.to_string(),
        };
        let message =
            format!("{} ({origin}) would be gone: each start begins with nothing in {folder}", entry.path);
        Some(Found::new(setting, message).suggest("put it where it stays"))
    };
    context.changes.iter().filter_map(found).collect()
}

/// Whether `entry` puts something below `target`. A directory is no loss: programs make those they need, and mount points
/// are made for what is mounted there.
fn is_hidden(entry: &ChangeEntry, target: &ImagePath) -> bool {
    let holds = !matches!(entry.state, State::Directory { .. } | State::Absent);
    entry.volume == Volume::Root && holds && entry.path.is_below(target)
}

fn is_below(path: &str, target: &ImagePath) -> bool {
    ImagePath::new(path).is_ok_and(|path| path.is_below(target))
}

/// The node's setting that mounts something on `target`.
fn setting(context: &Context<'_>, target: &ImagePath) -> Option<String> {
    let node = &context.request.node;
    let mount = node.mounts.iter().position(|mount| mount.target == *target);
    let bind = node.storage.iter().position(|bind| bind.path == *target);
    let mount = mount.map(|index| format!("mounts[{index}].target"));
    mount.or_else(|| bind.map(|index| format!("storage[{index}].path")))
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::{Node, link};

    const RULE: &str = "hidden-under-mount";

    #[test]
    fn a_mount_over_a_link_hides_what_is_behind_it() {
        let node = Node::of("storage: [{path: /home, on: /mnt/data/home}]")
            .with_link("/home", "var/home")
            .with("/etc/fstab", "/mnt/data/home /home none bind,nofail 0 0\n")
            .changing([link("/var/home/ops/.ssh/authorized_keys", "node users")]);
        assert!(node.findings(RULE)[0].starts_with("storage[0].path: /var/home/ops/.ssh/authorized_keys"));
    }

    #[test]
    fn what_lies_where_each_start_begins_anew_is_told() {
        let node = Node::of("{}").changing([
            link("/run/sshd/.ssh/authorized_keys", "node users"),
            link("/tmp/x", "node files"),
            link("/tmp/y", "package a"),
            link("/running", "node files"),
            link("/dev/x", "overlay mine"),
        ]);
        assert_eq!(
            node.findings("gone-at-start"),
            [
                "users: /run/sshd/.ssh/authorized_keys (node users) would be gone: each start begins with nothing in /run; \
                 put it where it stays",
                "files: /tmp/x (node files) would be gone: each start begins with nothing in /tmp; put it where it stays",
                "/dev/x: /dev/x (overlay mine) would be gone: each start begins with nothing in /dev; put it where it stays",
            ]
        );
    }

    #[test]
    fn a_key_under_a_mounted_home_is_told_with_both_names() {
        let node = Node::of("storage: [{path: /home, on: /mnt/data/home}]")
            .with("/etc/fstab", "/mnt/data/home /home none bind,nofail 0 0\n")
            .changing([
                link("/home/ops/.ssh/authorized_keys", "node users"),
                link("/home/ops/.bashrc", "node users"),
            ]);
        assert_eq!(
            node.findings(RULE),
            [
                "storage[0].path: /home/ops/.ssh/authorized_keys (node users), and 1 more, would be hidden once \
              /mnt/data/home is mounted on /home; mount it deeper, where the image has only an empty directory"
            ]
        );
    }

    #[test]
    fn what_lies_beside_a_mount_is_seen() {
        let node = Node::of("mounts: [{source: LABEL=x, target: /home/data}]")
            .with("/etc/fstab", "# /home\nUUID=1 / ext4 defaults 0 1\nLABEL=x /home/data ext4 nofail 0 2\n")
            .changing([link("/home/ops/.bashrc", "node users"), link("/home/database", "overlay x")]);
        assert!(node.findings(RULE).is_empty());
    }

    #[test]
    fn a_disk_over_the_package_database_is_told() {
        let node = Node::of("mounts: [{source: LABEL=x, target: /var}]")
            .with("/etc/fstab", "LABEL=x /var ext4 nofail 0 2\n");
        let found = node.findings(RULE);
        assert!(
            found[0].starts_with("mounts[0].target: LABEL=x would be mounted over /var/lib/dpkg"),
            "{found:?}"
        );
    }

    #[test]
    fn a_mount_of_the_vendors_hides_what_is_planned_there() {
        let fstab = "LABEL=boot /boot/firmware vfat defaults 0 2\n";
        let node = Node::of("").with("/etc/fstab", fstab).changing([link("/boot/firmware/x", "overlay x")]);
        let found = node.findings(RULE);
        assert!(
            found[0].starts_with("/etc/fstab: /boot/firmware/x (overlay x) would be hidden"),
            "{found:?}"
        );
        assert!(Node::of("").with("/etc/fstab", fstab).findings(RULE).is_empty());
    }

    #[test]
    fn who_knows_better_overrules_it() {
        let node = Node::of("allow: [hidden-under-mount]\nmounts: [{source: LABEL=x, target: /var}]")
            .with("/etc/fstab", "LABEL=x /var ext4 nofail 0 2\n");
        let found = node.findings(RULE);
        assert!(found[0].starts_with("mounts[0].target: overruled by `allow`: "), "{found:?}");
        assert!(!node.has_errors());
    }
}
