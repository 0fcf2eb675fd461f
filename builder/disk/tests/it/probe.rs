//! File systems made by their own tools, told by us and by `blkid`.

use imgforge_disk::{
    FileContent,
    probe::{Contents, probe_in},
};

use crate::tools::{Scratch, run};

/// What `blkid` and we call what `command` makes of the image of `mebibytes`.
fn told(command: &[&str], mebibytes: u64) -> (String, Option<Contents>) {
    let scratch = Scratch::new();
    let path = scratch.sparse("image", mebibytes << 20);
    let image = scratch.arg("image");
    scratch.write("key", b"a key that is long enough");
    let key = scratch.arg("key");
    let arguments: Vec<_> = command
        .iter()
        .map(|argument| match *argument {
            "IMAGE" => image.as_str(),
            "KEY" => key.as_str(),
            other => other,
        })
        .collect();
    run(arguments[0], &arguments[1..]);
    let blkid = run("blkid", &["-p", "-s", "TYPE", "-o", "value", &image]);
    let content = FileContent::open(&path).unwrap();
    (blkid.trim().to_owned(), probe_in(&content, 0..u64::MAX).unwrap())
}

#[test]
fn what_tools_make_is_told_as_blkid_tells_it() {
    const LUKS: &[&str] =
        &["cryptsetup", "luksFormat", "-q", "--pbkdf-force-iterations", "1000", "--pbkdf", "pbkdf2"];
    let luks = |version| [LUKS, &["--type", version, "IMAGE", "KEY"]].concat();
    let made: [(Vec<&str>, u64, &str, Contents); 14] = [
        (vec!["mke2fs", "-q", "-t", "ext2", "IMAGE"], 8, "ext2", Contents::Ext),
        (vec!["mke2fs", "-q", "-t", "ext3", "IMAGE"], 8, "ext3", Contents::Ext),
        (vec!["mke2fs", "-q", "-t", "ext4", "IMAGE"], 8, "ext4", Contents::Ext),
        (vec!["mkfs.fat", "-F12", "IMAGE"], 8, "vfat", Contents::Fat),
        (vec!["mkfs.fat", "-F16", "IMAGE"], 16, "vfat", Contents::Fat),
        (vec!["mkfs.fat", "-F32", "IMAGE"], 64, "vfat", Contents::Fat),
        (vec!["mkswap", "IMAGE"], 8, "swap", Contents::Swap),
        (vec!["mkswap", "-p", "65536", "IMAGE"], 8, "swap", Contents::Swap),
        (vec!["mkfs.btrfs", "-q", "IMAGE"], 128, "btrfs", Contents::Btrfs),
        (vec!["mkfs.f2fs", "-q", "IMAGE"], 64, "f2fs", Contents::F2fs),
        (vec!["mkfs.xfs", "-q", "IMAGE"], 320, "xfs", Contents::Xfs),
        (vec!["mksquashfs", "KEY", "IMAGE", "-noappend", "-quiet"], 8, "squashfs", Contents::Squashfs),
        (luks("luks1"), 32, "crypto_LUKS", Contents::Luks1),
        (luks("luks2"), 32, "crypto_LUKS", Contents::Luks2),
    ];
    for (command, mebibytes, blkid, contents) in made {
        assert_eq!(told(&command, mebibytes), (blkid.to_owned(), Some(contents)), "{command:?}");
    }
}
