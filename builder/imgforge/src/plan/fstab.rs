//! Mounts: lines added to the vendor's `/etc/fstab`, with the directories they are mounted on.
//!
//! Every line is `nofail`: a node whose disk or share is missing still boots, can be logged into and says what is wrong. Nothing
//! is written to the card in the disk's place, because the storage stage of first boot holds back what would.

use imgforge_spec::{Bind, ImagePath, Medium, Mount};

use super::{Draft, Error};
use crate::{
    image::change::{Origin, Volume},
    target::node::Node,
};

/// Adds the node's mounts to fstab and makes their mount points.
pub(crate) fn add_mounts(draft: &mut Draft<'_>, node: &Node) -> Result<(), Error> {
    if node.mounts.is_empty() && node.storage.is_empty() {
        return Ok(());
    }
    let path = draft.edited(Volume::Root, &ImagePath::new("/etc/fstab")?)?;
    let vendors = draft.read_text(Volume::Root, &path)?.unwrap_or_default();
    check_free(&vendors, node)?;
    let mut fstab = vendors;
    if !fstab.is_empty() && !fstab.ends_with('\n') {
        fstab.push('\n');
    }
    for mount in &node.mounts {
        fstab.push_str(&mount_line(mount));
        draft.ensure_directory(&mount.target, Origin::Node("mounts"))?;
    }
    for bind in &node.storage {
        fstab.push_str(&bind_line(bind, &node.mounts));
        draft.ensure_directory(&bind.path, Origin::Node("storage"))?;
    }
    let origin = if node.mounts.is_empty() { Origin::Node("storage") } else { Origin::Node("mounts") };
    draft.write(Volume::Root, &path, fstab, None, origin)
}

fn check_free(fstab: &str, node: &Node) -> Result<(), Error> {
    let taken = |target: &ImagePath| {
        let target = escape(target);
        let mut lines = fstab.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.any(|line| line.split_whitespace().nth(1) == Some(&target))
    };
    let disks = node.mounts.iter().enumerate();
    let disks = disks.map(|(index, mount)| (format!("mounts[{index}].target"), &mount.target));
    let binds = node.storage.iter().enumerate();
    let binds = binds.map(|(index, bind)| (format!("storage[{index}].path"), &bind.path));
    match disks.chain(binds).find(|(_, target)| taken(target)) {
        None => Ok(()),
        Some((setting, target)) => {
            let message = format!("the base's own /etc/fstab already mounts something on {target}");
            Err(Error::clash(setting, message))
        }
    }
}

fn mount_line(mount: &Mount) -> String {
    // 30 s instead of systemd's 90: a USB enclosure that has not answered by then is off.
    let mut ours = match mount.medium() {
        Medium::Disk => vec!["nofail", "x-systemd.device-timeout=30s"],
        Medium::Network => vec![NETWORK, "nofail"],
        Medium::Memory => vec!["nofail"],
    };
    // systemd-makefs(8) looks for signatures first, and leaves a disk with any alone.
    ours.extend(mount.format_if_blank.then_some("x-systemd.makefs"));
    let options = with_options(&mount.options, &ours);
    let pass = if matches!(mount.kind.as_str(), "ext2" | "ext3" | "ext4" | "vfat") { 2 } else { 0 };
    format!("{} {} {} {options} 0 {pass}\n", mount.source, escape(&mount.target), mount.kind)
}

/// Has systemd await the network before it mounts, and unmount before the network goes (systemd.mount(5)).
const NETWORK: &str = "_netdev";

/// What lies on a share is bound when that is there.
fn bind_line(bind: &Bind, mounts: &[Mount]) -> String {
    let below = mounts.iter().filter(|mount| bind.on.is_below(&mount.target));
    let nearest = below.max_by_key(|mount| mount.target.as_bytes().len());
    let on_share = nearest.is_some_and(|mount| mount.medium() == Medium::Network);
    let options = if on_share { with_options("bind", &[NETWORK, "nofail"]) } else { "bind,nofail".into() };
    format!("{} {} none {options} 0 0\n", escape(&bind.on), escape(&bind.path))
}

