//! Colours, as cargo has them: of the word that a line begins with, and only where somebody reads it on a terminal.

use std::{
    borrow::Cow,
    env,
    io::{self, IsTerminal as _},
};

/// Words that lines of ours begin with, and their colours (ECMA-48, Select Graphic Rendition).
const WORDS: [(&str, &str); 6] = [
    ("error:", "1;31"),
    ("warning:", "1;33"),
    ("notice:", "1;33"),
    ("  caused by:", "1"),
    ("hint:", "1;36"),
    ("note:", "1;32"),
];

/// `text`, coloured if standard error is to be.
pub(super) fn coloured(text: &str) -> Cow<'_, str> {
    let is_set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let is_dumb = is_set("TERM").is_some_and(|terminal| terminal == "dumb");
    // <https://no-color.org> and <https://bixense.com/clicolors/>
    let wanted = if is_set("NO_COLOR").is_some() {
        false
    } else if is_set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        true
    } else {
        io::stderr().is_terminal() && !is_dumb
    };
    if wanted { Cow::Owned(with_colours(text)) } else { Cow::Borrowed(text) }
}

fn with_colours(text: &str) -> String {
    let coloured = |line: &str| {
        let known = WORDS.iter().find(|(word, _)| line.starts_with(word));
        match known.and_then(|(word, colour)| Some((word, colour, line.strip_prefix(word)?))) {
            Some((word, colour, rest)) => format!("\u{1b}[{colour}m{word}\u{1b}[0m{rest}"),
            None => line.to_owned(),
        }
    };
    text.split_inclusive('\n').map(coloured).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_that_a_line_begins_with_has_a_colour() {
        assert_eq!(
            with_colours("error: no hint: here\n  caused by: rain\nhint: wait\nplain\n"),
            "\u{1b}[1;31merror:\u{1b}[0m no hint: here\n\u{1b}[1m  caused by:\u{1b}[0m rain\n\
             \u{1b}[1;36mhint:\u{1b}[0m wait\nplain\n"
        );
    }
}
