//! What a system is set to, besides what it does: time zone, language, keyboard, whom it trusts, how it stays whole.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Certificates, Invalid};

/// A system's settings that have nothing to do with Kubernetes. What is unset stays as the vendor has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct System {
    /// Time zone, as the tz database calls it: `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// Language and formats, as locale(7) calls them: `de_DE.UTF-8`.
    pub locale: Option<String>,
    /// The keyboard at the board.
    pub keyboard: Option<Keyboard>,
    /// Certificates of authorities that its programs trust besides the public ones.
    pub certificates: Vec<Certificates>,
    /// After how many seconds without a sign of systemd the board's watchdog restarts it; unset: as the vendor has it.
    pub watchdog: Option<u32>,
    /// Whether it installs Debian's security updates by itself, every day; unset: as the vendor has it.
    pub security_upgrades: Option<bool>,
}

/// A keyboard, in the words of keyboard(5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keyboard {
    /// Layout, or several with commas: `de`, `us,gr`.
    pub layout: String,
    /// Variant of the layout: `nodeadkeys`.
    #[serde(default)]
    pub variant: String,
    /// Model.
    #[serde(default = "default_model")]
    pub model: String,
    /// Options, with commas: `ctrl:nocaps`.
    #[serde(default)]
    pub options: String,
}

fn default_model() -> String {
    "pc105".into()
}

/// Seconds of a watchdog: less, and a busy card restarts the board; more helps nobody who waits.
const WATCHDOG: RangeInclusive<u32> = 10..=600;

impl System {
    /// These settings, and for what they leave open those of `common`; of certificates both.
    pub fn over(&self, common: &Self) -> Self {
        Self {
            time_zone: self.time_zone.clone().or_else(|| common.time_zone.clone()),
            locale: self.locale.clone().or_else(|| common.locale.clone()),
            keyboard: self.keyboard.clone().or_else(|| common.keyboard.clone()),
            certificates: common.certificates.iter().chain(&self.certificates).cloned().collect(),
            watchdog: self.watchdog.or(common.watchdog),
            security_upgrades: self.security_upgrades.or(common.security_upgrades),
        }
    }

    /// Whether every value has the form that it must have; whether a base knows it shows when it is planned.
    pub fn check(&self) -> Result<(), Invalid> {
        let is_zone = |zone: &str| zone.split('/').all(|part| is_word(part, "_+-"));
        if let Some(zone) = self.time_zone.as_ref().filter(|zone| !is_zone(zone)) {
            let message = format!("`{}` is no time zone, such as Europe/Berlin", zone.escape_debug());
            return Err(Invalid::new("time-zone", message));
        }
        if let Some(locale) = self.locale.as_ref().filter(|locale| !is_word(locale, "_.@-")) {
            let message = format!("`{}` is no locale, such as de_DE.UTF-8", locale.escape_debug());
            return Err(Invalid::new("locale", message));
        }
        for (index, certificates) in self.certificates.iter().enumerate() {
            certificates.each().map_err(|error| error.below(&format!("certificates[{index}]")))?;
        }
        if let Some(seconds) = self.watchdog.filter(|seconds| !WATCHDOG.contains(seconds)) {
            let (least, most) = (WATCHDOG.start(), WATCHDOG.end());
            let message = format!("{seconds} seconds: give {least} to {most}");
            return Err(Invalid::new("watchdog", message));
        }
        let checked = self.keyboard.as_ref().map_or(Ok(()), Keyboard::check);
        checked.map_err(|error| error.below("keyboard"))
    }

    /// The Debian packages without which the settings would do nothing.
    pub fn packages(&self) -> impl Iterator<Item = &'static str> {
        let trusts = (!self.certificates.is_empty()).then_some(Certificates::PACKAGE);
        let upgrades = (self.security_upgrades == Some(true)).then_some("unattended-upgrades");
        trusts.into_iter().chain(upgrades)
    }
}

impl Keyboard {
    fn check(&self) -> Result<(), Invalid> {
        let Self { layout, variant, model, options } = self;
        let fields = [("layout", layout), ("variant", variant), ("model", model), ("options", options)];
        for (name, value) in fields {
            let may_be_empty = matches!(name, "variant" | "options");
            if !(is_word(value, "_,:()+-") || may_be_empty && value.is_empty()) {
                let message = format!("`{}` is none of keyboard(5)", value.escape_debug());
                return Err(Invalid::new(name, message));
            }
        }
        Ok(())
    }
}

/// Whether `text` is a word of letters, digits and `others`.
fn is_word(text: &str, others: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyboard(layout: &str) -> Keyboard {
        let (variant, options) = Default::default();
        Keyboard { layout: layout.into(), variant, model: default_model(), options }
    }

    #[test]
    fn what_cannot_stand_in_the_files_of_a_system_is_refused() {
        for (zone, fits) in
            [("Europe/Berlin", true), ("Etc/GMT+1", true), ("../etc/shadow", false), ("", false)]
        {
            let system = System { time_zone: Some(zone.into()), ..System::default() };
            assert_eq!(system.check().is_ok(), fits, "{zone}");
        }
        for (locale, fits) in [("de_DE.UTF-8", true), ("ca_ES@valencia", true), ("de_DE\nLC_ALL=C", false)] {
            let system = System { locale: Some(locale.into()), ..System::default() };
            assert_eq!(system.check().is_ok(), fits, "{locale}");
        }
        let of = |layout| System { keyboard: Some(keyboard(layout)), ..System::default() };
        assert_eq!(of("us,gr").check(), Ok(()));
        let message = "keyboard.layout: `de\\\"` is none of keyboard(5)";
        assert_eq!(of("de\"").check().unwrap_err().to_string(), message);
    }

    #[test]
    fn a_nodes_own_settings_come_before_those_of_all() {
        let common =
            System { time_zone: Some("UTC".into()), keyboard: Some(keyboard("us")), ..System::default() };
        let own = System { time_zone: Some("Europe/Berlin".into()), ..System::default() };
        let both = own.over(&common);
        assert_eq!(both.time_zone.as_deref(), Some("Europe/Berlin"));
        assert_eq!(both.keyboard, common.keyboard);
    }
}
