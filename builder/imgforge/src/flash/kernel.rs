//! What the kernel says of disks, as text: who has mounted what, swap space, where a device hangs. Pure over text.

/// How a disk is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// The Universal Serial Bus: sticks, disks, card readers.
    Usb,
    /// A slot for SD cards.
    Sd,
    /// Flash memory that is soldered in.
    Emmc,
    /// NVM Express.
    Nvme,
    /// Serial or parallel ATA.
    Ata,
    /// A disk that a hypervisor offers.
    Virtio,
    /// Any other way, or none: what the kernel makes up itself.
    Other,
}

impl Transport {
    /// By the target of the link `/sys/block/NAME`, and the device's `type`, which cards have.
    pub(super) fn of(link: &str, kind: Option<&str>) -> Self {
        let has = |prefix: &str| {
            let numbered = |rest: &str| !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_digit());
            link.split('/').any(|part| part.strip_prefix(prefix).is_some_and(numbered))
        };
        match kind {
            // A reader that hangs on USB and speaks for the card itself is a slot.
            Some("SD") => Self::Sd,
            Some("MMC") => Self::Emmc,
            _ if has("usb") => Self::Usb,
            _ if has("nvme") => Self::Nvme,
            _ if has("ata") => Self::Ata,
            _ if has("virtio") => Self::Virtio,
            _ => Self::Other,
        }
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Usb => "USB",
            Self::Sd => "SD card",
            Self::Emmc => "eMMC",
            Self::Nvme => "NVMe",
            Self::Ata => "ATA",
            Self::Virtio => "virtio",
            Self::Other => "-",
        }
    }

    /// Whether what is reached so can be taken out while the machine runs, whatever the device says of itself.
    pub(super) fn is_pluggable(self) -> bool {
        matches!(self, Self::Usb | Self::Sd)
    }
}

/// A file system that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The device's number, `major:minor`.
    pub number: String,
    /// The device, as whoever mounted it named it.
    pub source: String,
    /// Where.
    pub point: String,
}

/// The mounts in `/proc/self/mountinfo` (proc(5)). A line that is none is passed over.
pub(super) fn mounts(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ');
        let (number, point) = (fields.nth(2)?, fields.nth(1)?);
        let source = after.split(' ').nth(1)?;
        Some(Mount { number: number.to_owned(), source: unescaped(source), point: unescaped(point) })
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// The devices and files in `/proc/swaps` (proc(5)), whose first line is a header.
pub(super) fn swaps(swaps: &str) -> Vec<String> {
    swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(unescaped).collect()
}

/// `text` without the octal escapes that the kernel puts for spaces, tabs, line feeds and backslashes.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        rest = match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                after.get(3..).unwrap_or_default()
            }
            None => {
                plain.push('\\');
                after
            }
        };
    }
    plain + rest
}

/// The value of `key` in a record of udev's database, `/run/udev/data/bMAJOR:MINOR`.
pub(super) fn udev_property<'t>(record: &'t str, key: &str) -> Option<&'t str> {
    let value = |line: &'t str| line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('=');
    record.lines().find_map(value).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_told_with_spaces_and_whatever_fields_are_optional() {
        let text = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 8:17 / /media/ops/my\\040card rw,nosuid shared:8 master:2 - vfat /dev/sdb1 rw,utf8
41 27 0:50 /@home /home rw - btrfs /dev/nvme0n1p2 rw,subvol=/@home
nonsense
";
        let found = mounts(text);
        let told: Vec<_> = found
            .iter()
            .map(|mount| [&mount.number, &mount.source, &mount.point].map(String::as_str))
            .collect();
        assert_eq!(
            told,
            [
                ["0:21", "proc", "/proc"],
                ["254:0", "/dev/vda", "/"],
                ["8:17", "/dev/sdb1", "/media/ops/my card"],
                ["0:50", "/dev/nvme0n1p2", "/home"],
            ]
        );
    }

    #[test]
    fn swap_space_is_told_without_the_header() {
        let text = "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                    /dev/sda3                               partition\t8388604\t\t0\t\t-2\n\
                    /swap\\040file                           file\t\t1\t\t0\t\t-3\n";
        assert_eq!(swaps(text), ["/dev/sda3", "/swap file"]);
        assert!(swaps("").is_empty());
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescaped("a\\134b\\011"), "a\\b\t");
        assert_eq!(unescaped("\\9\\12 \\377 \\é"), "\\9\\12 \\377 \\é");
    }

    #[test]
    fn a_device_is_reached_as_its_place_in_the_tree_says() {
        let of = |link, kind| Transport::of(link, kind);
        let usb = "../devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
        assert_eq!(of(usb, None), Transport::Usb);
        assert_eq!(of(usb, Some("0")), Transport::Usb, "the type of a SCSI device is a number");
        let slot = "../devices/pci0000:00/0000:02:00.0/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0";
        assert_eq!(of(slot, Some("SD")), Transport::Sd);
        assert_eq!(of(slot, Some("MMC")), Transport::Emmc);
        let ata = "../devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sda";
        assert_eq!(of(ata, None), Transport::Ata);
        let nvme = "../devices/pci0000:00/0000:00:1d.0/0000:3d:00.0/nvme/nvme0/nvme0n1";
        assert_eq!(of(nvme, None), Transport::Nvme);
        assert_eq!(of("../devices/virtual/block/loop0", None), Transport::Other);
    }

    #[test]
    fn udev_is_asked_for_a_whole_key() {
        let record = "S:disk/by-label/rootfs\nE:ID_FS_TYPE=ext4\nE:ID_FS_LABEL_ENC=x\nE:ID_FS_LABEL=rootfs\nE:ID_FS_USAGE=\n";
        assert_eq!(udev_property(record, "ID_FS_LABEL"), Some("rootfs"));
        assert_eq!(udev_property(record, "ID_FS_TYPE"), Some("ext4"));
        assert_eq!(udev_property(record, "ID_FS_USAGE"), None);
    }
}
