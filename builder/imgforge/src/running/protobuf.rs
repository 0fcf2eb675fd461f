//! Messages of protocol buffers, as far as etcd's need them: <https://protobuf.dev/programming-guides/encoding/>. A message is a
//! row of fields; each begins with a varint of which the lowest three bits say how its value is written, and the rest is its number.
//! What is zero or empty is left out.

use std::fmt;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A varint: whole numbers, choices, yes and no.
    Number(u64),
    /// A text, bytes, or another message.
    Bytes(&'a [u8]),
    /// Four or eight bytes of a kind that is not read here.
    Other,
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What of it.
    what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is no message of protocol buffers: {}", self.what)
    }
}

impl Value<'_> {
    /// The number; zero is none.
    pub fn number(self) -> u64 {
        if let Self::Number(number) = self { number } else { 0 }
    }

    /// The text; empty is none. What is no UTF-8 in it is replaced: it is only shown.
    pub fn text(self) -> String {
        if let Self::Bytes(bytes) = self {
            String::from_utf8_lossy(bytes).into_owned()
        } else {
            String::new()
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }
}

/// Reads the fields of `message` in their order; `take` is given the number and the value of each.
pub(super) fn read<'a>(message: &'a [u8], mut take: impl FnMut(u64, Value<'a>)) -> Result<(), Malformed> {
    let mut left = message;
    while !left.is_empty() {
        let key = varint(&mut left)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut left)?),
            2 => {
                let length = usize::try_from(varint(&mut left)?).unwrap_or(usize::MAX);
                Value::Bytes(split(&mut left, length)?)
            }
            1 => split(&mut left, 8).map(|_| Value::Other)?,
            5 => split(&mut left, 4).map(|_| Value::Other)?,
            _ => return Err(Malformed { what: "a field is of no known kind" }),
        };
        take(key >> 3, value);
    }
    Ok(())
}

/// A message with one number in it.
pub(super) fn with_number(field: u64, number: u64) -> Vec<u8> {
    let mut message = Vec::new();
    for mut value in [field << 3, number] {
        while value >= 0x80 {
            message.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        message.push(value as u8);
    }
    message
}

fn split<'a>(left: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, rest) = left.split_at_checked(length).ok_or(Malformed { what: "it ends within a field" })?;
    *left = rest;
    Ok(taken)
}

/// Seven bits of each byte, the lowest first; the last byte has its highest bit clear.
fn varint(left: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = split(left, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed { what: "a number has more than 64 bits" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Result<Vec<(u64, Value<'_>)>, Malformed> {
        let mut all = Vec::new();
        read(message, |number, value| all.push((number, value))).map(|()| all)
    }

    #[test]
    fn fields_are_numbers_texts_and_what_is_passed_over() {
        // The examples of the specification: 150 in field 1, "testing" in field 2.
        assert_eq!(fields(&[0x08, 0x96, 0x01]).unwrap(), [(1, Value::Number(150))]);
        let testing = [&[0x12, 0x07][..], b"testing"].concat();
        assert_eq!(fields(&testing).unwrap()[0].1.text(), "testing");
        assert_eq!(
            fields(&[0x0d, 1, 2, 3, 4, 0x11, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap(),
            [(1, Value::Other), (2, Value::Other)]
        );
        assert_eq!(fields(&[]).unwrap(), []);
    }

    #[test]
    fn a_number_is_read_as_it_was_written() {
        for number in [0, 1, 127, 128, 300, 10_276_657_743_932_975_437, u64::MAX] {
            for field in [1, 15, 16, 1000] {
                assert_eq!(fields(&with_number(field, number)).unwrap(), [(field, Value::Number(number))]);
            }
        }
    }

    #[test]
    fn what_ends_early_or_is_too_large_is_no_message() {
        let eleven = [&[0x08][..], &[0xff; 10], &[1]].concat();
        let beyond = [&[0x08][..], &[0xff; 9], &[2]].concat();
        for bad in [
            &[0x08][..],
            &[0x08, 0x80],
            &[0x12, 5, 1],
            &[0x0d, 1],
            &[0x0b],
            &eleven,
            &beyond,
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            assert!(fields(bad).is_err(), "{bad:?}");
        }
    }
}
