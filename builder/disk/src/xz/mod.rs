//! The blocks of an .xz file: where each lies, what it decodes to. Gives random access and parallel decoding.

pub(crate) mod format;

use std::{io, ops::Range};

use imgforge_ext4::Content;
use xz2::stream::{Action, Status, Stream};

pub use self::format::Flags;
use self::format::{FRAME, Record};
use crate::{
    content::FileContent,
    decode,
    error::{Error, Result},
};

/// The most memory one decoder may take, in bytes: enough for `xz -9`, whose dictionary has 64 MiB.
pub(crate) const DECODER_MEMORY: u64 = 80 << 20;
/// The most blocks we keep in memory; an image of 1 TiB in blocks of 1 MiB has as many.
const MAX_BLOCKS: u64 = 1 << 20;
const CHUNK: usize = 256 << 10;

/// Why the blocks of an .xz file cannot be told or decoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("not an .xz file: it has no stream header")]
    Header,
    #[error("the .xz file does not end with a stream footer: it is cut off, or something follows it")]
    Footer,
    #[error("the index of the .xz file is damaged")]
    Index,
    #[error("the .xz file has {count} blocks; at most {limit} are supported")]
    TooManyBlocks { count: u64, limit: u64 },
    #[error("the .xz file is damaged in the block at byte {at}: {reason}")]
    Block { at: u64, reason: String },
}

/// One block of an .xz file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    pub(crate) record: Record,
    pub(crate) flags: Flags,
    /// Offset of the block in the file, in bytes.
    offset: u64,
    /// Offset of its data in the image, in bytes.
    start: u64,
}

impl Block {
    /// The bytes of the image that the block decodes to.
    pub fn image_range(&self) -> Range<u64> {
        self.start..self.start + self.record.uncompressed_size
    }

    /// The bytes of the file that the block takes, padding included.
    pub fn file_range(&self) -> Range<u64> {
        self.offset..self.offset + self.record.total_size()
    }
}

/// An .xz file and its blocks in order, of all its streams.
#[derive(Debug, Clone)]
pub struct XzFile {
    file: FileContent,
    blocks: Vec<Block>,
    image_size: u64,
}

impl XzFile {
    /// Reads the indexes of `file`. Nothing is decoded.
    pub fn open(file: FileContent) -> Result<Self> {
        let unreadable = |error| Error::io("cannot read", file.path(), error);
        let mut streams = Vec::new();
        let mut end = file.len();
        let mut blocks_left = MAX_BLOCKS;
        while end > 0 {
            end = skip_padding(&file, end).map_err(unreadable)?;
            let stream = read_stream(&file, end, blocks_left)?;
            end = stream.start;
            // A stream without blocks takes memory, too.
            let taken = stream.records.len().max(1) as u64;
            let more = Fault::TooManyBlocks { count: MAX_BLOCKS + 1, limit: MAX_BLOCKS };
            blocks_left = blocks_left.checked_sub(taken).ok_or(more)?;
            streams.push(stream);
        }
        let mut blocks = Vec::new();
        let mut start: u64 = 0;
        for stream in streams.into_iter().rev() {
            let mut offset = stream.start + FRAME;
            for record in stream.records {
                blocks.push(Block { record, flags: stream.flags, offset, start });
                offset += record.total_size();
                start = start.checked_add(record.uncompressed_size).ok_or(Fault::Index)?;
            }
        }
        if blocks.is_empty() && file.len() == 0 {
            return Err(Fault::Header.into());
        }
        Ok(Self { file, blocks, image_size: start })
    }

    /// The blocks in the order of the image.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Size of the decoded image in bytes, as the indexes say.
    pub fn image_size(&self) -> u64 {
        self.image_size
    }

