//! Control data ("deb822"): paragraphs of fields, kept exactly as they were written.
//!
//! <https://www.debian.org/doc/debian-policy/ch-controlfields.html#syntax-of-control-files>. One syntax serves `control`
//! members, `Packages` indexes, `Release` files and `/var/lib/dpkg/status`.

use std::io::BufRead;

use crate::error::{Detail, Error, Result};

/// No paragraph of a real archive comes near this (bytes).
const PARAGRAPH_LIMIT: usize = 16 << 20;

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("control data, line {line}: {why}")]
    Syntax { line: u64, why: &'static str },
    #[error("control data, line {line}: paragraph is larger than {PARAGRAPH_LIMIT} bytes")]
    TooLarge { line: u64 },
    #[error("control data, line {line}: field {name} appears twice")]
    Duplicate { line: u64, name: String },
    #[error("control data: expected one paragraph, found {0}")]
    NotOne(&'static str),
    #[error("control data: field {0} is missing")]
    Missing(&'static str),
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Error::Malformed(Detail::new(kind))
    }
}

/// One field: its name, and its value as written after the colon.
///
/// The value starts without leading blanks; continuation lines keep their leading blank, so that writing
/// `name: value` gives the text that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name as spelled in the text; fields are found without regard to case.
    pub name: String,
    /// The value, without the final newline.
    pub value: String,
}

/// A paragraph (dpkg calls it a stanza): fields in the order they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paragraph {
    fields: Vec<Field>,
}

impl Paragraph {
    /// Reads the only paragraph of `text`, as a `control` member or a `Release` file has it.
    ///
    /// # Errors
    /// [`Error::Malformed`] if there is no paragraph or more than one, or the syntax is broken.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let mut paragraphs = Paragraphs::new(text);
        let first = paragraphs.next().ok_or(Kind::NotOne("none"))??;
        match paragraphs.next() {
            None => Ok(first),
            Some(_) => Err(Kind::NotOne("more").into()),
        }
    }

    /// The fields in their order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The value of the field `name`, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.as_str())
    }

    /// The value of a field that must be there.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is absent or empty.
    pub fn require(&self, name: &'static str) -> Result<&str> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| Kind::Missing(name).into())
    }

    /// Sets a field in place, or appends it.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.fields.iter_mut().find(|field| field.name.eq_ignore_ascii_case(name)) {
            Some(field) => field.value = value,
            None => self.fields.push(Field { name: name.to_owned(), value }),
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|field| !field.name.eq_ignore_ascii_case(name));
    }

    /// Appends the paragraph's text, without the blank line that ends it.
    pub fn write_to(&self, text: &mut String) {
        for Field { name, value } in &self.fields {
            let blank = if value.is_empty() || value.starts_with('\n') { "" } else { " " };
            text.extend([name, ":", blank, value, "\n"]);
        }
    }

    fn push(&mut self, field: Field, line: u64) -> Result<()> {
        if self.get(&field.name).is_some() {
            return Err(Kind::Duplicate { line, name: field.name }.into());
        }
        self.fields.push(field);
        Ok(())
    }
}

/// Streams the paragraphs of any reader, one in memory at a time.
#[derive(Debug)]
pub struct Paragraphs<R> {
    reader: R,
    line: u64,
    failed: bool,
}

impl<R: BufRead> Paragraphs<R> {
    /// Starts at the reader's position.
    pub fn new(reader: R) -> Self {
        Paragraphs { reader, line: 0, failed: false }
    }

