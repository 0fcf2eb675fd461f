//! What differs from the base: runs of bytes in memory, references to content, zeros.
//!
//! Bytes in memory are shared between copies of a delta until one of them is written to.

use std::{collections::BTreeMap, io, ops::Range, sync::Arc};

use imgforge_ext4::Content;

/// Small edits are kept in whole pages of this many bytes, so that a thousand edits of one sector cost one page.
pub(crate) const PAGE: u64 = 4096;

/// Where the bytes of a run are.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Memory(Arc<Vec<u8>>),
    Content { content: Arc<dyn Content>, from: u64 },
    Zero,
}

/// `length` bytes of one source.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) length: u64,
    pub(crate) source: Source,
}

impl Run {
    /// The part of `length` bytes that begins `skip` bytes into the run; both lie inside it.
    fn part(&self, skip: u64, length: u64) -> Self {
        let source = match &self.source {
            Source::Memory(bytes) => {
                let part = bytes.iter().skip(skip as usize).take(length as usize);
                Source::Memory(Arc::new(part.copied().collect()))
            }
            Source::Content { content, from } => {
                Source::Content { content: Arc::clone(content), from: from + skip }
            }
            Source::Zero => Source::Zero,
        };
        Self { length, source }
    }

    /// Fills `buf` with the run's bytes from `skip` on.
    pub(crate) fn read_at(&self, skip: u64, buf: &mut [u8]) -> io::Result<()> {
        match &self.source {
            Source::Memory(bytes) => bytes.read_at(skip, buf),
            Source::Content { content, from } => content.read_at(from + skip, buf),
            Source::Zero => {
                buf.fill(0);
                Ok(())
            }
        }
    }
}

/// Runs by their offset on the disk, never overlapping.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delta {
    runs: BTreeMap<u64, Run>,
}

impl Delta {
    /// The runs that share bytes with `range`, in order.
    pub(crate) fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &Run)> {
        let before = self.runs.range(..range.start).next_back();
        let before = before.filter(|(at, run)| *at + run.length > range.start);
        before.into_iter().chain(self.runs.range(range)).map(|(at, run)| (*at, run))
    }

    /// Takes the bytes of `range` out of the delta.
    pub(crate) fn cut(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let touched: Vec<u64> = self.overlapping(range.clone()).map(|(at, _)| at).collect();
        for at in touched {
            let Some(run) = self.runs.remove(&at) else { continue };
            let end = at + run.length;
            if at < range.start {
                self.runs.insert(at, run.part(0, range.start - at));
            }
            if end > range.end {
                self.runs.insert(range.end, run.part(range.end - at, end - range.end));
            }
        }
    }

    /// Lets `length` bytes at `offset` come from `source`.
    pub(crate) fn put(&mut self, offset: u64, length: u64, source: Source) {
        if length == 0 {
            return;
        }
        self.cut(offset..offset + length);
        self.runs.insert(offset, Run { length, source });
    }

    /// Lets `length` bytes at `offset` be zero; joins zeros that touch.
    pub(crate) fn put_zero(&mut self, offset: u64, length: u64) {
        if length == 0 {
            return;
        }
        let (mut start, mut end) = (offset, offset + length);
        self.cut(start..end);
        let before = self.runs.range(..start).next_back();
        if let Some((&at, _)) =
            before.filter(|(at, run)| **at + run.length == start && matches!(run.source, Source::Zero))
        {
            self.runs.remove(&at);
            start = at;
        }
        if let Some(next) = self.runs.get(&end).filter(|run| matches!(run.source, Source::Zero)) {
            let next_length = next.length;
            self.runs.remove(&end);
            end += next_length;
        }
        self.runs.insert(start, Run { length: end - start, source: Source::Zero });
    }

    /// The page at `offset`, if it is in memory as a whole.
    pub(crate) fn page_mut(&mut self, offset: u64, length: u64) -> Option<&mut [u8]> {
        match self.runs.get_mut(&offset) {
            Some(Run { length: run_length, source: Source::Memory(bytes) }) if *run_length == length => {
                Some(Arc::make_mut(bytes).as_mut_slice())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(delta: &Delta) -> Vec<(u64, u64)> {
        delta.overlapping(0..u64::MAX).map(|(at, run)| (at, run.length)).collect()
    }

    #[test]
    fn cutting_keeps_both_sides_with_their_bytes() {
        let mut delta = Delta::default();
        delta.put(100, 6, Source::Memory(Arc::new(vec![1, 2, 3, 4, 5, 6])));
        delta.cut(102..104);
        assert_eq!(shape(&delta), [(100, 2), (104, 2)]);
        let mut tail = [0; 2];
        let (_, run) = delta.overlapping(104..106).next().unwrap();
        run.read_at(0, &mut tail).unwrap();
        assert_eq!(tail, [5, 6]);
    }

    #[test]
    fn a_reference_is_cut_without_reading_it() {
        let content: Arc<dyn Content> = Arc::new((0..100).collect::<Vec<u8>>());
        let mut delta = Delta::default();
        delta.put(0, 50, Source::Content { content, from: 10 });
        delta.put(20, 5, Source::Zero);
        assert_eq!(shape(&delta), [(0, 20), (20, 5), (25, 25)]);
        let mut byte = [0];
        delta.overlapping(25..26).next().unwrap().1.read_at(0, &mut byte).unwrap();
        assert_eq!(byte, [35]);
    }

    #[test]
    fn touching_zeros_become_one_run() {
        let mut delta = Delta::default();
        for block in [0, 2, 1, 3] {
            delta.put_zero(block * PAGE, PAGE);
        }
        assert_eq!(shape(&delta), [(0, 4 * PAGE)]);
    }
}
