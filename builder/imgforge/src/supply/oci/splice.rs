//! Contents one after the other, as one.

use std::{io, sync::Arc};

use imgforge_disk::Content;

/// Parts in their order; none is copied.
#[derive(Debug, Default)]
pub(crate) struct Splice {
    /// Each with the offset at which it ends, ascending.
    parts: Vec<(u64, Arc<dyn Content>)>,
}

impl Splice {
    /// Appends `part`.
    ///
    /// # Errors
    /// If the whole would be longer than any file can be.
    pub fn push(&mut self, part: Arc<dyn Content>) -> io::Result<()> {
        let end = self.len().checked_add(part.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        if !part.is_empty() {
            self.parts.push((end, part));
        }
        Ok(())
    }
}

impl Content for Splice {
    fn len(&self) -> u64 {
        self.parts.last().map_or(0, |(end, _)| *end)
    }

    fn read_at(&self, offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.len());
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let first = self.parts.partition_point(|(end, _)| *end <= offset);
        let mut at = offset;
        for (end, part) in self.parts.iter().skip(first) {
            if buf.is_empty() {
                break;
            }
            let begin = end - part.len();
            let length = (end - at).min(buf.len() as u64) as usize;
            let (now, rest) = buf.split_at_mut(length);
            part.read_at(at - begin, now)?;
            at += length as u64;
            buf = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_reads_as_it_would_in_one_piece() {
        let mut splice = Splice::default();
        for part in ["abc", "", "d", "efgh"] {
            splice.push(Arc::new(part.as_bytes().to_vec())).unwrap();
        }
        let whole = b"abcdefgh";
        assert_eq!(splice.len(), 8);
        for from in 0..=8 {
            for to in from..=8 {
                let mut bytes = vec![0; to - from];
                splice.read_at(from as u64, &mut bytes).unwrap();
                assert_eq!(bytes, whole[from..to]);
            }
        }
        assert!(splice.read_at(7, &mut [0; 2]).is_err());
        assert!(splice.read_at(u64::MAX, &mut [0; 2]).is_err());
    }
}
