//! Ctrl-C, and being asked to end: half-made files go, then the process ends as the signal would have ended it.

use std::{io, thread};

use imgforge_disk::abandon_files;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};

use super::console::Console;

/// Watches for signals from now on. What a kill leaves behind, or a power cut, the next run finds.
pub(crate) fn watch(console: Console) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let end = move || {
        for signal in signals.forever() {
            let gone = abandon_files();
            console.note(&format!("interrupted: {gone} unfinished files are removed"));
            // The caller sees which signal it was. Should that fail, the next one tries again.
            let _ = emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(end).map(drop)
}
