//! The base images have the vendors' layouts, and other people's programs find no fault in them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use imgforge_tests::{Base, Partition, Tool, partitions};

/// A base and its partitions.
struct Opened {
    image: PathBuf,
    partitions: Vec<Partition>,
}

impl Opened {
    fn new(base: Base) -> Self {
        let image = base.image();
        Self { partitions: partitions(&image), image }
    }

    /// The last partition, which is the root in every layout.
    fn root(&self) -> String {
        self.partitions.last().expect("a partition").ext4(&self.image)
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("paths here are UTF-8").to_owned()
}

/// A file of the ext4 file system `root`.
fn root_file(root: &str, path: &str) -> String {
    Tool::DEBUGFS.approves(["-R", &format!("cat {path}"), root])
}

/// A line `name: value` of dumpe2fs.
fn superblock_field(root: &str, name: &str) -> String {
    let dump = Tool::DUMPE2FS.approves(["-h", root]);
    let line = dump.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name:?} in\n{dump}")).trim().to_owned()
}

#[test]
fn every_compressed_base_has_its_digest_beside_it() {
    for base in Base::ALL {
        let compressed = text(&base.compressed());
        let line = fs::read_to_string(base.checksum_file()).unwrap();
        let (digest, name) = line.trim_end().split_once("  ").unwrap();
        assert_eq!(name, format!("{}.img.xz", base.name()));
        let printed = Tool::SHA256SUM.approves([compressed.as_str()]);
        assert_eq!(printed.split(' ').next(), Some(digest));
    }
}

#[test]
fn every_base_decodes_in_parallel_in_its_vendors_block_size() {
    for base in Base::ALL {
        let block = if base == Base::RaspiosLike { 24 << 20 } else { 1 << 20 };
        let listed = Tool::XZ.approves(["--robot", "--list", &text(&base.compressed())]);
        let totals: Vec<&str> =
            listed.lines().find(|line| line.starts_with("file")).unwrap().split('\t').collect();
        let (blocks, size): (u64, u64) = (totals[2].parse().unwrap(), totals[4].parse().unwrap());
        assert_eq!(blocks, size.div_ceil(block), "{}", base.name());
    }
}

