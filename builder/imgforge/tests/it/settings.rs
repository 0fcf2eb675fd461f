//! Settings of the system, as they go into bases of both vendors.

use imgforge::{
    image::change::{Action, Change, Volume},
    plan::{self, Request},
    supply::pin::Additions,
    target::node::Node,
};
use imgforge_spec::Role;

use crate::{
    plan::{boot, change, pinned, request, root, text},
    tree::MemoryTree,
};

const WIFI: &str = "wifi: {ssid: ThisIsASSID, passphrase: ThisIsAPassword, country: DE, hidden: true}";
/// IEEE 802.11-2020, J.4.2.
const PSK: &str = "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af";
const CONNECTION: &str = "/etc/NetworkManager/system-connections/imgforge-wifi.nmconnection";

fn planned(board: &str, settings: &str, root: &MemoryTree) -> Result<Vec<Change>, plan::Error> {
    let request = request(board, Role::Base, settings);
    let boot = boot();
    let has_boot = request.board.profile.layout.boot.is_some();
    plan::plan(&pinned(&request), &Additions::default(), root, has_boot.then_some(&boot as _))
}

fn complaint(settings: &str, root: &MemoryTree) -> String {
    planned("rpi4", settings, root).unwrap_err().to_string()
}

fn link(changes: &[Change], path: &str) -> String {
    let Action::Symlink { target, .. } = &change(changes, Volume::Root, path).action else {
        panic!("{path} is no link")
    };
    String::from_utf8_lossy(target).into_owned()
}

fn is_removed(changes: &[Change], path: &str) -> bool {
    let is_it = |change: &&Change| change.path.to_string() == path;
    changes.iter().filter(is_it).any(|change| matches!(change.action, Action::Remove))
}

/// Raspberry Pi OS: NetworkManager, and radios that are blocked until somebody chooses a country.
fn raspberry_pi_os() -> MemoryTree {
    root()
        .with_bytes("/usr/sbin/NetworkManager", b"ELF")
        .with_bytes("/var/lib/systemd/rfkill/platform-fe300000.mmcnr:wlan", b"1")
        .with_bytes(
            "/var/lib/NetworkManager/NetworkManager.state",
            b"[main]\nWirelessEnabled=false\nWWANEnabled=true\n",
        )
}

#[test]
fn wifi_on_raspberry_pi_os_is_networkmanagers_and_its_radio_is_let_loose() {
    let changes = planned("rpi4", WIFI, &raspberry_pi_os()).unwrap();
    let connection = text(&changes, Volume::Root, CONNECTION);
    assert!(connection.contains("\nssid=ThisIsASSID\nhidden=true\n"), "{connection}");
    assert!(connection.contains(&format!("\nkey-mgmt=wpa-psk\npsk={PSK}\n")), "{connection}");
    let Action::File { attributes, .. } = &change(&changes, Volume::Root, CONNECTION).action else {
        panic!()
    };
    assert_eq!(attributes.access.mode, 0o600);
    assert!(is_removed(&changes, "/var/lib/systemd/rfkill/platform-fe300000.mmcnr:wlan"));
    let state = text(&changes, Volume::Root, "/var/lib/NetworkManager/NetworkManager.state");
    assert_eq!(state, "[main]\nWirelessEnabled=true\nWWANEnabled=true\n");
    let command_line = text(&changes, Volume::Boot, "/cmdline.txt");
    assert!(command_line.contains(" cfg80211.ieee80211_regdom=DE"), "{command_line}");
    assert!(changes.iter().all(|change| !change.path.to_string().contains("wpa_supplicant@")));
}

#[test]
fn wifi_on_armbian_is_wpa_supplicants_beside_networkd() {
    let unit = "[Install]\nWantedBy=multi-user.target\n";
    let base = root().with_bytes("/usr/lib/systemd/system/wpa_supplicant@.service", unit.as_bytes());
    let changes = planned("rk3328", WIFI, &base).unwrap();
    let network = text(&changes, Volume::Root, "/etc/wpa_supplicant/wpa_supplicant-imgforge.conf");
    let wanted = format!(
        "country=DE\n\nnetwork={{\n    ssid=\"ThisIsASSID\"\n    scan_ssid=1\n    key_mgmt=WPA-PSK\n    psk={PSK}\n}}\n"
    );
    assert!(network.ends_with(&wanted), "{network}");
    assert_eq!(
        link(&changes, "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"),
        "wpa_supplicant-imgforge.conf"
    );
    let enabled = "/etc/systemd/system/multi-user.target.wants/wpa_supplicant@wlan0.service";
    assert_eq!(link(&changes, enabled), "/usr/lib/systemd/system/wpa_supplicant@.service");
    let card = text(&changes, Volume::Root, "/etc/systemd/network/06-imgforge-wifi.network");
    assert!(card.contains("\nName=wlan0\n"), "{card}");
    let environment = text(&changes, Volume::Root, "/boot/armbianEnv.txt");
    assert!(environment.contains("cfg80211.ieee80211_regdom=DE"), "{environment}");
}

