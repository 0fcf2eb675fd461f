//! Disks of a node, shares of others, and what is kept on them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ImagePath, Invalid, host_of};

/// A disk or share to mount: a line of fstab.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    /// The file system: `UUID=…`, `LABEL=…`, `PARTUUID=…`, or a device; a share, `nas:/folder` or `//nas/share`; `tmpfs`. What puts
    /// `/dev/md0` or `/dev/vg/data` together (`mdadm`, `lvm2`) comes along.
    pub source: String,
    /// Where it is mounted.
    pub target: ImagePath,
    /// File system type. The package that a share needs (`nfs-common`, `cifs-utils`) comes along.
    #[serde(default = "default_type", rename = "type")]
    pub kind: String,
    /// Mount options.
    #[serde(default = "default_options")]
    pub options: String,
    /// Whether the node must not start its work without it.
    #[serde(default = "default_required")]
    pub required: bool,
    /// Whether the node makes the file system itself the first time, on a disk that holds nothing: no file system, no
    /// partition table, no RAID. Such a disk has no UUID or label yet, so `source` is a path in `/dev`.
    #[serde(default)]
    pub format_if_blank: bool,
}

/// A directory that lives elsewhere: a bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bind {
    /// The path programs use: `/var/lib/etcd`.
    pub path: ImagePath,
    /// Where it really is, usually below a mount: `/mnt/root/var/lib/etcd`.
    pub on: ImagePath,
}

fn default_type() -> String {
    "ext4".into()
}

fn default_options() -> String {
    "defaults".into()
}

fn default_required() -> bool {
    true
}

/// What a file system lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A disk of the node's own.
    Disk,
    /// Another machine.
    Network,
    /// Memory: it is empty after each start.
    Memory,
}

/// What puts several disks together as one, or parts of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The kernel's RAID, md(4).
    Raid,
    /// Logical volumes, lvm(8).
    Volumes,
}

impl Layer {
    /// The Debian package whose rules put it together when the disks are there.
    pub fn package(self) -> &'static str {
        match self {
            Layer::Raid => "mdadm",
            Layer::Volumes => "lvm2",
        }
    }
}

/// File systems that lie on no disk of the node's own, with the Debian package that mounts them where the kernel alone does
/// not. Those of the network are systemd's (`fstype_is_network`); `fuse.` may stand before any.
const KINDS: [(&str, Medium, Option<&str>); 13] = [
    ("9p", Medium::Network, None),
    ("afs", Medium::Network, None),
    ("ceph", Medium::Network, Some("ceph-common")),
    ("cifs", Medium::Network, Some("cifs-utils")),
    ("davfs", Medium::Network, Some("davfs2")),
    ("glusterfs", Medium::Network, Some("glusterfs-client")),
    ("nfs", Medium::Network, Some("nfs-common")),
    ("nfs4", Medium::Network, Some("nfs-common")),
    ("ntfs-3g", Medium::Disk, Some("ntfs-3g")),
    ("ramfs", Medium::Memory, None),
    ("smb3", Medium::Network, Some("cifs-utils")),
    ("sshfs", Medium::Network, Some("sshfs")),
    ("tmpfs", Medium::Memory, None),
];

impl Mount {
    fn known(&self) -> Option<(Medium, Option<&'static str>)> {
        let plain = self.kind.strip_prefix("fuse.").unwrap_or(&self.kind);
        KINDS.iter().find(|(kind, ..)| *kind == plain).map(|(_, medium, package)| (*medium, *package))
    }

    /// What it lies on.
    pub fn medium(&self) -> Medium {
        self.known().map_or(Medium::Disk, |(medium, _)| medium)
    }

    /// The machine whose share it is, by its name or address.
    pub fn host(&self) -> Option<&str> {
        if self.medium() != Medium::Network {
            return None;
        }
        let host = if self.source.contains("://") {
            host_of(&self.source)
        } else if let Some(of_windows) = self.source.strip_prefix("//") {
            of_windows.split('/').next()
        } else {
            let source = self.source.rsplit_once('@').map_or(&*self.source, |(_, place)| place);
            match source.strip_prefix('[') {
                Some(rest) => rest.split(']').next(),
                None => source.split(':').next(),
            }
        };
        host.filter(|host| !host.is_empty())
    }

