//! Boots that take too long for every change: `make boot-all`. The bases as they are, and the boards of both vendors patched,
//! each by the boot chain of its own layout.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::time::Duration;

use imgforge_tests::{Base, Guest, Workbench};

/// About six times what an idle machine of two cores needs.
const LOGIN: Duration = Duration::from_secs(300);
const FIRST_BOOT: Duration = Duration::from_secs(600);

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

#[test]
fn a_patched_32_bit_armbian_boots_by_its_own_boot_script() {
    let bench = Workbench::new();
    let image = bench.built("bananapi-m1", "worker", "node.img", &["--hostname", "k8s-worker-1"]);
    finishes(Guest::boot_32_bit(&image), "bananapi-m1", "Executing script at");
}

/// Builds `board`, boots it, and waits for `sign` of the boot chain and the end of first boot.
fn finishes_first_boot(board: &str, sign: &str) {
    let bench = Workbench::new();
    let image = bench.built(board, "worker", "node.img", &["--hostname", "k8s-worker-1"]);
    finishes(Guest::boot(&image), board, sign);
}

fn finishes(mut guest: Guest, board: &str, sign: &str) {
    guest.wait_for(sign, LOGIN);
    let time = guest.wait_for("imgforge: first boot finished: k8s-worker-1 (worker)", FIRST_BOOT);
    println!("{board}: first boot finished after {:.0} s", time.as_secs_f64());
    guest.wait_for("k8s-worker-1 login:", LOGIN);
}

#[test]
fn a_patched_armbian_boots_by_its_own_boot_script_to_a_log_in_without_autologin() {
    finishes_first_boot("rk3328", "Executing script at");
}

#[test]
fn a_patched_raspberry_pi_os_boots_with_memory_cgroups_on_its_command_line() {
    finishes_first_boot("rpi4", "rootwait resize cgroup_enable=memory");
}
