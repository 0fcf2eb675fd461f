//! Boots that take too long for every change: `make boot-all`. The bases as they are, and the boards of both vendors patched,
//! each by the boot chain of its own layout.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use imgforge_tests::{Base, Guest, Workbench, partitions, same_boot_loader, succeeds};
use tempfile::TempDir;

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
        Self::from(Workbench::new(), board, role, base, &[])
    }

    /// The same for a node with `settings`.
    fn for_node(board: &'static str, base: Base, settings: &str) -> Self {
        let bench = Workbench::new();
        let node = bench.home.path().join("node.yaml");
        fs::write(&node, settings).unwrap();
        Self::from(bench, board, "base", Some(base), &["--node", node.to_str().unwrap()])
    }

    fn from(
        bench: Workbench,
        board: &'static str,
        role: &'static str,
        base: Option<Base>,
        more: &[&str],
    ) -> Self {
        let base = base.map(|base| base.compressed().display().to_string());
        let mut options = [&["--hostname", "node-1"], more].concat();
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

/// A person who may log in by password and by key.
struct Person {
    folder: TempDir,
}

impl Person {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        succeeds(
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "ops", "-f"]).arg(&key),
        );
        Self { folder }
    }

    /// A node's settings with this user. The password is `imgforge`: `openssl passwd -6 -salt imgforge imgforge`.
    fn settings(&self) -> String {
        let key = fs::read_to_string(self.folder.path().join("key.pub")).unwrap();
        format!(
            "users:\n  - name: ops\n    password-hash: {HASH}\n    ssh-keys: [{}]\n    sudo: true\n",
            key.trim()
        )
    }

    /// Logs in on the console by password, and from there over ssh by key: sshd has its host keys and knows the user's. What it
    /// says before the log-in is nothing.
    fn logs_in(&self, guest: &mut Guest) {
        guest.log_in("node-1", "ops", "imgforge");
        let key = base64(&fs::read(self.folder.path().join("key")).unwrap());
        guest.ask(
            &format!("umask 077; echo {key} | base64 -d > key; wc -l < key | sed s/^/lines=/"),
            "lines=7",
        );
        let ssh = "ssh -i key -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=hosts 127.0.0.1";
        guest.ask(&format!("{ssh} true 2> said; echo key=$?"), "key=0");
        guest.ask("grep -cv '^Warning: Permanently added' said; echo said=$((40 + 2))", "0\r\nsaid=42");
        guest.ask("rm key said hosts; cut -d' ' -f1,3 .ssh/authorized_keys", "ssh-ed25519 ops");
    }
}

/// As base64(1) has it, on one line.
fn base64(bytes: &[u8]) -> String {
    let mut encoder =
        Command::new("base64").arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    encoder.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(encoder.wait_with_output().unwrap().stdout).unwrap()
}

const HASH: &str =
    "$6$imgforge$ZTfWDDw7O8kxz2CkN9CP2YOgkFeDNdtrh7MQVTkNWeXz7XMuQzQBBqGCGr9771R5ioDaRWRtMZDNe5hgnatsu1";

/// The node is what it was told to be, and nothing in it has failed.
fn is_well(guest: &mut Guest) {
    guest.ask("echo name=$(hostname)", "name=node-1");
    guest.ask("echo failed=$(systemctl list-units --failed --plain --no-legend | wc -l)", "failed=0");
    guest.ask("sudo dpkg --audit && echo audit=$((40 + 2))", "audit=42");
    guest.ask("imgforge-status > /dev/null; echo status=$?", "status=0");
}

/// QEMU's own network is 10.0.2.0/24, with a router that gives out other addresses.
const ADDRESS: &str = "address: { address: 10.0.2.77/24, gateway: 10.0.2.2, dns: [10.0.2.3] }\n";

/// The node has the address of its settings and no other.
fn has_its_address(guest: &mut Guest) {
    let addresses = "ip -4 -brief address show scope global | awk '{ $1 = $2 = \"\"; print }'";
    guest.ask(&format!("echo addresses=$({addresses})."), "addresses= 10.0.2.77/24.");
    guest.ask("ip route show default | cut -d' ' -f1-3", "default via 10.0.2.2");
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
    let card = Card::from(bench, "my-gpt", "base", None, &[]);
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

#[test]
fn an_armv6_node_boots_on_a_raspberry_pi_zero_of_qemus_and_configures_its_packages() {
    let person = Person::new();
    let settings = person.settings() + "packages: [logrotate, tree]\n";
    let card = Card::for_node("rpi1", Base::RaspiosArmv6Like, &settings);
    let mut guest = Guest::boot_board(&card.image, "raspi0");
    card.finishes_first_boot(&mut guest, "fsck.repair=yes rootwait resize");
    guest.log_in("node-1", "ops", "imgforge");
    guest.ask("echo $(uname -m)-$(dpkg --print-architecture)", "armv6l-armel");
    guest.ask("/usr/sbin/logrotate --version 2>&1 | head -n 1 | tr a-z A-Z", "LOGROTATE ");
    guest.ask("tree -d --noreport / -L 1 | grep -c etc; echo tree=$?", "1\r\ntree=0");
    guest.ask("echo timer=$(systemctl is-enabled logrotate.timer)", "timer=enabled");
    is_well(&mut guest);
}

#[test]
fn a_patched_armbian_is_its_owners_node_and_not_its_first_runs() {
    let person = Person::new();
    let card = Card::for_node("rk3328", Base::RenegadeFullLike, &(person.settings() + ADDRESS));
    let mut guest = Guest::boot(&card.image);
    card.finishes_first_boot(&mut guest, "Executing script at");
    person.logs_in(&mut guest);
    has_its_address(&mut guest);
    // The vendor's first run has come to its end, and its growth, too.
    guest.ask("echo firstrun=$(systemctl is-enabled armbian-firstrun)", "firstrun=disabled");
    guest.ask("echo resize=$(systemctl is-enabled armbian-resize-filesystem)", "resize=disabled");
    guest.ask("echo wizard=$(sudo ls -A /root | grep -c not_logged_in_yet)", "wizard=0");
    guest.ask("sudo passwd --status root | cut -d' ' -f1,2", "root L");
    is_well(&mut guest);
    assert!(!guest.transcript().contains("Armbian first login"), "{}", guest.transcript());
}

#[test]
fn a_patched_raspberry_pi_os_is_its_owners_node_and_not_its_wizards() {
    let person = Person::new();
    let card = Card::for_node("rpi4", Base::RaspiosFullLike, &(person.settings() + ADDRESS));
    let mut guest = Guest::boot(&card.image);
    card.finishes_first_boot(&mut guest, "rootwait resize");
    person.logs_in(&mut guest);
    has_its_address(&mut guest);
    guest.ask(
        "echo by=$(nmcli --terse --fields NAME,TYPE connection show --active | grep ethernet)",
        "by=imgforge:",
    );
    guest.ask(
        "echo wizard=$(systemctl is-enabled userconfig)-$(systemctl is-active userconfig)",
        "wizard=masked-inactive",
    );
    guest.ask("cloud-init status | tr a-z A-Z", "STATUS: DISABLED");
    guest.ask("echo first=$(systemctl is-active getty@tty1)", "first=active");
    guest.ask("echo banners=$(sudo sshd -T | grep -c '^banner [^n]')", "banners=0");
    is_well(&mut guest);
}
