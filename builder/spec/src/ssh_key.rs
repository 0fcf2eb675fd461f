//! Lines of `authorized_keys`, read as sshd reads them (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
//!
//! sshd passes over a line that it does not understand without a word, and then nobody can log in. Public keys are told in
//! RFC 4253 (RSA), RFC 5656 (ECDSA), RFC 8709 (Ed25519) and OpenSSH's PROTOCOL.u2f (security tokens). Whether a point lies on
//! its curve is not asked. The `ssh-key` crate would bring those of ciphers and signatures, and knows no options.

use base64ct::{Base64, Encoding};

/// Why sshd would not take a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// A private key of any form.
    #[error(
        "this is a private key, which its owner gives to nobody: give the line in the `.pub` file beside it"
    )]
    Private,
    /// A public key in the form of RFC 4716 or of PEM.
    #[error("this is a key in another form than authorized_keys': `ssh-keygen -i -f FILE` prints the line")]
    OtherForm,
    /// More than one line, or control characters.
    #[error(
        "a line break or control character is in it: give each key as one line and an item of its own, not in a block (`|`)"
    )]
    Lines,
    /// A comment, or nothing.
    #[error("there is no key in it: remove it, or give a line such as `ssh-ed25519 AAAA… comment`")]
    Empty,
    /// No type of a key in it.
    #[error("no line for authorized_keys, such as `ssh-ed25519 AAAA… comment`")]
    NoKey,
    /// Data without the type before it.
    #[error("the type before the key's data is missing: give the whole line of the `.pub` file")]
    NoType,
    /// A type of former times.
    #[error("sshd takes no `{0}` keys any more: make another, `ssh-keygen -t ed25519`")]
    Outdated(&'static str),
    /// A certificate, which sshd compares with nothing in this file.
    #[error(
        "a certificate (`{0}`) lets nobody in: give the key of its authority, `cert-authority` before it"
    )]
    Certificate(String),
    /// An option that sshd does not know, or one it knows otherwise.
    #[error("option `{option}`: {problem}")]
    Option {
        /// The option's name, as it is written.
        option: String,
        /// What is wrong, and what is right.
        problem: &'static str,
    },
    /// A quote that does not end.
    #[error("a quote in the options does not end: close it, and write `\\\"` for one inside")]
    Quote,
    /// Blanks in the data.
    #[error("a blank cuts the key's data in two: write the key on one line, as it is in its `.pub` file")]
    Cut,
    /// Data that is none, or not all.
    #[error("the data behind `{0}` is no such key, or not all of it: copy the whole line of the `.pub` file")]
    Data(&'static str),
    /// Data of a key of another type.
    #[error("the data behind `{said}` is of a key `{is}`: copy the whole line of the `.pub` file")]
    OtherType {
        /// The type on the line.
        said: &'static str,
        /// The type in the data.
        is: String,
    },
    /// A key that sshd finds too short (RequiredRSASize).
    #[error("an RSA key of {0} bits, and sshd takes none below 1024: make another, `ssh-keygen -t ed25519`")]
    Short(usize),
    /// A key in the comment.
    #[error(
        "a second key is in the comment of the first, where sshd does not see it: give it as an item of its own"
    )]
    SecondKey,
}

