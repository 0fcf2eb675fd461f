//! Durations as Go writes them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// A duration in whole seconds, written `20m0s` as Go's time.Duration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub u32);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, seconds) = (self.0 / 3600, self.0 / 60 % 60, self.0 % 60);
        match (hours, minutes) {
            (0, 0) => write!(f, "{seconds}s"),
            (0, _) => write!(f, "{minutes}m{seconds}s"),
            (_, _) => write!(f, "{hours}h{minutes}m{seconds}s"),
        }
    }
}

/// A text that is no such duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration of hours, minutes and seconds, such as 720h or 1h30m")]
pub struct InvalidDuration(String);

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    /// Reads hours, minutes and seconds, each at most once and in that order; Go's other units are not used here.
    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let read = || {
            let (mut rest, mut total) = (text, 0u32);
            for (unit, seconds) in [('h', 3600), ('m', 60), ('s', 1)] {
                if let Some((number, after)) = rest.split_once(unit) {
                    let number: u32 = number.parse().ok()?;
                    total = total.checked_add(number.checked_mul(seconds)?)?;
                    rest = after;
                }
            }
            (rest.is_empty() && !text.is_empty()).then_some(GoDuration(total))
        };
        read().ok_or_else(|| InvalidDuration(text.to_owned()))
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a duration such as 720h or 1h30m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, seconds) in [("720h", 2_592_000), ("1h30m", 5400), ("90s", 90), ("0s", 0), ("1h5s", 3605)]
        {
            assert_eq!(text.parse(), Ok(GoDuration(seconds)));
        }
        for bad in ["", "1d", "h", "30m1h", "1h1h", "5", "-1h", "9999999h"] {
            assert!(bad.parse::<GoDuration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_what_go_would_write() {
        for text in ["15s", "20m0s", "1h0m5s"] {
            assert_eq!(text.parse::<GoDuration>().unwrap().to_string(), text);
        }
    }
}