#[test]
fn partitions_start_where_the_vendors_start_theirs() {
    let starts = |base| -> Vec<(u64, String)> {
        Opened::new(base).partitions.into_iter().map(|partition| (partition.start, partition.kind)).collect()
    };
    assert_eq!(starts(Base::RenegadeLike), [(32768, "83".to_owned())]);
    for base in [Base::BananapiLike, Base::Odroidc2Like] {
        assert_eq!(starts(base), [(8192, "83".to_owned())]);
    }
    assert_eq!(starts(Base::RaspiosLike), [(16384, "c".to_owned()), (278_528, "83".to_owned())]);
    assert_eq!(
        starts(Base::VirtArm64),
        [
            (2048, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B".to_owned()),
            (264_192, "B921B045-1DF0-41C3-AF44-4C6F280D3FAE".to_owned()),
        ]
    );
}

#[test]
fn foreign_checkers_find_nothing_to_repair() {
    for base in Base::ALL {
        let opened = Opened::new(base);
        Tool::E2FSCK.approves(["-fn", &opened.root()]);
        if let [boot, _root] = opened.partitions.as_slice() {
            let dir = tempfile::tempdir().unwrap();
            Tool::FSCK_FAT.approves(["-n", &text(&boot.carve(&opened.image, dir.path()))]);
        }
        if base.has_gpt() {
            let verdict = Tool::SGDISK.approves(["--verify", &text(&opened.image)]);
            assert!(verdict.contains("No problems found"), "{verdict}");
        }
    }
}

#[test]
fn roots_have_the_features_of_the_vendors_mkfs() {
    let common = "has_journal ext_attr resize_inode dir_index filetype extent flex_bg sparse_super large_file dir_nlink \
                  extra_isize metadata_csum";
    for (base, more, label) in [
        (Base::VirtArm64, "orphan_file 64bit metadata_csum_seed huge_file", "root"),
        (Base::VirtArmhf, "orphan_file 64bit metadata_csum_seed huge_file", "root"),
        (Base::RenegadeLike, "64bit huge_file", "armbi_root"),
        (Base::BananapiLike, "64bit huge_file", "armbi_root"),
        (Base::Odroidc2Like, "64bit huge_file", "armbi_root"),
        (Base::RaspiosLike, "orphan_file", "rootfs"),
    ] {
        let root = Opened::new(base).root();
        let mut expected: Vec<&str> = common.split_whitespace().chain(more.split_whitespace()).collect();
        let found = superblock_field(&root, "Filesystem features");
        let mut found: Vec<&str> = found.split_whitespace().collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{}", base.name());
        assert_eq!(superblock_field(&root, "Filesystem volume name"), label);
        assert_eq!(superblock_field(&root, "Block size"), "4096");
    }
}

#[test]
fn the_armbian_like_bases_name_their_root_by_one_uuid_everywhere() {
    for base in Base::ALL.into_iter().filter(|base| base.is_armbian()) {
        let root = Opened::new(base).root();
        let uuid = superblock_field(&root, "Filesystem UUID");
        assert!(root_file(&root, "/etc/fstab").contains(&format!("UUID={uuid} / ext4 defaults,commit=120")));
        assert!(root_file(&root, "/boot/armbianEnv.txt").contains(&format!("rootdev=UUID={uuid}\n")));
    }
}

#[test]
fn the_sunxi_base_has_the_boot_roms_first_stage_at_8_kib() {
    let mut magic = [0; 8];
    File::open(Base::BananapiLike.image()).unwrap().read_exact_at(&mut magic, 8192 + 4).unwrap();
    // <https://linux-sunxi.org/EGON>: the boot ROM looks for this word behind a branch instruction.
    assert_eq!(&magic, b"eGON.BT0");
}

#[test]
fn the_meson_base_has_its_first_stage_over_sector_0_beside_a_table_that_is_read() {
    let opened = Opened::new(Base::Odroidc2Like);
    let mut sector = [0; 512];
    File::open(&opened.image).unwrap().read_exact_at(&mut sector, 0).unwrap();
    assert!(sector[..442].iter().any(|&byte| byte != 0), "the boot ROM's first stage");
    assert_eq!(sector[510..], [0x55, 0xaa]);
    assert_eq!(opened.partitions.len(), 1);
}

#[test]
fn the_armbian_like_base_has_u_boot_in_the_gap_and_images_that_u_boot_accepts() {
    let opened = Opened::new(Base::RenegadeLike);
    let magic_at = |sector: u64| {
        let mut magic = [0; 4];
        File::open(&opened.image).unwrap().read_exact_at(&mut magic, sector * 512).unwrap();
        magic
    };
    // The boot ROM of RK33xx looks for 0x0ff0aa55, encrypted by RC4 with Rockchip's published key.
    assert_eq!(magic_at(64), [0x3b, 0x8c, 0xdc, 0xfc]);
    // The first stage looks for U-Boot proper, a flattened image tree, at sector 16384.
    assert_eq!(magic_at(16384), [0xd0, 0x0d, 0xfe, 0xed]);

    let root = opened.root();
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("boot.scr");
    Tool::DEBUGFS.approves(["-R", &format!("dump /boot/boot.scr {}", text(&script)), &root]);
    let header = Tool::DUMPIMAGE.approves(["-l", &text(&script)]);
    assert!(header.contains("AArch64 Linux Script"), "{header}");
}

#[test]
fn the_raspberry_pi_like_base_names_its_partitions_by_the_disk_id() {
    let opened = Opened::new(Base::RaspiosLike);
    let dump = Tool::SFDISK.approves(["--dump", &text(&opened.image)]);
    let id = dump.lines().find_map(|line| line.strip_prefix("label-id: 0x")).unwrap();
    let fstab = root_file(&opened.root(), "/etc/fstab");
    assert!(fstab.contains(&format!("PARTUUID={id}-01  /boot/firmware  vfat")), "{fstab}");
    assert!(fstab.contains(&format!("PARTUUID={id}-02  /               ext4")), "{fstab}");
    assert_eq!(
        Tool::MTYPE.approves(["-i", &opened.partitions[0].fat(&opened.image), "::cmdline.txt"]),
        format!(
            "console=serial0,115200 console=tty1 root=PARTUUID={id}-02 rootfstype=ext4 fsck.repair=yes rootwait resize\n"
        )
    );
}

#[test]
fn no_base_carries_secrets_or_an_identity() {
    for base in Base::ALL {
        let opened = Opened::new(base);
        let root = opened.root();
        let keys = Tool::DEBUGFS.approves(["-R", "ls -p /etc/ssh", &root]);
        assert!(keys.contains("/sshd_config/"), "{keys}");
        assert!(!keys.contains("/ssh_host_"), "{keys}");
        let machine_id = root_file(&root, "/etc/machine-id");
        assert_eq!(
            machine_id,
            if base == Base::RaspiosLike { "uninitialized\n" } else { "" },
            "{}",
            base.name()
        );
    }
}
