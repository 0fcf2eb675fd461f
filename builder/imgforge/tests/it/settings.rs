//! Settings of the system, as they go into bases of both vendors.

use imgforge::{
    image::change::{Action, Change, Volume},
    plan,
    supply::pin::Additions,
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
