//! Sending a file's bytes to the disk while more of it is written.

use std::{
    fs::File,
    io,
    sync::mpsc::{self, SyncSender},
    thread::{self, JoinHandle},
};

/// A thread that makes a file's bytes durable whenever it is told that there are more, so that the last sync finds little to do.
///
/// Kernels begin to write back after many seconds or gigabytes; until then the disk would idle.
#[derive(Debug)]
pub(crate) struct WriteBack {
    more: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl WriteBack {
    /// Begins for `file`.
    pub(crate) fn begin(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (more, wanted) = mpsc::sync_channel(1);
        let thread =
            thread::Builder::new().spawn(move || wanted.iter().try_for_each(|()| file.sync_data()))?;
        Ok(Self { more, thread })
    }

    /// There is more to be written. Told again while it is being done, it is done once more afterwards.
    pub(crate) fn wake(&self) {
        // Full: it will be done anyway. Closed: it has failed, and `finish` says so.
        let _ = self.more.try_send(());
    }

    /// Waits for what is under way. The kernel tells a failed write once, so what was told to the thread must not be lost.
    pub(crate) fn finish(self) -> io::Result<()> {
        drop(self.more);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn it_can_be_told_any_number_of_times() {
        let mut file = tempfile::tempfile().unwrap();
        let write_back = WriteBack::begin(&file).unwrap();
        for _ in 0..100 {
            file.write_all(&[1; 4096]).unwrap();
            write_back.wake();
        }
        write_back.finish().unwrap();
    }

    #[test]
    fn what_it_was_told_is_told_at_the_end() {
        let pipe = std::io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(pipe.1));
        let write_back = WriteBack::begin(&file).unwrap();
        write_back.wake();
        // A pipe cannot be made durable.
        assert!(write_back.finish().is_err());
    }
}
