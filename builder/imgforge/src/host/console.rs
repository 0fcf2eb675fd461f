//! The only place that writes to the terminal. Results go to standard output; everything else to standard error:
//! notes as plain lines, progress as a bar where there is a terminal to draw it on.
//!
//! What is said quotes images, archives, servers and files of others. Their control characters are shown and not sent, so that
//! no name can move the cursor, colour a line or pretend to be another.

use std::{
    borrow::Cow,
    error::Error as StdError,
    io::{self, IsTerminal, Write},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::colours::coloured;

/// Where messages go and how many of them.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    quiet: bool,
    draws: bool,
}

/// A bar that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Console {
    /// A console that says nothing but errors if `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, draws: !quiet && io::stderr().is_terminal() }
    }

    /// Says what is being done, or what the user should know.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(io::stderr(), "{}", coloured(&shown(text)));
        }
    }

    /// Whether there is somebody to [`ask`](Self::ask).
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// Asks a person who sits at the terminal, whether or not notes are wanted; `None` if standard input is none, or was
    /// ended. What is typed comes without the line's end.
    pub(crate) fn ask(&self, question: &str) -> io::Result<Option<String>> {
        if !self.can_ask() {
            return Ok(None);
        }
        let mut stderr = io::stderr();
        write!(stderr, "{} ", shown(question)).and_then(|()| stderr.flush())?;
        let mut line = String::new();
        let length = io::stdin().read_line(&mut line)?;
        Ok((length > 0).then(|| line.trim().to_owned()))
    }

    /// Writes a result to standard output. A reader that has gone away (`| head`) is no error.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        self.print_escaped(&shown(text))
    }

    /// The same for a text that has escaped, by the rules of its own format, what must not be sent.
    pub(crate) fn print_escaped(&self, text: &str) -> io::Result<()> {
        match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// A bar for `what`, of `total` bytes where that is known; without a terminal, one line.
    pub(crate) fn progress(&self, what: &str, total: Option<u64>) -> Progress {
        if !self.draws {
            self.note(what);
            return Progress(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = if total.is_some() {
            "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
        } else {
            "{msg} {spinner} {bytes}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(shown(what).into_owned());
        Progress(bar)
    }
}

impl Progress {
    /// `at` bytes are done, of `total` where that has become known.
    pub fn set(&self, at: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(at);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// `text` with its control characters escaped, but for the line feeds and tabs that lay it out. Those that turn the direction
/// of writing (Unicode Bidirectional Algorithm, explicit formatting) are among them.
fn shown(text: &str) -> Cow<'_, str> {
    let layout = |c: char| matches!(c, '\n' | '\t');
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_sent = |c: char| layout(c) || !(c.is_control() || turns(c));
    if text.chars().all(is_sent) {
        return Cow::Borrowed(text);
    }
    let escaped =
        text.chars().map(|c| if is_sent(c) { c.to_string() } else { c.escape_unicode().to_string() });
    Cow::Owned(escaped.collect())
}

/// Says an error with its causes, and what to do about it.
pub fn say(error: &dyn StdError, hint: Option<&str>) {
    // A closed standard error leaves nobody to tell.
    let _ = io::stderr().write_all(coloured(&render(error, hint)).as_bytes());
}

/// An error with its causes, and what to do about it: the text a user sees, without its colours.
pub fn render(error: &dyn StdError, hint: Option<&str>) -> String {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    let mut last = error.to_string();
    while let Some(error) = cause {
        let message = error.to_string();
        // An error that repeats its cause in its own words would say it twice.
        if !last.ends_with(&message) {
            text.push_str(&format!("  caused by: {message}\n"));
        }
        last = message;
        cause = error.source();
    }
    if let Some(hint) = hint {
        text.push_str(&format!("hint: {hint}\n"));
    }
    shown(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Chain {
        #[error("the server answered 404")]
        Cause,
        #[error("the transfer failed: {0}")]
        Repeats(#[source] Box<Chain>),
        #[error("cannot fetch the image")]
        Adds(#[source] Box<Chain>),
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let error = Chain::Adds(Box::new(Chain::Repeats(Box::new(Chain::Cause))));
        let text = render(&error, Some("try again"));
        assert_eq!(
            text,
            "error: cannot fetch the image\n  caused by: the transfer failed: the server answered 404\nhint: try again\n"
        );
    }

    #[test]
    fn control_characters_are_shown_and_layout_stays() {
        assert_eq!(shown("a\u{1b}[31mb\r\u{7f}\u{9b}2J"), "a\\u{1b}[31mb\\u{d}\\u{7f}\\u{9b}2J");
        assert_eq!(shown("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert!(matches!(shown("ein\tKnoten: Zürich\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_cause_that_says_more_is_said() {
        let text = render(&Chain::Adds(Box::new(Chain::Cause)), None);
        assert_eq!(text, "error: cannot fetch the image\n  caused by: the server answered 404\n");
    }
}
