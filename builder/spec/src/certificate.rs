//! Certificates of authorities that a node trusts besides the public ones.

use base64ct::{Base64, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// One or more certificates of authorities, in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Certificates {
    /// The certificates themselves, from `-----BEGIN CERTIFICATE-----` on.
    #[serde(default)]
    pub content: Option<String>,
    /// Or a file that holds them, from the settings file's folder on.
    #[serde(default)]
    pub file: Option<String>,
    /// What `file` holds, once somebody has read it.
    #[serde(skip)]
    pub text: Option<String>,
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

impl Certificates {
    /// The Debian package that has programs trust them.
    pub const PACKAGE: &str = "ca-certificates";

    /// Each certificate, as PEM with lines of 64 characters (RFC 7468); none where the file is one that nobody has read yet.
    pub fn each(&self) -> Result<Vec<String>, Invalid> {
        let (setting, text) = match (&self.content, &self.file) {
            (Some(_), Some(_)) => {
                return Err(Invalid::new("file", "there is a `content` already; give one of both"));
            }
            (None, None) => return Err(Invalid::new("file", "give the `file` with a certificate in PEM")),
            (Some(content), None) => ("content", content),
            (None, Some(_)) => match &self.text {
                Some(text) => ("file", text),
                None => return Ok(Vec::new()),
            },
        };
        split(text).map_err(|message| Invalid::new(setting, message))
    }
}

/// The certificates in `text`, between which anything may stand but a key; the message says why there are none.
fn split(text: &str) -> Result<Vec<String>, String> {
    if text.contains("PRIVATE KEY-----") {
        return Err("there is a private key in it; a node gets the authority's certificate alone".into());
    }
    let mut parts = text.split(BEGIN);
    parts.next();
    let all: Vec<String> = parts.map(one).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(format!("there is no certificate in it: one in PEM begins with `{BEGIN}`"));
    }
    Ok(all)
}

/// One certificate, whose text begins after [`BEGIN`].
fn one(rest: &str) -> Result<String, String> {
    let (body, _) = rest.split_once(END).ok_or_else(|| format!("a certificate in it has no `{END}`"))?;
    let body: String = body.split_whitespace().collect();
    let bytes = Base64::decode_vec(&body).map_err(|_| "a certificate in it is not in base64".to_owned())?;
    if length(&bytes) != Some(bytes.len()) {
        return Err("a certificate in it is cut off, or none".into());
    }
    let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    Ok(format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")))
}

/// How long the SEQUENCE that `bytes` begin with says that it is, in bytes, its own head included (X.690, 8.1.3).
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0x30, 0x82, high, low, ..] => Some(4 + usize::from(u16::from_be_bytes([*high, *low]))),
        [0x30, 0x81, short, ..] => Some(3 + usize::from(*short)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SEQUENCE of 200 bytes in lines of `width` characters.
    fn pem(width: usize) -> String {
        let mut bytes = vec![0x30, 0x81, 197];
        bytes.resize(200, 7);
        let body = Base64::encode_string(&bytes);
        let lines: Vec<&str> =
            body.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }

    fn of(content: String) -> Result<Vec<String>, String> {
        let certificates = Certificates { content: Some(content), ..Certificates::default() };
        certificates.each().map_err(|error| error.to_string())
    }

    #[test]
    fn each_certificate_of_a_bundle_is_one() {
        let bundle = format!("# ours\r\n{}subject=x\n{}", pem(76).replace('\n', "\r\n"), pem(64));
        assert_eq!(of(bundle).unwrap(), [pem(64), pem(64)]);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        for (content, said) in [
            (String::new(), "there is no certificate in it"),
            ("<html>".into(), "there is no certificate in it"),
            (pem(64).replace("END", "AND"), "a certificate in it has no `-----END CERTIFICATE-----`"),
            (pem(64).replace("BwcH\n", "\n"), "a certificate in it is cut off, or none"),
            (pem(64).replace("BwcH", "B%cH"), "a certificate in it is not in base64"),
            (format!("{}-----BEGIN PRIVATE KEY-----\n", pem(64)), "there is a private key in it"),
        ] {
            let message = of(content).unwrap_err();
            assert!(message.starts_with(&format!("content: {said}")), "{message}");
        }
    }

    #[test]
    fn a_file_that_nobody_has_read_has_none_yet() {
        let file = Certificates { file: Some("ca.pem".into()), ..Certificates::default() };
        assert_eq!(file.each(), Ok(Vec::new()));
        let message = Certificates::default().each().unwrap_err().to_string();
        assert_eq!(message, "file: give the `file` with a certificate in PEM");
    }
}
