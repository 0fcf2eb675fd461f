//! Dates of `Release` files: `Sat, 17 May 2025 08:14:25 UTC`, RFC 5322 with any name for zone zero.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970; `None` for anything but such a date.
pub(super) fn parse(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_weekday, day, month, year, time, zone] = words.as_slice() else { return None };
    if !["UTC", "GMT", "Z", "+0000", "-0000"].contains(zone) {
        return None;
    }
    let day: u64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = MONTHS.iter().position(|name| name == month)? as u64 + 1;
    let year: u64 = year.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let parts: Vec<u64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = parts.as_slice() else { return None };
    let in_range = *hour < 24 && *minute < 60 && *second <= 60;
    in_range.then(|| days_before(year, month, day) * 86400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. The year is taken to start in March, so that the leap day
/// is its last.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days_of_months = (153 * month + 2) / 5;
    365 * year + leap_days + days_of_months + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_date() {
        for text in [
            "Thu, 01 Jan 1970 00:00:00 UTC",
            "Sat, 17 May 2025 08:14:25 UTC",
            "Thu, 29 Feb 2024 23:59:59 UTC",
            "Fri, 31 Dec 2100 12:00:00 UTC",
            "Mon, 01 Mar 2100 00:00:01 UTC",
        ] {
            let output = std::process::Command::new("date").args(["-u", "+%s", "-d", text]).output().unwrap();
            let expected: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2025-05-17",
            "Sat, 17 May 2025 08:14:25 CEST",
            "Sat, 0 May 2025 08:14:25 UTC",
            "x, 1 May 1 1:1:1 UTC",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