/// The fields of a key's data behind its type.
#[derive(Debug, Clone, Copy)]
enum Field {
    /// A string of so many bytes.
    Bytes(usize),
    /// A string that is this one.
    Name(&'static str),
    /// A point of a curve, uncompressed, whose coordinates have so many bytes.
    Point(usize),
    /// A positive number.
    Number,
    /// A positive number of at least 1024 bits.
    Modulus,
    /// A text without NUL bytes but at its end.
    Text,
}

use Field::{Bytes, Modulus, Name, Number, Point, Text};

/// The types of keys that sshd takes, with their data.
const TYPES: [(&str, &[Field]); 7] = [
    ("ssh-ed25519", &[Bytes(32)]),
    ("ssh-rsa", &[Number, Modulus]),
    ("ecdsa-sha2-nistp256", &[Name("nistp256"), Point(32)]),
    ("ecdsa-sha2-nistp384", &[Name("nistp384"), Point(48)]),
    ("ecdsa-sha2-nistp521", &[Name("nistp521"), Point(66)]),
    ("sk-ssh-ed25519@openssh.com", &[Bytes(32), Text]),
    ("sk-ecdsa-sha2-nistp256@openssh.com", &[Name("nistp256"), Point(32), Text]),
];

/// Options without a value; those of the second list may begin with `no-`.
const FLAGS: [&str; 2] = ["restrict", "cert-authority"];
const SWITCHES: [&str; 7] = [
    "agent-forwarding",
    "port-forwarding",
    "pty",
    "touch-required",
    "user-rc",
    "verify-required",
    "x11-forwarding",
];

/// Options with a value in quotes; of the first list, each once.
const SINGLE: [&str; 3] = ["command", "from", "principals"];
const VALUES: [&str; 5] = ["environment", "expiry-time", "permitlisten", "permitopen", "tunnel"];

/// The longest number that OpenSSH reads, in bytes.
const LONGEST: usize = 16384 / 8;

/// Whether sshd takes `line` from `authorized_keys`.
pub fn check_authorized_key(line: &str) -> Result<(), InvalidKey> {
    let is_pem = line.trim_start().starts_with("-----BEGIN");
    if line.starts_with("PuTTY-User-Key-File") || (is_pem && line.contains("PRIVATE KEY")) {
        return Err(InvalidKey::Private);
    }
    if line.starts_with("----") {
        return Err(InvalidKey::OtherForm);
    }
    if line.contains(|c: char| c.is_control() && c != '\t') {
        return Err(InvalidKey::Lines);
    }
    let line = line.trim_matches(BLANKS);
    if line.is_empty() || line.starts_with('#') {
        return Err(InvalidKey::Empty);
    }
    if is_type(word(line).0) {
        return check_key(line);
    }
    let (options, key) = line.split_at(end_of_options(line)?);
    let key = key.trim_start_matches(BLANKS);
    match (is_type(word(key).0), options.starts_with("AAAA")) {
        (true, _) => check_options(options).and_then(|()| check_key(key)),
        (false, true) => Err(InvalidKey::NoType),
        (false, false) => Err(InvalidKey::NoKey),
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// The first word, and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(BLANKS).unwrap_or((text, ""));
    (word, rest.trim_start_matches(BLANKS))
}

/// Whether `word` names a type of keys, one that sshd takes or another.
fn is_type(word: &str) -> bool {
    word == "ssh-dss"
        || word.ends_with("-cert-v01@openssh.com")
        || TYPES.iter().any(|(name, _)| *name == word)
}

/// `key` is a type, data and perhaps a comment.
fn check_key(key: &str) -> Result<(), InvalidKey> {
    let (said, rest) = word(key);
    let Some((kind, fields)) = TYPES.iter().find(|(name, _)| *name == said) else {
        return Err(match said {
            "ssh-dss" => InvalidKey::Outdated("ssh-dss"),
            certificate => InvalidKey::Certificate(certificate.to_owned()),
        });
    };
    let (data, comment) = word(rest);
    check_data(kind, fields, data).map_err(|error| match error {
        InvalidKey::Data(_) if goes_on(comment) => InvalidKey::Cut,
        error => error,
    })?;
    let mut words = comment.split(BLANKS).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if is_type(word) && words.peek().is_some_and(|data| data.starts_with("AAAA")) {
            return Err(InvalidKey::SecondKey);
        }
    }
    Ok(())
}

/// Whether a comment looks like more of the data before it.
fn goes_on(comment: &str) -> bool {
    let (word, _) = word(comment);
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    !word.is_empty() && word.bytes().all(is_base64) && (word.len() >= 16 || word.ends_with('='))
}

fn check_data(kind: &'static str, fields: &[Field], data: &str) -> Result<(), InvalidKey> {
    let incomplete = InvalidKey::Data(kind);
    let bytes = Base64::decode_vec(data).map_err(|_| incomplete.clone())?;
    let mut rest = bytes.as_slice();
    let is = string(&mut rest).ok_or_else(|| incomplete.clone())?;
    if is != kind.as_bytes() {
        return Err(InvalidKey::OtherType {
            said: kind,
            is: String::from_utf8_lossy(is).escape_debug().to_string(),
        });
    }
    for field in fields {
        let bytes = string(&mut rest).ok_or_else(|| incomplete.clone())?;
        let fits = match field {
            Bytes(length) => bytes.len() == *length,
            Name(name) => bytes == name.as_bytes(),
            Point(length) => bytes.len() == 2 * length + 1 && bytes.first() == Some(&4),
            Number | Modulus => bits(bytes).is_some(),
            Text => bytes.iter().rev().skip(1).all(|&byte| byte != 0),
        };
        if !fits {
            return Err(incomplete);
        }
        if let (Modulus, Some(bits @ ..1024)) = (field, bits(bytes)) {
            return Err(InvalidKey::Short(bits));
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(incomplete) }
}

/// The string at the beginning of `rest`, which loses it: its length in four bytes, big-endian, and its bytes.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk()?;
    let (string, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = behind;
    Some(string)
}

/// How many bits a positive number has, written as RFC 4251 says; `None` for what OpenSSH does not read as such.
fn bits(number: &[u8]) -> Option<usize> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let (first, rest) = number.get(zeros..)?.split_first()?;
    let is_positive = zeros > 0 || *first < 0x80;
    let fits = number.len() <= LONGEST || (number.len() == LONGEST + 1 && zeros > 0);
    let bits_of_first = usize::try_from(8 - first.leading_zeros()).ok()?;
    (is_positive && fits).then(|| rest.len() * 8 + bits_of_first)
}

/// Where the options end that `line` begins with: at the first blank outside of quotes.
fn end_of_options(line: &str) -> Result<usize, InvalidKey> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            ' ' | '\t' if !is_quoted => return Ok(at),
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = c == '\\';
    }
    if is_quoted { Err(InvalidKey::Quote) } else { Ok(line.len()) }
}

