//! Foreign text as it may be printed: a terminal would obey what is not meant to be read.

use std::fmt::{self, Write};

/// Passes text on to a formatter, control characters and those that turn the direction of text written as escapes.
/// Newlines stay, as messages have several lines.
pub(crate) struct Shown<'a, 'b>(pub(crate) &'a mut fmt::Formatter<'b>);

impl Write for Shown<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if (c.is_control() && c != '\n') || turns {
                write!(self.0, "{}", c.escape_default())?;
            } else {
                self.0.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::control::Paragraph;
    use crate::identity::Identity;
    use crate::path::TreePath;

    #[test]
    fn nothing_shown_speaks_to_the_terminal() {
        let control = Paragraph::parse(b"Package: a\nVersion: 1\x1b[2J\nArchitecture: all\n").unwrap();
        let error = Identity::from_paragraph(&control).unwrap_err().to_string();
        assert!(!error.contains('\x1b') && error.contains("1b"), "{error}");
        let path = TreePath::from_absolute("/a\x1b]0;b\u{202e}\té".as_bytes()).unwrap();
        assert_eq!(path.to_string(), "/a\\u{1b}]0;b\\u{202e}\\té");
    }
}
