//! The only place that writes to the terminal. Results go to standard output; everything else to standard error:
//! notes as plain lines, progress as a bar where there is a terminal to draw it on.

use std::{
    error::Error as StdError,
    io::{self, IsTerminal, Write},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where messages go and how many of them.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    quiet: bool,
    draws: bool,
}

/// A bar that ends when it is dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Console {
    /// A console that says nothing but errors if `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, draws: !quiet && io::stderr().is_terminal() }
    }

    /// Says what is being done, or what the user should know.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Writes a result to standard output. A reader that has gone away (`| head`) is no error.
    pub fn print(&self, text: &str) -> io::Result<()> {
        match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// A bar for `what`, of `total` bytes where that is known; without a terminal, one line.
    pub fn progress(&self, what: &str, total: Option<u64>) -> Progress {
        if !self.draws {
            self.note(what);
            return Progress(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = if total.is_some() {
            "{msg} {bar:30} {bytes}/{total_bytes} {eta}"
        } else {
            "{msg} {spinner} {bytes}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
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

/// An error with its causes, and what to do about it: the text a user sees.
pub fn render(error: &dyn StdError, hint: Option<&str>) -> String {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    let mut last = error.to_string();
    while let Some(error) = cause {
        let message = error.to_string();
        // Wrappers that only pass a message on would say it twice.
        if message != last {
            text.push_str(&format!("  caused by: {message}\n"));
        }
        last = message;
        cause = error.source();
    }
    if let Some(hint) = hint {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}