#[test]
fn an_open_network_has_no_key() {
    let changes = planned("rpi4", "wifi: {ssid: 'Café;', country: FR}", &raspberry_pi_os()).unwrap();
    let connection = text(&changes, Volume::Root, CONNECTION);
    assert!(connection.contains("\nssid=67;97;102;195;169;59;\n"), "{connection}");
    assert!(!connection.contains("wifi-security"), "{connection}");
}

#[test]
fn an_image_that_knows_a_wireless_network_is_for_its_owner() {
    assert!(request("rpi4", Role::Base, WIFI).holds_secrets(&[]));
}

fn worldly() -> MemoryTree {
    root()
        .with_bytes("/usr/share/zoneinfo/Europe/Berlin", b"TZif2")
        .with_bytes("/usr/share/zoneinfo/UTC", b"TZif2")
        .with_bytes("/etc/timezone", b"Etc/UTC\n")
        .with_bytes("/usr/share/i18n/SUPPORTED", b"de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\nen_GB.UTF-8 UTF-8\n")
        .with_bytes("/etc/locale.gen", b"# de_DE.UTF-8 UTF-8\nen_GB.UTF-8 UTF-8\n")
        .with_bytes("/usr/bin/setupcon", b"#!/bin/sh\n")
        .with_bytes(
            "/usr/share/X11/xkb/rules/base.lst",
            b"! model\n  pc105 Generic\n\n! layout\n  us  English\n  de  German\n\n! variant\n",
        )
        .with_bytes("/etc/console-setup/cached_setup_keyboard.sh", b"#!/bin/sh\n")
}

#[test]
fn time_zone_language_and_keyboard_go_where_debian_keeps_them() {
    let settings = "system: {time-zone: Europe/Berlin, locale: de_DE.utf8, keyboard: {layout: 'de,us', options: ctrl:nocaps}}";
    let changes = planned("rpi4", settings, &worldly()).unwrap();
    assert_eq!(link(&changes, "/etc/localtime"), "/usr/share/zoneinfo/Europe/Berlin");
    assert_eq!(text(&changes, Volume::Root, "/etc/timezone"), "Europe/Berlin\n");
    assert_eq!(text(&changes, Volume::Root, "/etc/default/locale"), "LANG=de_DE.UTF-8\n");
    assert_eq!(
        text(&changes, Volume::Root, "/etc/locale.gen"),
        "# de_DE.UTF-8 UTF-8\nen_GB.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\n"
    );
    assert_eq!(text(&changes, Volume::Root, "/etc/imgforge/locale"), "de_DE.UTF-8\n");
    let keyboard = text(&changes, Volume::Root, "/etc/default/keyboard");
    assert!(
        keyboard.contains(
            "XKBMODEL=\"pc105\"\nXKBLAYOUT=\"de,us\"\nXKBVARIANT=\"\"\nXKBOPTIONS=\"ctrl:nocaps\"\n"
        )
    );
    assert!(is_removed(&changes, "/etc/console-setup/cached_setup_keyboard.sh"));
}

#[test]
fn the_language_of_debian_13_is_in_the_file_that_the_old_name_leads_to() {
    let made =
        root().with_bytes("/etc/locale.conf", b"LANG=C\n").with_link("/etc/default/locale", "../locale.conf");
    // What has the old name when it boots goes: so a language there would not be seen.
    let boots = root().with_bytes(
        "/usr/lib/tmpfiles.d/debian.conf",
        b"# Type Path Mode UID GID Age Argument\nL+ /etc/default/locale - - -  -  ../locale.conf\n",
    );
    for base in [made, boots] {
        let changes = planned("rpi4", "system: {locale: C.UTF-8}", &base).unwrap();
        assert_eq!(text(&changes, Volume::Root, "/etc/locale.conf"), "LANG=C.UTF-8\n");
        assert!(changes.iter().all(|change| change.path.to_string() != "/etc/default/locale"));
    }
}

