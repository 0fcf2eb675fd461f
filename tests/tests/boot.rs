//! Images boot under QEMU, each by the boot chain of its own layout.

use std::time::Duration;

use imgforge_tests::{Base, Guest};

/// About six times what an idle machine of two cores needs.
const LOGIN: Duration = Duration::from_secs(300);

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
