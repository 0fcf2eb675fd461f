//! What a board's firmware or boot loader is told, in a file of its vendor's.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Device-tree overlays, and settings in the words of the vendor's file: Raspberry Pi's `config.txt`, Armbian's `armbianEnv.txt`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Firmware {
    /// Device-tree overlays by their names, besides the vendor's; on a Raspberry Pi with parameters behind commas:
    /// `gpio-fan,temp=65000`.
    pub overlays: Vec<String>,
    /// Settings by their names: `{ gpu_mem: '16' }`.
    pub settings: BTreeMap<String, String>,
}

impl Firmware {
    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        self.overlays.is_empty() && self.settings.is_empty()
    }

    /// Whether every word can stand in a vendor's file; whether the base has such an overlay shows when it is planned.
    pub fn check(&self) -> Result<(), Invalid> {
        let is_line = |text: &str| text.chars().all(|c| matches!(c, ' '..='~')) && text.trim() == text;
        for (index, overlay) in self.overlays.iter().enumerate() {
            if name(overlay).is_empty() || !is_line(overlay) || overlay.contains(char::is_whitespace) {
                let message = format!("`{}` is no name of an overlay", overlay.escape_debug());
                return Err(Invalid::new(format!("overlays[{index}]"), message));
            }
        }
        for (key, value) in &self.settings {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
            if key.is_empty() || !key.chars().all(fits) {
                let message = format!("`{}` is no name of a setting", key.escape_debug());
                return Err(Invalid::new("settings", message));
            }
            if !is_line(value) {
                return Err(Invalid::new(format!("settings.{key}"), "the value must be one line of ASCII"));
            }
        }
        Ok(())
    }

    /// The overlays' names, without parameters.
    pub fn overlay_names(&self) -> impl Iterator<Item = &str> {
        self.overlays.iter().map(|overlay| name(overlay))
    }
}

fn name(overlay: &str) -> &str {
    overlay.split(',').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_another_line_is_refused() {
        let overlay = |text: &str| Firmware { overlays: vec![text.into()], ..Firmware::default() };
        assert_eq!(overlay("gpio-fan,temp=65000").check(), Ok(()));
        assert_eq!(overlay("gpio-fan,temp=65000").overlay_names().collect::<Vec<_>>(), ["gpio-fan"]);
        for text in ["", ",temp=1", "a b", "a\nkernel=x", "ü"] {
            assert!(overlay(text).check().is_err(), "{text:?}");
        }
        let setting = |key: &str, value: &str| Firmware {
            settings: [(key.to_owned(), value.to_owned())].into(),
            ..Firmware::default()
        };
        assert_eq!(setting("dtparam", "i2c_arm=on,spi=on").check(), Ok(()));
        let message = setting("gpu_mem", "16\n[pi4]").check().unwrap_err().to_string();
        assert_eq!(message, "settings.gpu_mem: the value must be one line of ASCII");
        assert!(setting("[pi4]", "").check().is_err());
    }
}
