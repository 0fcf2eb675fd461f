//! When a certificate ends, as a server shows it: no more of X.509 is read than leads there (RFC 5280, 4.1).

use time::{Date, Month, PrimitiveDateTime, Time};

/// Tags of DER (X.690, 8.1.2) that stand before the end.
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The last second in which the certificate `der` is good, counted from 1970; nothing where it is no certificate.
///
/// ```
/// assert_eq!(imgforge_kube::pki::end_of(b"no certificate"), None);
/// ```
pub fn end_of(der: &[u8]) -> Option<i64> {
    let mut certificate = Reader(der).enter(SEQUENCE)?;
    let mut body = certificate.enter(SEQUENCE)?;
    if body.0.first() == Some(&VERSION) {
        body.take(VERSION)?;
    }
    body.take(INTEGER)?; // serial number
    body.take(SEQUENCE)?; // how it is signed
    body.take(SEQUENCE)?; // by whom
    let mut validity = body.enter(SEQUENCE)?;
    validity.take_any()?;
    match validity.take_any()? {
        (UTC_TIME, text) => seconds(text, 2),
        (GENERALIZED_TIME, text) => seconds(text, 4),
        _ => None,
    }
}

/// What is left of a value's content.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value, and its tag. Lengths of more than four bytes have no place in a certificate.
    fn take_any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let digits;
            (digits, rest) =
                rest.split_at_checked(usize::from(first & 0x7f)).filter(|(d, _)| d.len() <= 4)?;
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.take_any().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Reader)
    }
}

/// `YYMMDDHHMMSSZ`, or with a year of four digits (RFC 5280, 4.1.2.5): no fractions, no other zone.
fn seconds(text: &[u8], digits_of_year: usize) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    if digits.len() != digits_of_year + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number =
        |digits: &[u8]| digits.iter().fold(0u16, |number, digit| number * 10 + u16::from(digit - b'0'));
    let (year, rest) = digits.split_at(digits_of_year);
    let year = match (digits_of_year, number(year)) {
        (2, year @ 50..) => 1900 + year,
        (2, year) => 2000 + year,
        (_, year) => year,
    };
    let part =
        |index: usize| rest.get(index * 2..index * 2 + 2).and_then(|two| u8::try_from(number(two)).ok());
    let date = Date::from_calendar_date(i32::from(year), Month::try_from(part(0)?).ok()?, part(1)?).ok()?;
    let time = Time::from_hms(part(2)?, part(3)?, part(4)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_of_two_digits_are_of_this_century_or_the_last() {
        assert_eq!(seconds(b"700101000000Z", 2), Some(0));
        assert_eq!(seconds(b"260921143000Z", 2), Some(1_790_001_000));
        assert_eq!(seconds(b"99991231235959Z", 4), Some(253_402_300_799));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            [&b"260921143000"[..], b"2609211430Z", b"261321143000Z", b"260932143000Z", b"26092114300xZ", b""]
        {
            assert_eq!(seconds(text, 2), None);
        }
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        for der in [
            &[0x30u8, 0x84, 0xff, 0xff, 0xff, 0xff][..],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 0],
            &[0x30, 0x80],
            &[0x30],
        ] {
            assert_eq!(end_of(der), None);
        }
    }
}