    fn read_paragraph(&mut self) -> Result<Option<Paragraph>> {
        let mut paragraph = Paragraph::default();
        let mut field: Option<Field> = None;
        let mut size = 0;
        while let Some(line) = self.read_line(PARAGRAPH_LIMIT - size)? {
            size += line.len();
            let blank = line.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
            if line.starts_with('#') {
                continue;
            }
            if blank && line.is_empty() {
                if field.is_some() {
                    break;
                }
            } else if line.starts_with([' ', '\t']) {
                let value = &mut field.as_mut().ok_or(self.syntax("continuation without a field"))?.value;
                value.extend(["\n", &line]);
            } else {
                let next = parse_field(&line).ok_or(self.syntax("not of the form `Name: value`"))?;
                if let Some(done) = field.replace(next) {
                    paragraph.push(done, self.line)?;
                }
            }
        }
        let Some(last) = field else { return Ok(None) };
        paragraph.push(last, self.line)?;
        Ok(Some(paragraph))
    }

    /// One line without its newline; `None` at the end of the text.
    fn read_line(&mut self, limit: usize) -> Result<Option<String>> {
        let mut line = Vec::new();
        let mut bounded = std::io::Read::take(&mut self.reader, limit as u64 + 1);
        if bounded.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        if line.len() > limit {
            return Err(Kind::TooLarge { line: self.line }.into());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        String::from_utf8(line).map(Some).map_err(|_| self.syntax("not UTF-8").into())
    }

    fn syntax(&self, why: &'static str) -> Kind {
        Kind::Syntax { line: self.line, why }
    }
}

impl<R: BufRead> Iterator for Paragraphs<R> {
    type Item = Result<Paragraph>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.read_paragraph().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

fn parse_field(line: &str) -> Option<Field> {
    let (name, value) = line.split_once(':')?;
    let valid = |byte: u8| byte.is_ascii_graphic();
    if name.is_empty() || name.starts_with('-') || !name.bytes().all(valid) {
        return None;
    }
    Some(Field { name: name.to_owned(), value: value.trim_matches([' ', '\t']).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STANZA: &str = "Package: a\nConffiles:\n /etc/a 00\nDescription: short\n long\n .\n  indented\n";

    #[test]
    fn keeps_continuation_lines_as_they_are() {
        let paragraph = Paragraph::parse(STANZA.as_bytes()).unwrap();
        assert_eq!(paragraph.get("description"), Some("short\n long\n .\n  indented"));
        let mut text = String::new();
        paragraph.write_to(&mut text);
        assert_eq!(text, STANZA);
    }

    #[test]
    fn streams_paragraphs_across_several_blank_lines() {
        let text = format!("\n{STANZA}\n\n\nPackage: b");
        let names: Vec<String> = Paragraphs::new(text.as_bytes())
            .map(|paragraph| paragraph.unwrap().require("Package").unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn broken_text_names_its_line_and_ends_the_stream() {
        let mut paragraphs = Paragraphs::new(&b"Package: a\nnonsense\n\nPackage: b\n"[..]);
        assert_eq!(
            paragraphs.next().unwrap().unwrap_err().to_string(),
            "malformed input: control data, line 2: not of the form `Name: value`"
        );
        assert!(paragraphs.next().is_none());
        for text in [" continuation", "A: 1\nA: 2", "A: \u{0}\n: x", "", "A: 1\n\nB: 2"] {
            assert!(Paragraph::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Paragraph::parse(b"A: \xff").is_err());
    }

    #[test]
    fn an_endless_paragraph_is_refused_with_bounded_memory() {
        let endless = std::io::BufReader::new(std::io::Read::chain(&b"A: "[..], std::io::repeat(b'x')));
        assert!(Paragraphs::new(endless).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            values in prop::collection::vec("([!-~]([ -~]{0,9}[!-~])?)?(\n [!-~]{1,9}){0,3}", 1..6)
        ) {
            let mut paragraph = Paragraph::default();
            for (index, value) in values.iter().enumerate() {
                paragraph.set(&format!("Field-{index}"), value.as_str());
            }
            let mut text = String::new();
            paragraph.write_to(&mut text);
            prop_assert_eq!(Paragraph::parse(text.as_bytes()).unwrap(), paragraph);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Paragraphs::new(bytes.as_slice()).for_each(drop);
        }
    }
}