#[test]
fn what_the_base_does_not_know_is_said_with_what_it_knows() {
    for (settings, said) in [
        (
            "time-zone: Europe/Belin",
            "system.time-zone: the base knows no time zone `Europe/Belin`; did you mean `Europe/Berlin`?",
        ),
        ("time-zone: Europe", "system.time-zone: the base knows no time zone `Europe`"),
        (
            "locale: de_AT.UTF-8",
            "system.locale: the base knows no locale `de_AT.UTF-8`; did you mean `de_DE.UTF-8`?",
        ),
        ("keyboard: {layout: 'us,gr'}", "system.keyboard.layout: the base knows no keyboard layout `gr`"),
    ] {
        let message = complaint(&format!("system: {{{settings}}}"), &worldly());
        assert!(message.starts_with(said), "{message}");
    }
    for (settings, package) in [
        ("time-zone: UTC", "tzdata"),
        ("locale: de_DE.UTF-8", "locales"),
        ("keyboard: {layout: de}", "console-setup"),
    ] {
        let message = complaint(&format!("system: {{{settings}}}"), &root());
        assert!(message.contains(&format!("give `packages: [{package}]`")), "{message}");
    }
}

#[test]
fn what_the_base_does_not_allow_has_its_line_in_the_nodes_file() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, place) in [
        ("system:\n  locale: C.UTF-8\n  time-zone: Europe/Belin\n", "3:3: system.time-zone: the base knows"),
        ("files:\n  - { path: /x, content: '', owner: www }\n", "2:30: files[0].owner: /x is to be"),
    ] {
        let path = folder.path().join("node.yaml");
        std::fs::write(&path, settings).unwrap();
        let (node, source) = Node::read(&path).unwrap();
        let request = Request { node, source: Some(source), ..request("rpi4", Role::Base, "{}") };
        let error =
            plan::plan(&pinned(&request), &Additions::default(), &worldly(), Some(&boot())).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with(&format!("{}:{place}", path.display())), "{said}");
    }
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIEDAQID\n-----END CERTIFICATE-----\n";

#[test]
fn authorities_are_where_debian_looks_for_them_and_their_package_comes_along() {
    let content = format!("{CERTIFICATE}{CERTIFICATE}").replace('\n', "\\n");
    let settings = format!("system: {{certificates: [{{content: \"{content}\"}}]}}");
    let changes = planned("rpi4", &settings, &root()).unwrap();
    for number in [1, 2] {
        let path = format!("/usr/local/share/ca-certificates/imgforge-{number}.crt");
        assert_eq!(text(&changes, Volume::Root, &path), CERTIFICATE);
    }
    let wanted = plan::packages_wanted(&request("rpi4", Role::Base, &settings)).unwrap();
    assert!(wanted.contains(&"ca-certificates".to_owned()), "{wanted:?}");
}

#[test]
fn a_watchdog_and_upgrades_are_files_that_only_a_node_with_them_has() {
    let watchdog = "/etc/systemd/system.conf.d/50-imgforge-watchdog.conf";
    let upgrades = "/etc/apt/apt.conf.d/60imgforge-upgrades";
    let settings = "system: {watchdog: 15, security-upgrades: true}";
    let changes = planned("rk3328", settings, &root()).unwrap();
    assert_eq!(text(&changes, Volume::Root, watchdog), "[Manager]\nRuntimeWatchdogSec=15\n");
    assert!(text(&changes, Volume::Root, upgrades).contains("label=Debian-Security"));
    let wanted = plan::packages_wanted(&request("rk3328", Role::Base, settings)).unwrap();
    assert!(wanted.contains(&"unattended-upgrades".to_owned()), "{wanted:?}");
    let off = planned("rk3328", "system: {security-upgrades: false}", &root()).unwrap();
    let text_off = text(&off, Volume::Root, upgrades);
    assert!(
        text_off.ends_with("APT::Periodic::Unattended-Upgrade \"0\";\n")
            && !text_off.contains("Debian-Security")
    );
    let without = planned("rk3328", "", &root()).unwrap();
    assert!(without.iter().all(|change| ![watchdog, upgrades].contains(&change.path.to_string().as_str())));
}

