//! A set of byte ranges.

use std::{collections::BTreeMap, ops::Range};

/// Bytes, as ranges that neither overlap nor touch.
#[derive(Debug, Clone, Default)]
pub(crate) struct RangeSet {
    /// End by start.
    ranges: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// Puts in the bytes of `range`.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        while let Some((&before, &until)) =
            self.ranges.range(..=end).next_back().filter(|(_, until)| **until >= start)
        {
            self.ranges.remove(&before);
            start = start.min(before);
            end = end.max(until);
        }
        self.ranges.insert(start, end);
    }

    /// What of `range` is not in the set, in order.
    pub(crate) fn gaps_in(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let before = self.ranges.range(..range.start).next_back();
        let mut at = before.map_or(range.start, |(_, &end)| end.max(range.start));
        let mut gaps = Vec::new();
        for (&start, &end) in self.ranges.range(range.start..range.end.max(range.start)) {
            gaps.push(at..start);
            at = end;
        }
        gaps.push(at..range.end);
        gaps.retain(|gap| gap.start < gap.end);
        gaps
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges are the subject here")]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_not_in_it() {
        let mut set = RangeSet::default();
        for range in [10..20, 30..40] {
            set.insert(range);
        }
        assert_eq!(set.gaps_in(0..50), [0..10, 20..30, 40..50]);
        assert_eq!(set.gaps_in(15..35), [20..30]);
        assert_eq!(set.gaps_in(10..20), []);
        assert_eq!(set.gaps_in(22..25), [22..25]);
        assert_eq!(set.gaps_in(12..12), []);
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let mut set = RangeSet::default();
        for range in [10..20, 40..50, 20..25, 5..5, 45..60, 0..3] {
            set.insert(range);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0..3, 10..25, 40..60]);
        set.insert(2..45);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0..60]);
    }
}
