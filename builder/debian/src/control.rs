//! Control data ("deb822"): paragraphs of fields, kept exactly as they were written.
//!
//! <https://www.debian.org/doc/debian-policy/ch-controlfields.html#syntax-of-control-files>. One syntax serves `control`
//! members, `Packages` indexes, `Release` files and `/var/lib/dpkg/status`.

use std::io::BufRead;

use crate::error::{Detail, Error, Result};

/// No paragraph of a real archive comes near this (bytes).
const PARAGRAPH_LIMIT: usize = 16 << 20;

const BLANKS: [char; 2] = [' ', '\t'];

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

    /// Takes fields whose names differ.
    pub(crate) fn of_distinct(fields: Vec<Field>) -> Self {
        Paragraph { fields }
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
        self.required(name)
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
}

/// Fields looked up by name, whoever owns their text.
pub(crate) trait Fields {
    /// The value of the field `name`, in any case.
    fn field(&self, name: &str) -> Option<&str>;

    /// The value of a field that must be there and not be empty.
    fn required(&self, name: &'static str) -> Result<&str> {
        self.field(name).filter(|value| !value.is_empty()).ok_or_else(|| Kind::Missing(name).into())
    }
}

impl Fields for Paragraph {
    fn field(&self, name: &str) -> Option<&str> {
        self.get(name)
    }
}

/// A paragraph in the text it was read from.
#[derive(Debug)]
pub(crate) struct RawParagraph<'a> {
    text: &'a str,
    spans: &'a [Span],
}

impl<'a> RawParagraph<'a> {
    fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let text = self.text;
        self.spans.iter().map(move |span| (span.name_in(text), span.value_in(text)))
    }
}

impl Fields for RawParagraph<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Where a field lies in the text of its paragraph (bytes).
#[derive(Debug)]
struct Span {
    start: usize,
    name_end: usize,
    value_start: usize,
    end: usize,
}

impl Span {
    /// Finds a field in the first line of it, which lies in the text from `start` on.
    fn find(line: &str, start: usize) -> Option<Self> {
        let (name, value) = line.split_once(':')?;
        let valid = |byte: u8| byte.is_ascii_graphic();
        if name.is_empty() || name.starts_with('-') || !name.bytes().all(valid) {
            return None;
        }
        let (name_end, end) = (start + name.len(), start + line.len());
        Some(Span { start, name_end, value_start: end - value.trim_start_matches(BLANKS).len(), end })
    }

    fn name_in<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start..self.name_end).unwrap_or_default()
    }

    fn value_in<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.value_start..self.end).unwrap_or_default()
    }
}

/// Streams the paragraphs of any reader, one in memory at a time.
#[derive(Debug)]
pub struct Paragraphs<R> {
    reader: R,
    line: u64,
    failed: bool,
    /// The current paragraph, its comments left out.
    text: String,
    spans: Vec<Span>,
    buffer: Vec<u8>,
}

impl<R: BufRead> Paragraphs<R> {
    /// Starts at the reader's position.
    pub fn new(reader: R) -> Self {
        let (text, spans, buffer) = Default::default();
        Paragraphs { reader, line: 0, failed: false, text, spans, buffer }
    }

    /// The next paragraph where it lies, so that whoever needs few of its fields copies few; `None` after the last and
    /// after an error.
    pub(crate) fn next_raw(&mut self) -> Option<Result<RawParagraph<'_>>> {
        if self.failed {
            return None;
        }
        match self.read_paragraph() {
            Ok(()) if self.spans.is_empty() => None,
            Ok(()) => Some(Ok(RawParagraph { text: &self.text, spans: &self.spans })),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }

    /// Reads up to the end of a paragraph; at the end of the text there are no fields.
    fn read_paragraph(&mut self) -> Result<()> {
        self.text.clear();
        self.spans.clear();
        let mut size = 0;
        while self.read_line(PARAGRAPH_LIMIT - size)? {
            size += self.buffer.len();
            let line = std::str::from_utf8(&self.buffer).map_err(|_| syntax(self.line, "not UTF-8"))?;
            match line.as_bytes().first() {
                Some(b'#') => {}
                None if self.spans.is_empty() => {}
                None => break,
                Some(b' ' | b'\t') => {
                    let span = self.spans.last_mut();
                    let span = span.ok_or(syntax(self.line, "continuation without a field"))?;
                    self.text.extend(["\n", line]);
                    span.end = self.text.len();
                }
                Some(_) => {
                    let line = line.trim_end_matches(BLANKS);
                    let next = Span::find(line, self.text.len());
                    self.text.push_str(line);
                    self.add(next.ok_or(syntax(self.line, "not of the form `Name: value`"))?)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, span: Span) -> Result<()> {
        let name = span.name_in(&self.text);
        if self.spans.iter().any(|known| known.name_in(&self.text).eq_ignore_ascii_case(name)) {
            return Err(Kind::Duplicate { line: self.line, name: name.to_owned() }.into());
        }
        self.spans.push(span);
        Ok(())
    }

    /// Puts one line without its newline into the buffer; tells whether there was one.
    fn read_line(&mut self, limit: usize) -> Result<bool> {
        self.buffer.clear();
        let mut bounded = std::io::Read::take(&mut self.reader, limit as u64 + 1);
        if bounded.read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(false);
        }
        self.line += 1;
        if self.buffer.len() > limit {
            return Err(Kind::TooLarge { line: self.line }.into());
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        }
        Ok(true)
    }
}

impl<R: BufRead> Iterator for Paragraphs<R> {
    type Item = Result<Paragraph>;

    fn next(&mut self) -> Option<Self::Item> {
        let owned = |(name, value): (&str, &str)| Field { name: name.to_owned(), value: value.to_owned() };
        let paragraph = |raw: RawParagraph| Paragraph { fields: raw.iter().map(owned).collect() };
        self.next_raw().map(|raw| raw.map(paragraph))
    }
}

fn syntax(line: u64, why: &'static str) -> Kind {
    Kind::Syntax { line, why }
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