/// `options` and those of `more` whose key is not among them.
fn with_options(options: &str, more: &[&str]) -> String {
    let key = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
    let mut all: Vec<&str> = options.split(',').collect();
    for option in more {
        if !all.iter().any(|given| key(given) == key(option)) {
            all.push(option);
        }
    }
    all.join(",")
}

/// A path as fstab(5) writes it: white space and backslashes in octal.
fn escape(path: &ImagePath) -> String {
    let escape_char = |c: char| match c {
        ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", c as u32),
        c => c.to_string(),
    };
    String::from_utf8_lossy(path.as_bytes()).chars().map(escape_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_missing_never_stops_the_boot() {
        let mount = Mount {
            source: "UUID=655a39e8-9a5d-45f3-ae14-73b4c5ed50c3".into(),
            target: ImagePath::new("/mnt/root").unwrap(),
            kind: "ext4".into(),
            options: "defaults,rw".into(),
            required: true,
            format_if_blank: false,
        };
        assert_eq!(
            mount_line(&mount),
            "UUID=655a39e8-9a5d-45f3-ae14-73b4c5ed50c3 /mnt/root ext4 \
             defaults,rw,nofail,x-systemd.device-timeout=30s 0 2\n"
        );
        let blank = Mount { source: "/dev/disk/by-id/usb-1".into(), format_if_blank: true, ..mount };
        assert_eq!(
            mount_line(&blank),
            "/dev/disk/by-id/usb-1 /mnt/root ext4 \
             defaults,rw,nofail,x-systemd.device-timeout=30s,x-systemd.makefs 0 2\n"
        );
    }

    #[test]
    fn a_share_waits_for_the_network_and_memory_for_nothing() {
        let mount = |source: &str, kind: &str, options: &str| Mount {
            source: source.into(),
            target: ImagePath::new("/mnt/nas").unwrap(),
            kind: kind.into(),
            options: options.into(),
            required: true,
            format_if_blank: false,
        };
        let nas = mount("nas:/k8s", "nfs", "defaults");
        assert_eq!(mount_line(&nas), "nas:/k8s /mnt/nas nfs defaults,_netdev,nofail 0 0\n");
        assert_eq!(
            mount_line(&mount("//nas/k8s", "cifs", "_netdev,credentials=/etc/nas")),
            "//nas/k8s /mnt/nas cifs _netdev,credentials=/etc/nas,nofail 0 0\n"
        );
        assert_eq!(
            mount_line(&mount("tmpfs", "tmpfs", "size=64m")),
            "tmpfs /mnt/nas tmpfs size=64m,nofail 0 0\n"
        );
        let bind =
            Bind { path: ImagePath::new("/srv").unwrap(), on: ImagePath::new("/mnt/nas/srv").unwrap() };
        assert_eq!(bind_line(&bind, &[nas]), "/mnt/nas/srv /srv none bind,_netdev,nofail 0 0\n");
    }

    #[test]
    fn options_a_person_gave_stay() {
        assert_eq!(
            with_options("x-systemd.device-timeout=5s", &["x-systemd.device-timeout=30s"]),
            "x-systemd.device-timeout=5s"
        );
    }

    #[test]
    fn bind_mounts_are_pairs() {
        let bind = Bind {
            path: ImagePath::new("/var/lib/etcd").unwrap(),
            on: ImagePath::new("/mnt/root/var/lib/etcd").unwrap(),
        };
        assert_eq!(bind_line(&bind, &[]), "/mnt/root/var/lib/etcd /var/lib/etcd none bind,nofail 0 0\n");
    }

    #[test]
    fn white_space_is_written_in_octal() {
        assert_eq!(escape(&ImagePath::new("/mnt/my disk").unwrap()), "/mnt/my\\040disk");
    }
}
