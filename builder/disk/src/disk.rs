//! The disk image as a device: an immutable base and the delta over it.

use std::{
    io,
    ops::{Deref, Range},
    sync::Arc,
};

use imgforge_ext4::{Content, Device};

use crate::{
    delta::{Delta, PAGE, Source as RunSource},
    ranges::RangeSet,
    window::Window,
};

/// Where the bytes of an [`Extent`] come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Data of the base, unchanged, at the same offset.
    Base,
    /// A hole of the base, or the part of the disk beyond it: unchanged zeros.
    Hole,
    /// Bytes of the delta.
    Delta,
    /// Zeros that replace data of the base.
    Zero,
}

impl Source {
    /// Whether the bytes are known to be zero without reading them.
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Hole | Self::Zero)
    }

    /// Whether the bytes may differ from what the base has there.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Delta | Self::Zero)
    }
}

/// `length` bytes at `offset` (both in bytes) that have one [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte on the disk.
    pub offset: u64,
    /// Number of bytes, at least one.
    pub length: u64,
    /// Where they come from.
    pub source: Source,
}

/// A disk image under edit: reads fall through to the base, writes stay in the delta.
///
/// Small writes are kept in memory by pages; [`Device::place`] keeps a reference, so memory does not grow with what
/// is placed. The base is never written.
///
/// ```
/// use std::sync::Arc;
/// use imgforge_disk::{Content, Device, Disk};
///
/// let base = Arc::new(vec![7u8; 8192]);
/// let mut disk = Disk::new(base.clone());
/// disk.resize(16384);
/// disk.write_at(4096, b"patched")?;
/// let mut bytes = [0; 8];
/// disk.read_at(4096, &mut bytes)?;
/// assert_eq!(&bytes, b"patched\x07");
/// assert_eq!(base[4096], 7);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Disk {
    base: Arc<dyn Content>,
    delta: Delta,
    size: u64,
    /// What was written since the disk was made or forked.
    touched: RangeSet,
}

impl Disk {
    /// A disk that reads as `base` and has its size.
    pub fn new(base: Arc<dyn Content>) -> Self {
        let size = base.len();
        Self { base, delta: Delta::default(), size, touched: RangeSet::default() }
    }

    /// The same disk again, for edits of its own. Both share what was written so far, so a fork costs next to nothing.
    pub fn fork(&self) -> Self {
        Self { touched: RangeSet::default(), ..self.clone() }
    }

    /// The bytes that were written since the disk was [forked](Self::fork) or made: in order, apart from each other.
    /// What the disk has elsewhere is what it had then.
    pub fn touched(&self) -> impl Iterator<Item = Range<u64>> {
        self.touched.iter()
    }

    /// What the disk was made over.
    pub fn base(&self) -> &Arc<dyn Content> {
        &self.base
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the disk `size` bytes long. New bytes read as zero; bytes cut off do not come back.
    pub fn resize(&mut self, size: u64) {
        self.touched.insert(size.min(self.size)..size.max(self.size));
        if size < self.size {
            self.delta.cut(size..self.size);
            // What the base has there must not shine through when the disk grows again.
            let uncovered = size..self.size.min(self.base.len());
            if !uncovered.is_empty() {
                self.delta.put_zero(uncovered.start, uncovered.end - uncovered.start);
            }
        }
        self.size = size;
    }

    /// Fills `buf` with the bytes from `offset` on; a range beyond the end is an error.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let range = self.checked(offset, buf.len() as u64)?;
        let mut at = range.start;
        let mut rest = buf;
        for (start, run) in self.delta.overlapping(range.clone()) {
            let (gap, tail) = rest.split_at_mut((start.max(at) - at) as usize);
            self.read_base(at, gap)?;
            at += gap.len() as u64;
            let skip = at - start;
            let (part, tail) = tail.split_at_mut((run.length - skip).min(range.end - at) as usize);
            run.read_at(skip, part)?;
            at += part.len() as u64;
            rest = tail;
        }
        self.read_base(at, rest)
    }

    /// The part `range` (bytes) of the disk as a device and a stream of its own.
    ///
    /// Over `&mut disk` the window can be written; over `&disk` or an `Arc<Disk>` it can only be read. A range beyond
    /// the disk is an error.
    pub fn window<D: Deref<Target = Self>>(disk: D, range: Range<u64>) -> io::Result<Window<D>> {
        Window::new(disk, range)
    }

