//! Ctrl-C, a terminal that is gone, and being asked to end: half-made files go, then the process ends as the signal would have ended it.

use std::{
    fs, io,
    sync::{Mutex, PoisonError},
    thread,
};

use imgforge_disk::abandon_files;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};

use super::console::Console;

/// What there is to say besides when this process is interrupted.
static UNFINISHED: Mutex<Option<String>> = Mutex::new(None);

/// Held by whoever has the terminal not show what is typed: Ctrl-C ends the process only when it shows it again.
pub(crate) static TERMINAL: Mutex<()> = Mutex::new(());

/// Something outside of files is being changed as long as this lives; its text is said if it comes to an end before.
#[derive(Debug)]
pub(crate) struct Unfinished;

impl Unfinished {
    pub(crate) fn new(text: String) -> Self {
        *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        Self
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Watches for signals from now on. What a kill leaves behind, or a power cut, the next run finds.
pub(crate) fn watch(console: Console) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    let end = move || {
        for signal in signals.forever() {
            if signal == SIGINT {
                drop(TERMINAL.lock());
            }
            let gone = abandon_files();
            console.note(&format!("interrupted: {gone} unfinished files are removed"));
            // It stays locked: what finishes now must not be called unfinished.
            let unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
            unfinished.iter().for_each(|text| console.note(text));
            // The caller sees which signal it was. Should that fail, the next one tries again.
            let _ = emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(end).map(drop)
}

/// Whether whoever started this process has it ignore `signal`, as nohup(1) does with SIGHUP; where that is not told, it does not.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask =
        status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
