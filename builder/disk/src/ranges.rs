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

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let mut set = RangeSet::default();
        for range in [10..20, 40..50, 20..25, 5..5, 45..60, 0..3] {
            set.insert(range);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0..3, 10..25, 40..60]);
        set.insert(2..45);
        assert_eq!(set.iter().collect::<Vec<_>>(), std::iter::once(0..60).collect::<Vec<_>>());
    }
}
