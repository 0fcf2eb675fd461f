//! Bytes as hexadecimal digits.

use std::fmt;

/// Shows bytes as pairs of lower-case hexadecimal digits.
///
/// ```
/// use imgforge_spec::Hex;
/// assert_eq!(Hex(b"\x00\xff").to_string(), "00ff");
/// assert_eq!(Hex::decode::<2>("00Ff"), Some([0x00, 0xff]));
/// assert_eq!(Hex::decode::<2>("00f"), None);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl Hex<'_> {
    /// Exactly `N` bytes, from `2 N` digits of either case; `None` for any other text.
    pub fn decode<const N: usize>(digits: &str) -> Option<[u8; N]> {
        let values: Vec<u8> = digits.bytes().map(digit).collect::<Option<_>>()?;
        let (pairs, rest) = values.as_chunks();
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        bytes.try_into().ok().filter(|_| rest.is_empty())
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
