//! A node's wireless network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// The countries of ISO 3166-1, whose rules a radio can keep.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG \
    GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ \
    LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR \
    NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ \
    TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A wireless network that a node joins, with WPA2's pre-shared key or with none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wifi {
    /// Name of the network (SSID).
    pub ssid: String,
    /// Its passphrase, of 8 to 63 characters. What goes onto the card is the key that is made from it.
    #[serde(default)]
    pub passphrase: Option<String>,
    /// That key itself, 64 hex digits as `wpa_passphrase` prints them; with neither the network is open.
    #[serde(default)]
    pub psk: Option<String>,
    /// The country whose rules the radio keeps: `DE`.
    pub country: String,
    /// Whether the network does not tell its name.
    #[serde(default)]
    pub hidden: bool,
    /// The wireless card.
    #[serde(default = "default_interface")]
    pub interface: String,
}

fn default_interface() -> String {
    "wlan0".into()
}

impl Wifi {
    /// The Debian package without which no wireless network is joined.
    pub const PACKAGE: &str = "wpasupplicant";

    /// Whether every value can be used; an error names the setting, and no error has the passphrase in it.
    pub fn check(&self) -> Result<(), Invalid> {
        if !(1..=32).contains(&self.ssid.len()) || self.ssid.chars().any(char::is_control) {
            return Err(Invalid::new("ssid", "a network's name has 1 to 32 bytes"));
        }
        if self.psk.is_some() && self.passphrase.is_some() {
            return Err(Invalid::new("psk", "give `passphrase` or the key made from it, not both"));
        }
        if let Some(passphrase) = &self.passphrase {
            let length = passphrase.chars().count();
            if !(8..=63).contains(&length) || !passphrase.bytes().all(|c| matches!(c, b' '..=b'~')) {
                let message = format!("a passphrase has 8 to 63 characters of ASCII; this one has {length}");
                return Err(Invalid::new("passphrase", message));
            }
        }
        if self.psk.as_ref().is_some_and(|key| key.len() != 64 || !key.bytes().all(|c| c.is_ascii_hexdigit()))
        {
            return Err(Invalid::new("psk", "a key has 64 hex digits; `passphrase` takes what people type"));
        }
        self.check_country()?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !(1..=15).contains(&self.interface.len()) || !self.interface.chars().all(fits) {
            let message = format!("`{}` is no name of a network card", self.interface.escape_debug());
            return Err(Invalid::new("interface", message));
        }
        Ok(())
    }

    fn check_country(&self) -> Result<(), Invalid> {
        let is_known = |code: &str| COUNTRIES.split(' ').any(|country| country == code);
        if is_known(&self.country) {
            return Ok(());
        }
        let upper = self.country.to_ascii_uppercase();
        let meant = if upper == "UK" { "GB" } else { upper.as_str() };
        let given = self.country.escape_debug();
        let message = match is_known(meant) {
            true => format!("`{given}` is no country of ISO 3166; did you mean `{meant}`?"),
            false => format!("`{given}` is no country of ISO 3166, such as DE"),
        };
        Err(Invalid::new("country", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wifi(key: &str, value: &str) -> String {
        let mut wifi = Wifi {
            ssid: "home".into(),
            passphrase: None,
            psk: None,
            country: "DE".into(),
            hidden: false,
            interface: default_interface(),
        };
        match key {
            "ssid" => wifi.ssid = value.into(),
            "passphrase" => wifi.passphrase = Some(value.into()),
            "psk" => wifi.psk = Some(value.into()),
            "country" => wifi.country = value.into(),
            _ => wifi.interface = value.into(),
        }
        wifi.check().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_no_network_takes_is_refused() {
        assert_eq!(
            wifi("passphrase", "seven77"),
            "passphrase: a passphrase has 8 to 63 characters of ASCII; this one has 7"
        );
        assert_eq!(wifi("passphrase", "eight888"), "");
        assert_eq!(
            wifi("psk", "eight888"),
            "psk: a key has 64 hex digits; `passphrase` takes what people type"
        );
        assert_eq!(wifi("psk", &"0a".repeat(32)), "");
        assert_eq!(wifi("ssid", &"x".repeat(33)), "ssid: a network's name has 1 to 32 bytes");
        assert_eq!(wifi("country", "UK"), "country: `UK` is no country of ISO 3166; did you mean `GB`?");
        assert_eq!(wifi("country", "de"), "country: `de` is no country of ISO 3166; did you mean `DE`?");
        assert_eq!(wifi("country", "XX"), "country: `XX` is no country of ISO 3166, such as DE");
        assert_eq!(wifi("interface", "wlan0;"), "interface: `wlan0;` is no name of a network card");
    }

    /// tzdata has the countries of ISO 3166, too.
    #[test]
    fn the_countries_are_those_of_the_standard() {
        let Ok(table) = std::fs::read_to_string("/usr/share/zoneinfo/iso3166.tab") else { return };
        let codes = table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.get(..2));
        assert_eq!(codes.collect::<Vec<_>>().join(" "), COUNTRIES);
    }
}
