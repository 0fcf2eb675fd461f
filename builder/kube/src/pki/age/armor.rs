//! ASCII armour: strict PEM (RFC 7468, section 3), but for white space around it and CRLF.

use base64ct::{Base64, Encoding};

use super::Error;

const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const COLUMNS: usize = 64;

/// Whether `file` begins as an armoured one does.
pub fn is_armored(file: &[u8]) -> bool {
    file.trim_ascii_start().starts_with(BEGIN.as_bytes())
}

/// Armours `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = format!("{BEGIN}\n");
    bytes.chunks(COLUMNS / 4 * 3).for_each(|line| text.extend([&Base64::encode_string(line), "\n"]));
    text + END + "\n"
}

/// The bytes in the armour, which has to be as [`encode`] would write it.
pub fn decode(file: &[u8]) -> Result<Vec<u8>, Error> {
    let text = str::from_utf8(file.trim_ascii()).map_err(|_| Error::Damaged("its armour is no ASCII"))?;
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let [BEGIN, full @ .., last, END] = lines.as_slice() else {
        return Err(Error::Damaged("its armour does not end as it should, so it was cut off"));
    };
    if full.iter().any(|line| line.len() != COLUMNS) || last.is_empty() || last.len() > COLUMNS {
        return Err(Error::Damaged("a line of its armour has a wrong length"));
    }
    Base64::decode_vec(&[full, &[*last]].concat().concat())
        .map_err(|_| Error::Damaged("its armour is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_armoured_is_read_back() {
        for length in [1, 47, 48, 49, 96, 97, 1000] {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let text = encode(&bytes);
            assert_eq!(decode(text.as_bytes()).unwrap(), bytes);
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            let from_windows = format!("\r\n {}\t", text.replace('\n', "\r\n"));
            assert!(is_armored(from_windows.as_bytes()));
            assert_eq!(decode(from_windows.as_bytes()).unwrap(), bytes);
        }
    }

    #[test]
    fn other_forms_of_the_same_bytes_are_refused() {
        let text = encode(&[7; 100]);
        for (from, to) in [
            ("-----END AGE ENCRYPTED FILE-----", ""),
            ("-----END AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE----"),
            ("-----END AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----\nmore"),
            ("FILE-----\n", "FILE-----\n\n"),
            ("FILE-----\n", "FILE-----\nVersion: 1\n\n"),
            ("FILE-----\n", "FILE----- \n"),
            ("FILE-----\nBwcH", "FILE-----\nBwcH\n"),
            ("FILE-----\nBwcH", "FILE-----\n BwcH"),
            ("Bw==", "Bw="),
            ("Bw==", "Bw"),
            ("Bw==", "Bx=="),
            ("Bw==", "Bw==\n"),
            ("Bw==", "=w=="),
            ("Bw==", "B!=="),
        ] {
            assert!(text.contains(from), "{from}");
            let altered = text.replacen(from, to, 1);
            assert!(decode(altered.as_bytes()).is_err(), "{altered}");
        }
        assert!(decode(format!("{BEGIN}\n{END}\n").as_bytes()).is_err());
    }
}
