//! The header: who can open the file.

use base64ct::{Base64Unpadded, Encoding};
use hmac::{Hmac, Mac};
use sha2_10::Sha256;

use super::{Error, FileKey, derive};

const VERSION: &str = "age-encryption.org/v1\n";
const COLUMNS: usize = 64;

/// A header, without what authenticates it.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    stanzas: Vec<Stanza>,
}

/// The file's key for one recipient, or for all who know something.
#[derive(Debug, PartialEq, Eq)]
pub struct Stanza {
    /// The kind of recipient.
    pub kind: String,
    /// What else its first line says.
    pub arguments: Vec<String>,
    /// The encrypted file key.
    pub body: Vec<u8>,
}

impl Header {
    pub fn new(stanzas: Vec<Stanza>) -> Self {
        Self { stanzas }
    }

    pub fn stanzas(&self) -> impl Iterator<Item = &Stanza> {
        self.stanzas.iter()
    }

    /// The header at the beginning of `file`, what it says to be its MAC, and the payload after it.
    pub fn parse(file: &[u8]) -> Result<(Self, Vec<u8>, &[u8]), Error> {
        let mut lines = Lines(file);
        if lines.next()? != VERSION.trim_end() {
            return Err(Error::Unsupported("by another version of age"));
        }
        let mut stanzas = Vec::new();
        loop {
            let line = lines.next()?;
            if let Some(mac) = line.strip_prefix("--- ") {
                let mac = decode(mac)?;
                return if stanzas.is_empty() {
                    Err(MALFORMED)
                } else {
                    Ok((Self { stanzas }, mac, lines.0))
                };
            }
            stanzas.push(Stanza::parse(line.strip_prefix("-> ").ok_or(MALFORMED)?, &mut lines)?);
        }
    }

    /// Refuses a header in which nothing can be for an X25519 key.
    pub fn check_kinds(&self) -> Result<(), Error> {
        let has = |kind| self.stanzas.iter().any(|stanza| stanza.kind == kind);
        match (has("X25519"), has("scrypt")) {
            // Who has the passphrase could have made the file, so nobody else may be told that it is genuine.
            (_, true) if self.stanzas.len() > 1 => Err(MALFORMED),
            (_, true) => Err(Error::Unsupported("with a passphrase")),
            (false, _) => Err(Error::Unsupported("with keys of other kinds")),
            (true, _) => Ok(()),
        }
    }

    /// The header as it stands in the file, authenticated by `file_key`.
    pub fn seal(&self, file_key: &FileKey) -> Result<Vec<u8>, Error> {
        let mac = self.mac(file_key)?.finalize().into_bytes();
        let end = format!(" {}\n", Base64Unpadded::encode_string(&mac));
        Ok((self.text() + &end).into_bytes())
    }

    /// Whether it was written by somebody who knew `file_key`. Reading is strict, so [`Header::text`] is what was read.
    pub fn verify(&self, file_key: &FileKey, mac: &[u8]) -> Result<(), Error> {
        self.mac(file_key)?.verify_slice(mac).map_err(|_| Error::Damaged("its header was changed"))
    }

    fn mac(&self, file_key: &FileKey) -> Result<Hmac<Sha256>, Error> {
        let key = derive(file_key.as_ref(), b"", b"header")?;
        let mac = Hmac::<Sha256>::new_from_slice(key.as_ref()).map_err(|_| Error::Length)?;
        Ok(mac.chain_update(self.text()))
    }

    /// What the MAC is of.
    fn text(&self) -> String {
        let stanzas = self.stanzas.iter().map(Stanza::text);
        [VERSION.to_owned()].into_iter().chain(stanzas).chain(["---".to_owned()]).collect()
    }
}

impl Stanza {
    fn parse(words: &str, lines: &mut Lines<'_>) -> Result<Self, Error> {
        let mut words = words.split(' ').map(str::to_owned);
        let kind = words.next().unwrap_or_default();
        let arguments: Vec<String> = words.collect();
        let is_word = |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_word(&kind) || !arguments.iter().all(is_word) {
            return Err(MALFORMED);
        }
        // A full line is followed by another one, be it empty.
        let mut body = String::new();
        loop {
            let line = lines.next()?;
            body.push_str(line);
            match line.len() {
                ..COLUMNS => break,
                COLUMNS => {}
                _ => return Err(MALFORMED),
            }
        }
        Ok(Self { kind, arguments, body: decode(&body)? })
    }