    /// What the disk is made of, in order and without gaps.
    ///
    /// Memory that holds the base's own bytes again counts as unchanged; this reads the base where memory lies over
    /// it. Placed content always counts as changed.
    pub fn extents(&self) -> io::Result<Vec<Extent>> {
        let mut extents = Extents::default();
        let base = BaseMap::new(&*self.base);
        let mut at = 0;
        for (start, run) in self.delta.overlapping(0..self.size) {
            base.split(at..start, &mut extents, [Source::Base, Source::Hole]);
            let end = (start + run.length).min(self.size);
            match &run.source {
                RunSource::Zero => base.split(start..end, &mut extents, [Source::Zero, Source::Hole]),
                RunSource::Memory(bytes) if self.base_equals(start, bytes)? => {
                    base.split(start..end, &mut extents, [Source::Base, Source::Hole]);
                }
                _ => extents.push(start..end, Source::Delta),
            }
            at = end;
        }
        base.split(at..self.size, &mut extents, [Source::Base, Source::Hole]);
        Ok(extents.0)
    }

    /// The bytes at which the disk may differ from its base, in order and apart from each other; beyond the base's end, those
    /// that are not zero.
    pub fn changed(&self) -> io::Result<Vec<Range<u64>>> {
        let extents = self.extents()?.into_iter().filter(|extent| extent.source.is_change());
        let mut changed = RangeSet::default();
        extents.for_each(|extent| changed.insert(extent.offset..extent.offset + extent.length));
        Ok(changed.iter().collect())
    }

    fn base_equals(&self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        let mut original = vec![0; bytes.len()];
        self.read_base(offset, &mut original)?;
        Ok(original == bytes)
    }

    fn read_base(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let inside = self.base.len().saturating_sub(offset).min(buf.len() as u64);
        let (data, beyond) = buf.split_at_mut(inside as usize);
        beyond.fill(0);
        if data.is_empty() { Ok(()) } else { self.base.read_at(offset, data) }
    }

    fn checked(&self, offset: u64, length: u64) -> io::Result<Range<u64>> {
        match offset.checked_add(length) {
            Some(end) if end <= self.size => Ok(offset..end),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{length} bytes at {offset} reach beyond the disk of {} bytes", self.size),
            )),
        }
    }
}

/// A disk is content like any other once it is finished: a read-only library can be put on it.
impl Content for Disk {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        Self::read_at(self, offset, buf)
    }
}

impl Device for Disk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        Self::read_at(self, offset, buf)
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let range = self.checked(offset, data.len() as u64)?;
        self.touched.insert(range.clone());
        let mut at = range.start;
        let mut rest = data;
        while !rest.is_empty() {
            let page = at - at % PAGE;
            let page_length = PAGE.min(self.size - page);
            let skip = (at - page) as usize;
            let (part, tail) = rest.split_at(rest.len().min(page_length as usize - skip));
            if let Some(bytes) = self.delta.page_mut(page, page_length) {
                bytes.iter_mut().skip(skip).zip(part).for_each(|(to, from)| *to = *from);
            } else {
                let mut bytes = vec![0; page_length as usize];
                if part.len() < bytes.len() {
                    self.read_at(page, &mut bytes)?;
                }
                bytes.iter_mut().skip(skip).zip(part).for_each(|(to, from)| *to = *from);
                self.delta.put(page, page_length, RunSource::Memory(Arc::new(bytes)));
            }
            at += part.len() as u64;
            rest = tail;
        }
        Ok(())
    }

    fn zero(&mut self, offset: u64, length: u64) -> io::Result<()> {
        self.touched.insert(self.checked(offset, length)?);
        self.delta.put_zero(offset, length);
        Ok(())
    }

    fn place(&mut self, offset: u64, content: &Arc<dyn Content>, from: u64, length: u64) -> io::Result<()> {
        let range = self.checked(offset, length)?;
        if from.checked_add(length).is_none_or(|end| end > content.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.touched.insert(range);
        self.delta.put(offset, length, RunSource::Content { content: Arc::clone(content), from });
        Ok(())
    }
}

/// Which parts of the base are data.
struct BaseMap {
    data: Vec<Range<u64>>,
}

impl BaseMap {
    fn new(base: &dyn Content) -> Self {
        Self { data: base.data() }
    }