    /// The Debian package that it cannot be mounted without, if there is one.
    pub fn package(&self) -> Option<&'static str> {
        match self.layer() {
            Some(layer) => Some(layer.package()),
            None => self.known().and_then(|(_, package)| package),
        }
    }

    /// What puts the disk together before it can be mounted, as far as its name says so.
    pub fn layer(&self) -> Option<Layer> {
        let name = self.source.strip_prefix("/dev/")?;
        let mapped = name.strip_prefix("mapper/").or_else(|| name.strip_prefix("disk/by-id/dm-name-"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        if name.starts_with("md/")
            || name.starts_with("disk/by-id/md-")
            || name.strip_prefix("md").is_some_and(is_number)
        {
            return Some(Layer::Raid);
        }
        // A mapping without a hyphen may be an opened encryption, which has its own settings.
        let is_volume = mapped.is_some_and(|mapped| mapped.contains('-'));
        let of_folder = name
            .split_once('/')
            .filter(|(_, name)| !name.contains('/'))
            .filter(|(folder, _)| !["disk", "mapper", "block"].contains(folder));
        (is_volume || of_folder.is_some()).then_some(Layer::Volumes)
    }

    /// What is wrong with the source of a share, and with that of a disk which is one.
    fn check_source(&self) -> Result<(), String> {
        let source = self.source.as_str();
        let of_windows = source.starts_with("//");
        let of_unix = source.contains(":/") && !source.starts_with('/');
        match self.kind.as_str() {
            "nfs" | "nfs4" if !of_unix => Err(format!("`{source}` is no share of NFS: HOST:/FOLDER")),
            "cifs" | "smb3" if !of_windows => Err(format!("`{source}` is no share of SMB: //HOST/SHARE")),
            kind if self.medium() == Medium::Disk && (of_windows || of_unix) => {
                let right = if of_windows { "cifs" } else { "nfs" };
                Err(format!("`{source}` is a share and no disk with {kind}: give `type: {right}`"))
            }
            _ => Ok(()),
        }
    }

    /// Whether every value can stand in fstab; an error names the setting of the mount.
    pub fn check(&self) -> Result<(), Invalid> {
        for (key, value) in [("source", &self.source), ("type", &self.kind), ("options", &self.options)] {
            if value.is_empty() || value.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(Invalid::new(key, format!("`{value}` must be one word, as in fstab")));
            }
        }
        self.check_source().map_err(|message| Invalid::new("source", message))?;
        let of_content = ["/dev/disk/by-uuid/", "/dev/disk/by-label/", "/dev/disk/by-partuuid/"];
        let is_of_content = of_content.iter().any(|folder| self.source.starts_with(folder));
        if self.format_if_blank && (is_of_content || !self.source.starts_with("/dev/")) {
            let message = "a blank disk has no UUID or label: give `source` as /dev/disk/by-id/…";
            return Err(Invalid::new("format-if-blank", message));
        }
        if self.format_if_blank && self.kind != "ext4" {
            return Err(Invalid::new("format-if-blank", format!("ext4 is made, not {}", self.kind)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, source: &str) -> Mount {
        Mount {
            source: source.into(),
            target: ImagePath::root(),
            kind: kind.into(),
            options: default_options(),
            required: true,
            format_if_blank: false,
        }
    }

    #[test]
    fn a_share_needs_the_network_and_a_package() {
        for (kind, medium, package) in [
            ("nfs4", Medium::Network, Some("nfs-common")),
            ("cifs", Medium::Network, Some("cifs-utils")),
            ("fuse.sshfs", Medium::Network, Some("sshfs")),
            ("tmpfs", Medium::Memory, None),
            ("ext4", Medium::Disk, None),
        ] {
            let mount = mount(kind, "x");
            assert_eq!((mount.medium(), mount.package()), (medium, package), "{kind}");
        }
    }

    #[test]
    fn disks_that_are_put_together_need_who_does_it() {
        for (source, package) in [
            ("/dev/md0", Some("mdadm")),
            ("/dev/md/raid", Some("mdadm")),
            ("/dev/disk/by-id/md-uuid-1:2:3:4", Some("mdadm")),
            ("/dev/mapper/vg-data", Some("lvm2")),
            ("/dev/vg/data", Some("lvm2")),
            ("/dev/disk/by-id/dm-name-vg-data", Some("lvm2")),
            ("/dev/mapper/opened", None),
            ("/dev/zvol/tank/data", None),
            ("/dev/disk/by-id/usb-1", None),
            ("/dev/mmcblk0p3", None),
            ("LABEL=vg/data", None),
        ] {
            assert_eq!(mount("ext4", source).package(), package, "{source}");
        }
    }

    #[test]
    fn a_share_is_another_machines() {
        for (kind, source, host) in [
            ("nfs", "nas.home:/export", Some("nas.home")),
            ("nfs4", "[fd00::1]:/export", Some("fd00::1")),
            ("cifs", "//192.168.1.5/k8s", Some("192.168.1.5")),
            ("cifs", "//fd00::1/k8s", Some("fd00::1")),
            ("fuse.sshfs", "me@nas:/k8s", Some("nas")),
            ("davfs", "https://nas.home:8443/dav", Some("nas.home")),
            ("tmpfs", "tmpfs", None),
            ("ext4", "LABEL=a", None),
        ] {
            assert_eq!(mount(kind, source).host(), host, "{source}");
        }
    }

    #[test]
    fn a_share_is_called_as_its_type_wants_it() {
        for (kind, source) in [
            ("nfs", "nas.home:/export"),
            ("nfs", "[fd00::1]:/export"),
            ("cifs", "//nas/k8s"),
            ("tmpfs", "tmpfs"),
        ] {
            assert_eq!(mount(kind, source).check(), Ok(()), "{kind} {source}");
        }
        for (kind, source, message) in [
            ("nfs", "//nas/k8s", "source: `//nas/k8s` is no share of NFS: HOST:/FOLDER"),
            ("cifs", "nas:/k8s", "source: `nas:/k8s` is no share of SMB: //HOST/SHARE"),
            ("ext4", "nas:/k8s", "source: `nas:/k8s` is a share and no disk with ext4: give `type: nfs`"),
            ("ext4", "//nas/k8s", "source: `//nas/k8s` is a share and no disk with ext4: give `type: cifs`"),
        ] {
            assert_eq!(mount(kind, source).check().unwrap_err().to_string(), message);
        }
    }
}
