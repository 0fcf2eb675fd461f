//! Blocks: runs of free ones, taken and given back.

use std::ops::Range;

use super::{Kind, runs::FreeRuns};
use crate::{
    Device, Editor,
    error::{CorruptKind, Error, Result},
};

impl<D: Device> Editor<D> {
    /// The pieces of `range` that lie in one group each, in bits of that group.
    fn by_group(&self, range: Range<u64>) -> Vec<(u32, Range<u32>)> {
        let geometry = &self.volume.geometry;
        let mut pieces = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let group = geometry.group_of_block(at);
            let blocks = geometry.group_blocks(group);
            let end = range.end.min(blocks.end);
            pieces.push((group, (at - blocks.start) as u32..(end - blocks.start) as u32));
            at = end;
        }
        pieces
    }

    /// The blocks that would be taken for `count` blocks: one range if there is a free run that long, else the largest
    /// runs; ascending.
    pub(crate) fn plan_blocks(&mut self, count: u64) -> Result<Vec<Range<u64>>> {
        let run = self.space.run.clone();
        if run.end - run.start >= count {
            return Ok(std::iter::once(run.start..run.start + count)
                .filter(|range| !range.is_empty())
                .collect());
        }
        let mut planned = Vec::new();
        let mut left = count;
        let mut next = 0..0;
        for run in self.free_runs()?.by_rank() {
            let length = left.min(run.end - run.start);
            planned.push(run.start..run.start + length);
            left -= length;
            if left == 0 {
                next = run;
                break;
            }
        }
        if left > 0 {
            return Err(Error::NoSpace { needed: count, free: count - left });
        }
        self.space.run = next;
        planned.sort_by_key(|range| range.start);
        Ok(planned)
    }

    /// All maximal runs of free blocks, cut where the grown end begins; read from the bitmaps when first asked for.
    pub(crate) fn free_runs(&mut self) -> Result<&FreeRuns> {
        let runs = match self.space.runs.take() {
            Some(runs) => runs,
            None => self.read_free_runs()?,
        };
        Ok(self.space.runs.insert(runs))
    }

    fn read_free_runs(&mut self) -> Result<FreeRuns> {
        let mut runs = FreeRuns::new(self.space.grown_from.unwrap_or(u64::MAX));
        for group in 0..self.volume.geometry.groups {
            if self.volume.group(group)?.free_blocks_count == 0 {
                continue;
            }
            let start = self.volume.geometry.group_blocks(group).start;
            for bits in self.bitmap(Kind::Block, group)?.free_runs(0) {
                runs.give(start + u64::from(bits.start)..start + u64::from(bits.end));
            }
        }
        Ok(runs)
    }

    /// Takes `count` blocks, as [`plan_blocks`](Self::plan_blocks) chooses them.
    pub(crate) fn allocate_blocks(&mut self, count: u64) -> Result<Vec<Range<u64>>> {
        let planned = self.plan_blocks(count)?;
        for range in &planned {
            self.take_blocks(range.clone())?;
        }
        Ok(planned)
    }

    /// Takes one block.
    pub(crate) fn allocate_block(&mut self) -> Result<u64> {
        let range = self.allocate_blocks(1)?.pop();
        range.map(|range| range.start).ok_or(Error::NoSpace { needed: 1, free: 0 })
    }

    /// Marks free blocks as used.
    pub(crate) fn take_blocks(&mut self, range: Range<u64>) -> Result<()> {
        if self.space.run.contains(&range.start) {
            self.space.run.start = range.end.min(self.space.run.end);
        }
        for (group, bits) in self.by_group(range.clone()) {
            let start = self.volume.geometry.group_blocks(group).start;
            let count = bits.end - bits.start;
            let used = self.change_bitmap(Kind::Block, group, |bitmap| {
                let used = bits.clone().find(|bit| bitmap.is_set(*bit));
                bitmap.set(bits);
                used
            })?;
            if let Some(bit) = used {
                return Err(CorruptKind::BlockInUse { block: start + u64::from(bit) }.into());
            }
            self.volume.group_mut(group)?.free_blocks_count -= count;
        }
        match self.space.runs.as_mut().is_none_or(|runs| runs.take(&range)) {
            true => Ok(()),
            false => Err(CorruptKind::BlockInUse { block: range.start }.into()),
        }
    }

    /// Gives blocks back; they are zeroed at the end unless they are taken again.
    pub(crate) fn free_blocks_of(&mut self, range: Range<u64>) -> Result<()> {
        for block in range.clone() {
            self.volume.blocks.remove(&block);
        }
        for (group, bits) in self.by_group(range.clone()) {
            let start = self.volume.geometry.group_blocks(group).start;
            let count = bits.end - bits.start;
            let unused = self.change_bitmap(Kind::Block, group, |bitmap| {
                let unused = bits.clone().find(|bit| !bitmap.is_set(*bit));
                bitmap.clear(bits);
                unused
            })?;
            if let Some(bit) = unused {
                return Err(CorruptKind::BlockNotInUse { block: start + u64::from(bit) }.into());
            }
            self.volume.group_mut(group)?.free_blocks_count += count;
        }
        if let Some(runs) = &mut self.space.runs {
            runs.give(range.clone());
        }
        self.space.freed.push(range);
        Ok(())
    }

    /// The parts of `range` that are free.
    pub(crate) fn still_free(&mut self, range: Range<u64>) -> Result<Vec<Range<u64>>> {
        let mut free = Vec::new();
        for (group, bits) in self.by_group(range) {
            let start = self.volume.geometry.group_blocks(group).start;
            let bitmap = self.bitmap(Kind::Block, group)?;
            let runs = bitmap.free_runs(bits.start).take_while(|run| run.start < bits.end);
            free.extend(
                runs.map(|run| start + u64::from(run.start)..start + u64::from(run.end.min(bits.end))),
            );
        }
        Ok(free)
    }
}
