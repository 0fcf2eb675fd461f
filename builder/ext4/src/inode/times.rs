//! The times of an inode: 32 bits of seconds, and in larger inodes a second word with two more and the nanoseconds.

use std::ops::RangeInclusive;

use super::Inode;

/// Offsets in the inode.
const CTIME_EXTRA: usize = 0x84;
const MTIME_EXTRA: usize = 0x88;
const ATIME_EXTRA: usize = 0x8c;
const CRTIME: usize = 0x90;
const CRTIME_EXTRA: usize = 0x94;

impl Inode {
    /// Seconds since 1970 and nanoseconds.
    pub(crate) fn mtime(&self) -> (i64, u32) {
        let extra = self.extra(MTIME_EXTRA).map_or(0, u32::from_le_bytes);
        (decode_seconds(self.core.i_mtime.get(), extra), extra >> 2)
    }

    pub(crate) fn set_mtime(&mut self, seconds: i64) {
        let (low, extra) = self.encode_seconds(seconds);
        self.core.i_mtime.set(low);
        self.put_extra(MTIME_EXTRA, extra);
    }

    pub(crate) fn set_ctime(&mut self, seconds: i64) {
        let (low, extra) = self.encode_seconds(seconds);
        self.core.i_ctime.set(low);
        self.put_extra(CTIME_EXTRA, extra);
    }

    pub(super) fn set_atime(&mut self, seconds: i64) {
        let (low, extra) = self.encode_seconds(seconds);
        self.core.i_atime.set(low);
        self.put_extra(ATIME_EXTRA, extra);
    }

    pub(super) fn set_crtime(&mut self, seconds: i64) {
        let (low, extra) = self.encode_seconds(seconds);
        self.put_extra(CRTIME, low);
        self.put_extra(CRTIME_EXTRA, extra);
    }

    /// The times the inode can hold: to 2038, or to 2446 with the extra fields.
    pub(crate) fn times(&self) -> RangeInclusive<i64> {
        let latest = if self.has(CTIME_EXTRA, 4) { (3 << 32) + i64::from(i32::MAX) } else { i32::MAX.into() };
        i32::MIN.into()..=latest
    }

    /// Low 32 bits and the two bits of the extra field above them. Times out of reach become the nearest one.
    fn encode_seconds(&self, seconds: i64) -> (u32, u32) {
        let times = self.times();
        let seconds = seconds.clamp(*times.start(), *times.end());
        let low = seconds as i32;
        (low as u32, ((seconds - i64::from(low)) >> 32) as u32 & 3)
    }
}

fn decode_seconds(low: u32, extra: u32) -> i64 {
    i64::from(low as i32) + (i64::from(extra & 3) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileType;

    #[test]
    fn times_reach_from_1901_to_2446() {
        let mut inode = Inode::new(256, FileType::Regular, 0);
        for seconds in [i64::from(i32::MIN), -1, 0, 1 << 31, 1 << 32, 15_032_385_535] {
            inode.set_mtime(seconds);
            assert_eq!(inode.mtime().0, seconds);
        }
        let mut small = Inode::new(128, FileType::Regular, 0);
        small.set_mtime(1 << 40);
        assert_eq!(small.mtime().0, i64::from(i32::MAX));
    }
}
