//! Boots that take too long for every change: `make boot-all`. The bases as they are, and the boards of both vendors patched,
//! each by the boot chain of its own layout.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use imgforge_tests::{Base, Guest, Workbench, partitions, same_boot_loader, succeeds};

/// About ten times what an idle machine of two cores needs.
const LOGIN: Duration = Duration::from_secs(600);
const FIRST_BOOT: Duration = Duration::from_secs(1800);
/// In bytes. All images fit with room to grow; boards of QEMU's own take powers of two only.
const CARD: u64 = 1 << 30;

/// Boots the base as it is and waits for the log-in prompt of `host`, having seen `sign` of the boot chain.
fn boots_to_login(base: Base, sign: &str, prompt: &str) -> Guest {
    let mut guest = Guest::boot(&base.image());
    guest.wait_for(sign, LOGIN);
    let time = guest.wait_for(prompt, LOGIN);
    println!("{}: {prompt:?} after {:.0} s", base.name(), time.as_secs_f64());
    guest
}

#[test]
fn the_virt_base_boots_by_efi_and_systemd_boot() {
    boots_to_login(Base::VirtArm64, r"initrd=\initrd.img root=PARTUUID=", "debian login:");
}

#[test]
fn the_armbian_like_base_boots_by_its_own_boot_script_and_logs_root_in() {
    let mut guest = boots_to_login(Base::RenegadeLike, "Executing script at", "root@renegade:~#");
    guest.send("systemctl poweroff\n");
    guest.wait_for_power_off(Duration::from_secs(120));
}

#[test]
fn the_raspberry_pi_like_base_boots_by_its_kernel_initramfs_and_command_line() {
    boots_to_login(Base::RaspiosLike, "fsck.repair=yes rootwait resize", "raspberrypi login:");
}

#[test]
fn the_32_bit_virt_base_boots_by_systemd_boot() {
    let mut guest = Guest::boot_32_bit(&Base::VirtArmhf.image());
    let time = guest.wait_for("debian login:", LOGIN);
    println!("virt-armhf: log-in prompt after {:.0} s", time.as_secs_f64());
}

/// An image on a card larger than itself.
struct Card {
    image: PathBuf,
    role: &'static str,
    /// What the root partition has before the first boot.
    root_mib: u64,
    board: &'static str,
    _bench: Workbench,
}

impl Card {
    /// A worker's, built on the local base that stands for the vendor's image for `board`.
    fn new(board: &'static str) -> Self {
        Self::on(board, "worker", None)
    }

    /// One for `role`, built on `base` in place of the vendor's image.
    fn on(board: &'static str, role: &'static str, base: Option<Base>) -> Self {
        Self::from(Workbench::new(), board, role, base)
    }

    fn from(bench: Workbench, board: &'static str, role: &'static str, base: Option<Base>) -> Self {
        let base = base.map(|base| base.compressed().display().to_string());
        let mut options = vec!["--hostname", "node-1"];
        options.extend(base.iter().flat_map(|base| ["--base", base]));
        let image = bench.built(board, role, "node.img", &options);
        File::options().write(true).open(&image).unwrap().set_len(CARD).unwrap();
        let root_mib = partitions(&image).last().unwrap().sectors / 2048;
        Self { image, role, root_mib, board, _bench: bench }
    }

    /// Waits for `sign` of the boot chain, for the end of first boot and for a root that has grown beyond its partition's old end.
    fn finishes_first_boot(&self, guest: &mut Guest, sign: &str) {
        guest.wait_for(sign, LOGIN);
        let time =
            guest.wait_for(&format!("imgforge: first boot finished: node-1 ({})", self.role), FIRST_BOOT);
        // The prompt has come while the stages ran; another one shows that it is there to stay.
        guest.send("\n");
        guest.wait_for("node-1 login:", LOGIN);
        let (_, grown) = guest.transcript().split_once("imgforge: [grow] the root file system has ").unwrap();
        let grown: u64 = grown.split(' ').next().unwrap().parse().unwrap();
        println!(
            "{}: first boot finished after {:.0} s; the root partition had {} MiB, its file system has {grown} MiB now",
            self.board,
            time.as_secs_f64(),
            self.root_mib,
        );
        assert!(grown > self.root_mib);
    }
}

#[test]
fn a_patched_armbian_boots_by_its_own_boot_script_to_a_log_in_without_autologin() {
    let card = Card::new("rk3328");
    card.finishes_first_boot(&mut Guest::boot(&card.image), "Executing script at");
}

#[test]
fn a_patched_armbian_with_a_gpt_keeps_the_boot_loader_in_its_gap_and_boots() {
    let (bench, base) = (Workbench::new(), Base::RenegadeGptLike);
    succeeds(bench.imgforge().args(["boards", "new", "my-gpt", "--from"]).arg(base.compressed()));
    let card = Card::from(bench, "my-gpt", "base", None);
    same_boot_loader(&base.image(), &card.image);
    card.finishes_first_boot(&mut Guest::boot_by_u_boot(&card.image), "Executing script at");
}

#[test]
fn a_patched_32_bit_armbian_boots_by_its_own_boot_script() {
    let card = Card::new("bananapi-m1");
    card.finishes_first_boot(&mut Guest::boot_32_bit(&card.image), "Executing script at");
}

#[test]
fn a_patched_raspberry_pi_os_grows_gets_a_new_disk_id_and_boots_again_by_it() {
    let card = Card::new("rpi4");
    let disk_id = disk_id(&card.image);
    let mut guest = Guest::boot_keeping(&card.image);
    card.finishes_first_boot(&mut guest, "rootwait resize cgroup_enable=memory");
    drop(guest);

    assert_ne!(self::disk_id(&card.image), disk_id);
    let mut guest = Guest::boot_keeping(&card.image);
    guest.wait_for("rootwait cgroup_enable=memory", LOGIN);
    guest.wait_for("node-1 login:", LOGIN);
}

/// The id in the MBR of `image`.
fn disk_id(image: &Path) -> [u8; 4] {
    let mut id = [0; 4];
    File::open(image).unwrap().read_exact_at(&mut id, 440).unwrap();
    id
}

#[test]
fn a_patched_raspberry_pi_os_boots_on_a_raspberry_pi_3_of_qemus() {
    let card = Card::on("rpi3", "base", None);
    card.finishes_first_boot(
        &mut Guest::boot_board(&card.image, "raspi3b"),
        "fsck.repair=yes rootwait resize",
    );
}

#[test]
fn a_patched_armbian_boots_on_an_orange_pi_pc_of_qemus_from_the_first_stage_in_its_gap() {
    let card = Card::on("orangepi-pc", "base", Some(Base::OrangepipcLike));
    card.finishes_first_boot(&mut Guest::boot_board(&card.image, "orangepi-pc"), "U-Boot SPL");
}

#[test]
fn a_patched_armbian_boots_on_a_cubieboard_of_qemus_from_the_first_stage_in_its_gap() {
    let card = Card::on("cubieboard1", "base", Some(Base::CubieboardLike));
    card.finishes_first_boot(&mut Guest::boot_board(&card.image, "cubieboard"), "U-Boot SPL");
}