    /// Decodes one block and checks its integrity; `give` gets the data piece by piece.
    ///
    /// The decoder sees a stream of this block alone: a header, the block, an index of one record, a footer. So sizes
    /// and checks are all verified by liblzma.
    pub(crate) fn decode_block(
        &self,
        block: &Block,
        mut give: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let damaged = |reason: String| Fault::Block { at: block.offset, reason };
        let failed = |error: xz2::stream::Error| match error {
            xz2::stream::Error::MemLimit => Error::unsupported(decode::Foreign::Memory(DECODER_MEMORY)),
            other => damaged(other.to_string()).into(),
        };
        let mut decoder = Stream::new_stream_decoder(DECODER_MEMORY, 0).map_err(failed)?;
        let mut output = vec![0; CHUNK];
        let mut filled = 0;
        let index = format::encode_index(&[block.record]);
        let tail = [index.as_slice(), &format::encode_footer(block.flags, index.len() as u64)].concat();

        let mut feed = |mut input: &[u8]| -> Result<bool> {
            loop {
                let (before_in, before_out) = (decoder.total_in(), decoder.total_out());
                let status =
                    decoder.process(input, output.get_mut(filled..).unwrap_or_default(), Action::Run);
                input = input.get((decoder.total_in() - before_in) as usize..).unwrap_or_default();
                filled += (decoder.total_out() - before_out) as usize;
                let status = status.map_err(failed)?;
                let end = status == Status::StreamEnd;
                if filled == output.len() || end {
                    give(output.get(..filled).unwrap_or_default())?;
                    filled = 0;
                } else if input.is_empty() {
                    return Ok(false);
                }
                if end {
                    return Ok(true);
                }
            }
        };
        feed(&format::encode_header(block.flags))?;
        self.copy_block(block, |part| feed(part).map(drop))?;
        if feed(&tail)? { Ok(()) } else { Err(damaged("it ends early".to_owned()).into()) }
    }

    /// The block's bytes as they are in the file, padding included; `give` gets them piece by piece.
    pub(crate) fn copy_block(&self, block: &Block, mut give: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut buffer = vec![0; CHUNK];
        let range = block.file_range();
        let mut at = range.start;
        while at < range.end {
            let length = (range.end - at).min(CHUNK as u64) as usize;
            let part = buffer.get_mut(..length).unwrap_or_default();
            self.read(at, part)?;
            give(part)?;
            at += length as u64;
        }
        Ok(())
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<()> {
        self.file.read_at(at, buf).map_err(|error| Error::io("cannot read", self.file.path(), error))
    }
}

/// The frame of one stream.
struct StreamFrame {
    start: u64,
    flags: Flags,
    records: Vec<Record>,
}

/// The stream that ends at byte `end` of the file.
fn read_stream(file: &FileContent, end: u64, limit: u64) -> Result<StreamFrame> {
    let unreadable = |error| Error::io("cannot read", file.path(), error);
    let mut frame = [0; FRAME as usize];
    let footer_at = end.checked_sub(FRAME).ok_or(Fault::Footer)?;
    file.read_at(footer_at, &mut frame).map_err(unreadable)?;
    let (flags, index_size) = format::decode_footer(&frame)?;
    let index_at = footer_at.checked_sub(index_size).ok_or(Fault::Index)?;
    // A record takes at least two bytes; the rest of the index is 16 bytes at most.
    if index_size > limit * 18 + 32 {
        return Err(Fault::TooManyBlocks { count: index_size / 18, limit }.into());
    }
    let mut index = vec![0; index_size as usize];
    file.read_at(index_at, &mut index).map_err(unreadable)?;
    let records = format::decode_index(&index, limit)?;
    let blocks = records.iter().try_fold(0u64, |sum, record| sum.checked_add(record.total_size()));
    let start = blocks.and_then(|size| index_at.checked_sub(size)?.checked_sub(FRAME)).ok_or(Fault::Index)?;
    file.read_at(start, &mut frame).map_err(unreadable)?;
    if format::decode_header(&frame)? != flags {
        return Err(Fault::Index.into());
    }
    Ok(StreamFrame { start, flags, records })
}

/// The end of the last stream before `end`: zeros in groups of four may follow it.
fn skip_padding(file: &FileContent, mut end: u64) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    while end >= 4 {
        let length = end.min(CHUNK as u64) as usize & !3;
        let part = buffer.get_mut(..length).unwrap_or_default();
        file.read_at(end - length as u64, part)?;
        let zeros = part.rchunks(4).take_while(|word| *word == [0; 4]).count() * 4;
        end -= zeros as u64;
        if zeros < length {
            break;
        }
    }
    Ok(end)
}
