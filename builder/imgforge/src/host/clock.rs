//! The one look at the machine's clock: whether keys and signatures are in force, and how long ago a node was heard. No
//! image depends on it. The time that a build is asked to have. And how times are written.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use imgforge_spec::Diagnose;

/// An environment variable with a value of no use.
#[derive(Debug, thiserror::Error)]
#[error("{NAME}=`{value}` is no number of seconds since 1970")]
pub struct BadEpoch {
    value: String,
}

/// The variable of <https://reproducible-builds.org/specs/source-date-epoch/>.
const NAME: &str = "SOURCE_DATE_EPOCH";

impl Diagnose for BadEpoch {
    fn hint(&self) -> Option<String> {
        Some(format!("unset {NAME}, or give it a number"))
    }
}

/// The time that the environment asks a build to have, in seconds since 1970.
pub(crate) fn source_date_epoch() -> Result<Option<i64>, BadEpoch> {
    let Some(value) = env::var_os(NAME) else { return Ok(None) };
    let value = value.to_string_lossy().into_owned();
    match value.parse::<u32>() {
        Ok(epoch) => Ok(Some(i64::from(epoch))),
        Err(_) => Err(BadEpoch { value }),
    }
}

/// Seconds since 1970; `None` on a machine that believes to be before it.
#[expect(clippy::disallowed_methods, reason = "a signature is valid at a time")]
pub fn now() -> Option<u64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// `2026-09-12T07:15:41Z`: the proleptic Gregorian calendar, with years that start in March so that the leap day is the
/// last.
pub(crate) fn utc(epoch: i64) -> String {
    let (days, seconds) = (epoch.div_euclid(86_400), epoch.rem_euclid(86_400));
    // Days since 0000-03-01, in eras of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The seconds since 1970 of a time as Kubernetes writes it (RFC 3339 in UTC, fractions are dropped): the inverse of [`utc`].
pub(crate) fn seconds_of(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let whole = match text.split_once('.') {
        Some((whole, fraction)) => Some(whole).filter(|_| is_number(fraction))?,
        None => text,
    };
    let (date, time) = whole.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let fits =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    if !fits {
        return None;
    }
    let (shifted, carry) = if month > 2 { (month - 3, 0) } else { (month + 9, 1) };
    let year = year - carry;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let days =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Three numbers of so many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && is_number(part))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_date() {
        for epoch in [0, 951_782_400, 1_709_251_199, 1_789_199_741, 4_107_542_400] {
            let output = std::process::Command::new("date")
                .args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d", &format!("@{epoch}")])
                .output()
                .unwrap();
            assert_eq!(utc(epoch), String::from_utf8(output.stdout).unwrap().trim());
            assert_eq!(seconds_of(&utc(epoch)), Some(epoch));
        }
    }

    #[test]
    fn what_kubernetes_writes_is_read_and_nothing_else() {
        assert_eq!(seconds_of("2026-09-21T14:30:00Z"), Some(1_790_001_000));
        assert_eq!(seconds_of("2026-09-21T14:30:00.123456Z"), Some(1_790_001_000));
        for bad in [
            "",
            "2026-09-21",
            "2026-09-21T14:30:00",
            "2026-9-21T14:30:00Z",
            "2026-13-21T14:30:00Z",
            "+026-09-21T14:30:00Z",
            "2026-09-21T14:30:00.Z",
            "2026-09-21T24:30:00Z",
        ] {
            assert_eq!(seconds_of(bad), None, "{bad}");
        }
    }
}