    /// Cuts `range` where the base's data and holes meet; `[data, hole]` name the two kinds.
    fn split(&self, range: Range<u64>, extents: &mut Extents, [data, hole]: [Source; 2]) {
        let mut at = range.start;
        let first = self.data.partition_point(|part| part.end <= range.start);
        for part in self.data.iter().skip(first).take_while(|part| part.start < range.end) {
            extents.push(at..part.start.max(at), hole);
            extents.push(part.start.max(at)..part.end.min(range.end), data);
            at = part.end.min(range.end);
        }
        extents.push(at..range.end, hole);
    }
}

/// Extents in the making; neighbours of one kind become one.
#[derive(Default)]
struct Extents(Vec<Extent>);

impl Extents {
    fn push(&mut self, range: Range<u64>, source: Source) {
        if range.is_empty() {
            return;
        }
        let length = range.end - range.start;
        match self.0.last_mut() {
            Some(last) if last.source == source => last.length += length,
            _ => self.0.push(Extent { offset: range.start, length, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A base with a hole in its middle.
    #[derive(Debug)]
    struct Sparse;

    impl Content for Sparse {
        fn len(&self) -> u64 {
            3 * PAGE
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            for (at, byte) in (offset..).zip(buf) {
                *byte = u8::from(!(PAGE..2 * PAGE).contains(&at));
            }
            Ok(())
        }
        fn data(&self) -> Vec<Range<u64>> {
            vec![0..PAGE, 2 * PAGE..3 * PAGE]
        }
    }

    fn shape(disk: &Disk) -> Vec<(u64, u64, Source)> {
        disk.extents().unwrap().iter().map(|e| (e.offset / PAGE, e.length / PAGE, e.source)).collect()
    }

    #[test]
    fn extents_tell_base_holes_and_growth() {
        let mut disk = Disk::new(Arc::new(Sparse));
        disk.resize(5 * PAGE);
        assert_eq!(
            shape(&disk),
            [(0, 1, Source::Base), (1, 1, Source::Hole), (2, 1, Source::Base), (3, 2, Source::Hole)]
        );
    }

    #[test]
    fn writing_what_the_base_has_is_no_change() {
        let mut disk = Disk::new(Arc::new(Sparse));
        disk.write_at(10, &[9]).unwrap();
        assert_eq!(shape(&disk)[0], (0, 1, Source::Delta));
        disk.write_at(10, &[1]).unwrap();
        assert_eq!(shape(&disk)[0], (0, 1, Source::Base));
        disk.zero(PAGE, PAGE).unwrap();
        assert_eq!(shape(&disk)[1], (1, 1, Source::Hole));
    }

    #[test]
    fn zeros_over_data_are_a_change() {
        let mut disk = Disk::new(Arc::new(Sparse));
        disk.zero(0, 3 * PAGE).unwrap();
        assert_eq!(shape(&disk), [(0, 1, Source::Zero), (1, 1, Source::Hole), (2, 1, Source::Zero)]);
    }

    #[test]
    fn forks_go_their_own_ways() {
        let mut disk = Disk::new(Arc::new(Sparse));
        disk.write_at(10, &[9]).unwrap();
        let mut fork = disk.fork();
        fork.write_at(10, &[7]).unwrap();
        fork.zero(2 * PAGE, 5).unwrap();
        let byte_of = |disk: &Disk| {
            let mut byte = [0];
            disk.read_at(10, &mut byte).unwrap();
            byte[0]
        };
        assert_eq!((byte_of(&disk), byte_of(&fork)), (9, 7));
        assert_eq!(fork.touched().collect::<Vec<_>>(), [10..11, 2 * PAGE..2 * PAGE + 5]);
    }

    #[test]
    fn shrinking_forgets_the_base() {
        let mut disk = Disk::new(Arc::new(Sparse));
        disk.resize(PAGE);
        disk.resize(3 * PAGE);
        let mut byte = [9];
        disk.read_at(2 * PAGE, &mut byte).unwrap();
        assert_eq!(byte, [0]);
    }

    #[test]
    fn beyond_the_end_is_an_error() {
        let mut disk = Disk::new(Arc::new(Sparse));
        assert!(disk.read_at(3 * PAGE - 1, &mut [0; 2]).is_err());
        assert!(disk.write_at(u64::MAX, &[0; 2]).is_err());
        assert!(disk.zero(1, u64::MAX).is_err());
        let content: Arc<dyn Content> = Arc::new(vec![0; 4]);
        assert!(disk.place(0, &content, 2, 3).is_err());
    }
}