#[test]
fn the_firmware_of_a_raspberry_pi_is_told_in_its_own_file() {
    // A comment of the vendor's is no matter of ours, however long.
    let vendors = format!("dtparam=audio=on\n# {}\n[cm4]\notg_mode=1\n", "-".repeat(100));
    let boot = boot().with_bytes("/config.txt", vendors.as_bytes());
    let boot = boot.with_bytes("/overlays/disable-bt.dtbo", b"").with_bytes("/overlays/gpio-fan.dtbo", b"");
    let planned = |settings: &str| {
        let request = request("rpi4", Role::Base, settings);
        plan::plan(&pinned(&request), &Additions::default(), &root(), Some(&boot))
    };
    let settings = "firmware: {overlays: [disable-bt, 'gpio-fan,temp=65000'], settings: {gpu_mem: '16'}}";
    assert_eq!(
        text(&planned(settings).unwrap(), Volume::Boot, "/config.txt"),
        format!(
            "{vendors}\n[all]\n# imgforge: `firmware` of the node\ngpu_mem=16\n\
             dtoverlay=disable-bt\ndtoverlay=gpio-fan,temp=65000\n"
        )
    );
    let said = |settings: &str| planned(settings).unwrap_err().to_string();
    assert_eq!(
        said("firmware: {overlays: [disable-wifi]}"),
        "firmware.overlays[0]: the base has no overlay `disable-wifi` in /overlays/*.dtbo; did you mean `disable-bt`?"
    );
    assert_eq!(
        said("firmware: {settings: {cmdline: x}}"),
        "firmware.settings.cmdline: give `kernel-arguments`; they go into the file that it names"
    );
    let longest = "x".repeat(98 - "dtparam=".len());
    let of = |value: &str| format!("firmware: {{settings: {{dtparam: {value}}}}}");
    assert!(planned(&of(&longest)).is_ok());
    let message = said(&of(&format!("{longest}x")));
    assert!(
        message.ends_with("x` has 99 characters, and what is longer than 98 is not read; use two lines"),
        "{message}"
    );
}

#[test]
fn armbians_boot_script_is_told_in_its_environment() {
    let base =
        root().with_bytes("/boot/armbianEnv.txt", b"verbosity=1\noverlay_prefix=rockchip\noverlays=usb\n");
    let base = base.with_bytes("/boot/dtb/rockchip/overlay/rockchip-i2c0.dtbo", b"");
    let changes =
        planned("rk3328", "firmware: {overlays: [i2c0], settings: {verbosity: '7'}}", &base).unwrap();
    let environment = text(&changes, Volume::Root, "/boot/armbianEnv.txt");
    assert!(
        environment.starts_with("verbosity=7\noverlay_prefix=rockchip\noverlays=usb i2c0\n"),
        "{environment}"
    );
}

#[test]
fn plain_debian_has_no_file_for_its_firmware() {
    let message = planned("virt-arm64", "firmware: {overlays: [x]}", &root()).unwrap_err().to_string();
    assert_eq!(message, "firmware: Debian has no file for the firmware's settings");
}

#[test]
fn a_firewall_lets_in_whom_the_settings_name() {
    let rules = |settings: &str| {
        let changes = planned("rk3328", settings, &root()).unwrap();
        let unit = "/etc/systemd/system/sysinit.target.wants/imgforge-firewall.service";
        assert_eq!(link(&changes, unit), "/usr/lib/systemd/system/imgforge-firewall.service");
        let rules = text(&changes, Volume::Root, "/etc/imgforge/firewall.nft");
        let from = rules.find("udp dport { 68, 546 } accept\n").unwrap();
        rules[from..]
            .lines()
            .skip(1)
            .map(str::trim)
            .take_while(|line| *line != "}")
            .collect::<Vec<_>>()
            .join(";")
    };
    assert_eq!(
        rules("firewall: {from: [192.168.1.7/24, 'fd00::1/64'], ports: [22, 60000-60010/udp]}"),
        "ip saddr 192.168.1.0/24 accept;ip6 saddr fd00::/64 accept;tcp dport 22 accept;udp dport 60000-60010 accept"
    );
    assert!(rules("firewall: {}").starts_with("ip saddr 10.0.0.0/8 accept;ip saddr 172.16.0.0/12 accept;"));
    let wanted = plan::packages_wanted(&request("rk3328", Role::Base, "firewall: {}")).unwrap();
    assert!(wanted.contains(&"nftables".to_owned()), "{wanted:?}");
    let without = planned("rk3328", "", &root()).unwrap();
    assert!(without.iter().all(|change| !change.path.to_string().contains("firewall")
        || change.path.to_string().ends_with("/system/imgforge-firewall.service")));
}
