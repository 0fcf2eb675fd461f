//! The runs of free blocks, kept in step with the bitmaps, so that the next one to take is found without a search.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// All maximal runs of free blocks, none of which leads across `cut`.
///
/// Takes less than 100 bytes a run, which is little beside the image: where runs are many, each stands for at least two
/// blocks, itself and what parts it from the next.
#[derive(Debug)]
pub(crate) struct FreeRuns {
    /// First block, one past the last.
    by_start: BTreeMap<u64, u64>,
    /// In the order in which they are taken: from the cut on first, then the longest, then the lowest.
    by_rank: BTreeSet<(bool, Reverse<u64>, u64)>,
    cut: u64,
}

impl FreeRuns {
    pub(crate) fn new(cut: u64) -> Self {
        Self { by_start: BTreeMap::new(), by_rank: BTreeSet::new(), cut }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.by_start.len()
    }

    /// In the order of their blocks.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.by_start.iter().map(|(start, end)| *start..*end)
    }

    /// In the order in which they are taken.
    pub(crate) fn by_rank(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.by_rank.iter().map(|(_, Reverse(length), start)| *start..*start + *length)
    }

    /// Takes `range` out of the run it lies in; `false` if it lies in none.
    pub(crate) fn take(&mut self, range: &Range<u64>) -> bool {
        let run = self.by_start.range(..=range.start).next_back().map(|(start, end)| *start..*end);
        let Some(run) = run.filter(|run| range.end <= run.end) else { return false };
        self.remove(&run);
        self.insert(run.start..range.start);
        self.insert(range.end..run.end);
        true
    }

    /// Puts `range` in, of which no block may be in it already, as part of the runs it touches.
    pub(crate) fn give(&mut self, range: Range<u64>) {
        if range.start < self.cut && self.cut < range.end {
            self.give(range.start..self.cut);
            return self.give(self.cut..range.end);
        }
        let mut run = range;
        let before = self.by_start.range(..run.start).next_back().map(|(start, end)| *start..*end);
        if let Some(before) = before.filter(|before| before.end == run.start && run.start != self.cut) {
            self.remove(&before);
            run.start = before.start;
        }
        let after = self.by_start.get(&run.end).filter(|_| run.end != self.cut).map(|end| run.end..*end);
        if let Some(after) = after {
            self.remove(&after);
            run.end = after.end;
        }
        self.insert(run);
    }

    fn rank(&self, run: &Range<u64>) -> (bool, Reverse<u64>, u64) {
        (run.start < self.cut, Reverse(run.end - run.start), run.start)
    }

    fn insert(&mut self, run: Range<u64>) {
        if !run.is_empty() {
            self.by_rank.insert(self.rank(&run));
            self.by_start.insert(run.start, run.end);
        }
    }

    fn remove(&mut self, run: &Range<u64>) {
        self.by_rank.remove(&self.rank(run));
        self.by_start.remove(&run.start);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bitmap::Bitmap;

    const CUT: u64 = 100;

    /// The runs of a bitmap, cut.
    fn runs_of(bitmap: &Bitmap) -> Vec<Range<u64>> {
        let runs = bitmap.free_runs(0).map(|run| u64::from(run.start)..u64::from(run.end));
        runs.flat_map(|run| [run.start..run.end.min(CUT), run.start.max(CUT)..run.end])
            .filter(|run| !run.is_empty())
            .collect()
    }

    proptest! {
        #[test]
        fn they_are_those_of_the_bitmap(changes in proptest::collection::vec((0..256u32, 1..40u32), 1..60)) {
            let mut bitmap = Bitmap::new(1024, 256);
            let mut runs = FreeRuns::new(CUT);
            runs.give(0..256);
            for (start, length) in changes {
                let bits = start..(start + length).min(256);
                let range = u64::from(bits.start)..u64::from(bits.end);
                if bits.clone().all(|bit| bitmap.is_set(bit)) {
                    bitmap.clear(bits);
                    runs.give(range);
                } else if runs.take(&range) {
                    prop_assert!(bits.clone().all(|bit| !bitmap.is_set(bit)));
                    bitmap.set(bits);
                }
                let mut expected = runs_of(&bitmap);
                prop_assert_eq!(runs.in_order().collect::<Vec<_>>(), expected.clone());
                expected.sort_by_key(|run| (run.start < CUT, Reverse(run.end - run.start), run.start));
                prop_assert_eq!(runs.by_rank().collect::<Vec<_>>(), expected);
            }
        }
    }
}