/// Whether sshd knows all of `options`, which have their quotes closed; with an unknown one it does not take the key.
fn check_options(options: &str) -> Result<(), InvalidKey> {
    let mut given: Vec<String> = Vec::new();
    let mut rest = options;
    while !rest.is_empty() {
        let end = rest.find([',', '=', '"']).unwrap_or(rest.len());
        let (written, behind) = rest.split_at(end);
        let name = written.to_ascii_lowercase();
        let wrong = |problem| InvalidKey::Option { option: written.to_owned(), problem };
        let is = |names: &[&str]| names.contains(&name.as_str());
        let is_switch = is(&FLAGS) || SWITCHES.contains(&name.strip_prefix("no-").unwrap_or(&name));
        let behind = match behind.strip_prefix('=') {
            Some(value) if is(&SINGLE) || is(&VALUES) => {
                let value =
                    value.strip_prefix('"').ok_or_else(|| wrong("its value must be in quotes (\")"))?;
                value.get(end_of_value(value)..).unwrap_or_default()
            }
            Some(_) if is_switch => return Err(wrong("it has no value")),
            None if is_switch => behind,
            None if is(&SINGLE) || is(&VALUES) => return Err(wrong("its value is missing (=\"…\")")),
            _ => return Err(wrong("sshd knows no such option, and does not take the key")),
        };
        if is(&SINGLE) && given.contains(&name) {
            return Err(wrong("it is there twice"));
        }
        given.push(name);
        rest = match behind.strip_prefix(',') {
            Some(next) => next,
            None if behind.is_empty() => behind,
            None => return Err(wrong("a comma must be behind it")),
        };
    }
    Ok(())
}

/// Where the value in quotes ends whose inner text `value` begins with: behind the closing quote.
fn end_of_value(value: &str) -> usize {
    let mut is_escaped = false;
    let end = value.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\';
        ends
    });
    end.map_or(value.len(), |end| end + 1)
}
