//! A clock that stands still: every time written is the build's epoch.

use fatfs::{Date, DateTime, Time, TimeProvider};

/// Seconds of the first and the last moment a FAT volume can tell: 1980-01-01 and 2107-12-31 23:59:58.
const RANGE: [u64; 2] = [315_532_800, 4_354_819_198];

/// The moment a build writes into a volume, in UTC.
#[derive(Debug)]
pub(super) struct Epoch(DateTime);

impl Epoch {
    /// The moment `seconds` after 1970, or the nearest a FAT volume can tell.
    pub(super) fn new(seconds: u64) -> Self {
        let seconds = seconds.clamp(RANGE[0], RANGE[1]);
        let (days, second) = (seconds / 86400, seconds % 86400);
        // Days to a date, with years that begin in March (Hinnant, "chrono-compatible low-level date algorithms").
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        Self(DateTime {
            date: Date { year: year as u16, month: month as u16, day: day as u16 },
            time: Time {
                hour: (second / 3600) as u16,
                min: (second / 60 % 60) as u16,
                sec: (second % 60) as u16,
                millis: 0,
            },
        })
    }
}

impl TimeProvider for Epoch {
    fn get_current_date(&self) -> Date {
        self.0.date
    }

    fn get_current_date_time(&self) -> DateTime {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        for (seconds, expected) in [
            (0, (1980, 1, 1, 0)),
            (951_782_400, (2000, 2, 29, 0)),
            (1_767_225_599, (2025, 12, 31, 59)),
            (u64::MAX, (2107, 12, 31, 58)),
        ] {
            let Epoch(DateTime { date, time }) = Epoch::new(seconds);
            assert_eq!((date.year, date.month, date.day, time.sec), expected, "{seconds}");
        }
    }
}
