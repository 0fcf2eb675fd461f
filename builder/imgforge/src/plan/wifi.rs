//! The wireless network. The files for NetworkManager and for systemd-networkd with wpa_supplicant are an overlay's; this says
//! what stands in them, and does what no file can.

use imgforge_spec::{Hex, ImagePath, Wifi};
use serde::Serialize;

use super::{Draft, Error, Request, declarations::Assignment, units};
use crate::image::change::{Origin, Volume};

const ORIGIN: Origin = Origin::Node("wifi");

/// What systemd-rfkill(8) puts back at each start. Raspberry Pi OS comes with all radios blocked, until a country is chosen.
const BLOCKED: &str = "/var/lib/systemd/rfkill/*:wlan";

/// Where NetworkManager remembers that its radios were switched off; Raspberry Pi OS brings them so.
const STATE: &str = "/var/lib/NetworkManager/NetworkManager.state";

/// A wireless network as templates have it.
#[derive(Debug, Serialize)]
pub(super) struct Variables {
    interface: String,
    country: String,
    hidden: bool,
    /// The name as a NetworkManager keyfile has it.
    keyfile_ssid: String,
    /// The name as wpa_supplicant.conf(5) has it.
    supplicant_ssid: String,
    /// The key in hex digits; empty for an open network.
    psk: String,
}

impl From<&Wifi> for Variables {
    fn from(wifi: &Wifi) -> Self {
        let Wifi { ssid, passphrase, psk, country, hidden, interface } = wifi;
        let made = passphrase.as_ref().map(|passphrase| key_of(passphrase, ssid));
        Self {
            interface: interface.clone(),
            country: country.clone(),
            hidden: *hidden,
            keyfile_ssid: keyfile(ssid),
            supplicant_ssid: supplicant(ssid),
            psk: psk.as_ref().map(|key| key.to_ascii_lowercase()).or(made).unwrap_or_default(),
        }
    }
}

/// The key that WPA2 makes of a passphrase: PBKDF2 with HMAC-SHA-1, salted with the name, 4096 rounds, 256 bits
/// (IEEE 802.11-2020, J.4).
fn key_of(passphrase: &str, ssid: &str) -> String {
    let mut key = [0; 32];
    pbkdf2::pbkdf2_hmac::<sha1::Sha1>(passphrase.as_bytes(), ssid.as_bytes(), 4096, &mut key);
    Hex(&key).to_string()
}

/// Whether every program reads `ssid` as it stands there.
fn is_plain(ssid: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.');
    ssid.chars().all(fits) && ssid.trim() == ssid
}

/// nm-settings-keyfile(5): a text, or its bytes in decimal.
fn keyfile(ssid: &str) -> String {
    match is_plain(ssid) {
        true => ssid.to_owned(),
        false => ssid.bytes().map(|byte| format!("{byte};")).collect(),
    }
}

/// A quoted text, or its bytes in hex.
fn supplicant(ssid: &str) -> String {
    if is_plain(ssid) { format!("\"{ssid}\"") } else { Hex(ssid.as_bytes()).to_string() }
}

/// Lets the radio start, and starts what joins the network where that is not NetworkManager.
pub(crate) fn join(draft: &mut Draft<'_>, request: &Request) -> Result<(), Error> {
    let Some(wifi) = &request.node.wifi else { return Ok(()) };
    for path in draft.matching(Volume::Root, &ImagePath::new(BLOCKED)?)? {
        draft.remove(Volume::Root, &path, ORIGIN)?;
    }
    let state = ImagePath::new(STATE)?;
    if let Some(text) = draft.read_text(Volume::Root, &state)? {
        let enabled =
            Assignment { set: "WirelessEnabled".into(), value: String::new(), separator: "=".into() };
        draft.write(Volume::Root, &state, enabled.apply(&text, "true"), None, ORIGIN)?;
    }
    if draft.kind(Volume::Root, &ImagePath::new("/usr/sbin/NetworkManager")?)?.is_some() {
        return Ok(());
    }
    let unit = format!("wpa_supplicant@{}.service", wifi.interface);
    let configuration = format!("/etc/wpa_supplicant/wpa_supplicant-{}.conf", wifi.interface);
    draft.symlink(&ImagePath::new(configuration)?, "wpa_supplicant-imgforge.conf", ORIGIN)?;
    match units::find(draft, &unit)? {
        Some(file) => units::enable(draft, &unit, &file, &ORIGIN),
        None => Err(Error::NoUnit { unit, origin: ORIGIN }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IEEE 802.11-2020, J.4.2, the first two vectors.
    #[test]
    fn keys_are_those_of_the_standard() {
        assert_eq!(
            key_of("password", "IEEE"),
            "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
        );
        assert_eq!(
            key_of("ThisIsAPassword", "ThisIsASSID"),
            "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"
        );
    }

    #[test]
    fn names_that_a_file_might_read_otherwise_go_in_as_bytes() {
        assert_eq!(keyfile("Home 2.4"), "Home 2.4");
        assert_eq!(keyfile("a;b"), "97;59;98;");
        assert_eq!(supplicant("Home 2.4"), "\"Home 2.4\"");
        assert_eq!(supplicant("Käse"), "4bc3a47365");
    }
}
