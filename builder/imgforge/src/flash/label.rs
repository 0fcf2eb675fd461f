//! The names that file systems have been given, by their own structures. Pure over bytes.

use imgforge_disk::probe::Contents;

/// The name of the file system of kind `contents` that begins with `start`, if it has one.
pub(super) fn label(contents: Contents, start: &[u8]) -> Option<String> {
    // Where each says it lies is told beside the marks of `imgforge_disk::probe`.
    let (at, length) = match contents {
        Contents::Ext => (0x478, 16),
        Contents::Fat if start.get(82..87) == Some(b"FAT32") => (71, 11),
        Contents::Fat => (43, 11),
        Contents::Btrfs => (0x1_012B, 256),
        Contents::Xfs => (108, 12),
        Contents::Swap => (0x41C, 16),
        Contents::Iso9660 => (0x8028, 32),
        _ => return None,
    };
    let bytes = start.get(at..at + length)?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(length);
    let text = String::from_utf8_lossy(bytes.get(..end)?);
    let text = text.trim_end();
    // What a FAT that was given no name has in its place.
    (!text.is_empty() && text != "NO NAME").then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use imgforge_disk::probe::{LENGTH, probe};

    use super::*;

    /// The start of a file system that `program` makes, with its `options`, in a file of 300 MiB.
    fn made(program: &str, options: &[&str]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(300 << 20).unwrap();
        let made = std::process::Command::new(program).args(options).arg(file.path()).output();
        let made = made.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(made.status.success(), "{program}: {}", String::from_utf8_lossy(&made.stderr));
        let mut start = vec![0; LENGTH];
        std::os::unix::fs::FileExt::read_exact_at(file.as_file(), &mut start, 0).unwrap();
        start
    }

    #[test]
    fn names_are_those_that_the_real_programs_give() {
        for (program, options, expected) in [
            ("mkfs.ext4", &["-q", "-L", "rootfs"] as &[&str], Some("rootfs")),
            ("mkfs.ext4", &["-q", "-L", "sixteen-letters."], Some("sixteen-letters.")),
            ("mkfs.ext4", &["-q"], None),
            ("mkfs.fat", &["-F", "32", "-n", "BOOTFS"], Some("BOOTFS")),
            ("mkfs.fat", &["-F", "16", "-n", "RPI BOOT"], Some("RPI BOOT")),
            ("mkfs.fat", &["-F", "32"], None),
            ("mkfs.btrfs", &["-q", "-L", "a longer name than most"], Some("a longer name than most")),
            ("mkfs.xfs", &["-q", "-L", "twelveletter"], Some("twelveletter")),
            ("mkswap", &["-q", "-L", "swap"], Some("swap")),
        ] {
            let start = made(program, options);
            let contents = probe(&start).unwrap();
            assert_eq!(label(contents, &start).as_deref(), expected, "{program} {options:?}");
        }
    }

    #[test]
    fn what_is_cut_off_has_no_name() {
        assert_eq!(label(Contents::Ext, &[b'x'; 0x480]), None);
        assert_eq!(label(Contents::Ntfs, &[b'x'; LENGTH]), None);
    }
}