    fn text(&self) -> String {
        let mut text = format!("-> {}", self.kind);
        self.arguments.iter().for_each(|argument| text.extend([" ", argument]));
        text.push('\n');
        let body = Base64Unpadded::encode_string(&self.body);
        let mut rest = body.as_str();
        while let Some((line, after)) = rest.split_at_checked(COLUMNS) {
            text.extend([line, "\n"]);
            rest = after;
        }
        text + rest + "\n"
    }
}

const MALFORMED: Error = Error::Damaged("its header is malformed");

/// Base64 without padding, in its one canonical form.
pub fn decode(text: &str) -> Result<Vec<u8>, Error> {
    Base64Unpadded::decode_vec(text).map_err(|_| MALFORMED)
}

/// Reads text line by line.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, Error> {
        let end = self.0.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or(Error::Damaged("its header has no end, so it was cut off"))?;
        let (line, rest) = (&self.0[..end], &self.0[end + 1..]);
        self.0 = rest;
        str::from_utf8(line).map_err(|_| MALFORMED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::age::INTRODUCTION;

    const MAC: &str = "HK2NmOBN9Dpq0Gw6xMCuhFcQlQLvZ/wQUi/2scLG75s";

    fn header(stanzas: &str) -> String {
        format!("{VERSION}{stanzas}--- {MAC}\npayload")
    }

    fn stanza(length: usize) -> Stanza {
        Stanza { kind: "kind".into(), arguments: vec!["one".into(), "~!".into()], body: vec![7; length] }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for lengths in [vec![0], vec![32], vec![47, 48], vec![49, 96, 200, 0]] {
            let header = Header::new(lengths.into_iter().map(stanza).collect());
            let key = FileKey::new([3; 16]);
            let mut file = header.seal(&key).unwrap();
            file.extend(b"payload");
            let (read, mac, payload) = Header::parse(&file).unwrap();
            assert_eq!((&read, payload), (&header, b"payload".as_slice()));
            read.verify(&key, &mac).unwrap();
            assert!(read.verify(&FileKey::new([4; 16]), &mac).is_err());
            assert!(read.verify(&key, &mac[1..]).is_err());
        }
    }

    #[test]
    fn a_header_has_one_form_only() {
        Header::parse(header("-> kind\nAAAA\n").as_bytes()).unwrap();
        for malformed in [
            "",
            "->\n\n",
            "-> \n\n",
            "-> kind \n\n",
            "-> kind  one\n\n",
            "->kind\n\n",
            "-> kind\tone\n\n",
            "-> kind \u{7f}\n\n",
            "-> kind \u{e4}\n\n",
            "-> kind\r\n\n",
            "-> kind\nAAAA\r\n",
            "-> kind\n",
            "-> kind\nAAA=\n",
            "-> kind\nAA==\n",
            "-> kind\nAB\n",
            "-> kind\nA\n",
            "-> kind\nAAAA\nAAAA\n",
            "-> kind\nAA AA\n",
            &format!("-> kind\n{}\n", "A".repeat(64)),
            &format!("-> kind\n{}\n", "A".repeat(68)),
        ] {
            assert!(Header::parse(header(malformed).as_bytes()).is_err(), "{malformed}");
        }
        let good = header("-> kind\nAAAA\n");
        for (from, to) in [
            ("/v1\n", "/v2\n"),
            ("/v1\n", "/v1\r\n"),
            ("--- ", "---"),
            ("--- ", "---  "),
            ("75s\n", "75s \n"),
            ("75s\n", "75t\n"),
            ("75s\n", "75s=\n"),
            ("75s\n", "75s"),
        ] {
            assert!(Header::parse(good.replace(from, to).as_bytes()).is_err(), "{from} {to}");
        }
        assert!(INTRODUCTION == &VERSION.as_bytes()[..INTRODUCTION.len()]);
    }
}
