//! A floor under the speed of a transfer: a server that drips a byte now and then would hold a build for ever.

use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

/// The least that a source has to give.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    /// Bytes,
    pub bytes: u64,
    /// and the time in which they have to come.
    pub within: Duration,
}

/// A source that stays below its floor.
#[derive(Debug, thiserror::Error)]
#[error("only {bytes} bytes came in {} seconds", within.as_secs())]
pub struct TooSlow {
    /// Bytes that came,
    pub bytes: u64,
    /// in this time.
    pub within: Duration,
}

/// A reader that fails with [`TooSlow`] when its source does. Only the waiting for the source counts, not what is done with
/// its bytes.
#[derive(Debug)]
pub(crate) struct Paced<R> {
    source: R,
    floor: Floor,
    /// Bytes received, and the time waited for them, since the floor was last looked at.
    received: u64,
    waited: Duration,
}

impl<R> Paced<R> {
    /// `source`, held to `floor`.
    pub fn new(source: R, floor: Floor) -> Self {
        Self { source, floor, received: 0, waited: Duration::ZERO }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let asked = Instant::now();
        let length = self.source.read(buf)?;
        self.waited = self.waited.saturating_add(asked.elapsed());
        self.received = self.received.saturating_add(length as u64);
        if self.waited >= self.floor.within {
            let (bytes, within) = (self.received, self.waited);
            if length > 0 && bytes < self.floor.bytes {
                return Err(io::Error::other(TooSlow { bytes, within }));
            }
            (self.received, self.waited) = (0, Duration::ZERO);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Gives one byte at a time, after a pause.
    struct Drip(Duration);

    impl Read for Drip {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            thread::sleep(self.0);
            buf.first_mut().map_or(Ok(0), |byte| {
                *byte = 0;
                Ok(1)
            })
        }
    }

    #[test]
    fn a_source_that_drips_is_given_up() {
        let floor = Floor { bytes: 1000, within: Duration::from_millis(10) };
        let mut paced = Paced::new(Drip(Duration::from_millis(1)), floor);
        let error = paced.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| inner.is::<TooSlow>()), "{error}");
    }

    #[test]
    fn a_source_that_gives_enough_is_read_to_its_end() {
        let floor = Floor { bytes: 1000, within: Duration::from_secs(60) };
        let mut paced = Paced::new(io::repeat(7).take(1 << 20), floor);
        let mut bytes = Vec::new();
        paced.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 1 << 20);
    }

    #[test]
    fn the_time_that_the_reader_takes_for_itself_does_not_count() {
        let floor = Floor { bytes: 1000, within: Duration::from_millis(500) };
        let mut paced = Paced::new(io::repeat(7), floor);
        for _ in 0..3 {
            thread::sleep(floor.within);
            paced.read_exact(&mut [0]).unwrap();
        }
    }
}
