//! Writes that leave holes where there are only zeros.

use std::{fs::File, io, os::unix::fs::FileExt};

/// The unit of a hole: the block size of the usual host file systems, in bytes.
const BLOCK: usize = 4096;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Writes `data` at `offset` of a file that has a hole there, without its blocks of zeros.
///
/// Blocks are those of the file, so that a hole stays one wherever `data` begins.
pub(crate) fn write(file: &File, offset: u64, data: &[u8]) -> io::Result<()> {
    let mut at = offset;
    let mut rest = data;
    while !rest.is_empty() {
        let (zeros, tail) = rest.split_at(leading(at, rest, true));
        let (bytes, tail) = tail.split_at(leading(at + zeros.len() as u64, tail, false));
        at += zeros.len() as u64;
        if !bytes.is_empty() {
            file.write_all_at(bytes, at)?;
        }
        at += bytes.len() as u64;
        rest = tail;
    }
    Ok(())
}

/// The length of the blocks at the beginning of `data` that are zero, or that are not.
fn leading(mut at: u64, data: &[u8], zero: bool) -> usize {
    let mut rest = data;
    while !rest.is_empty() {
        let to_boundary = BLOCK - (at % BLOCK as u64) as usize;
        let (block, tail) = rest.split_at(rest.len().min(to_boundary));
        if ZEROS.starts_with(block) != zero {
            break;
        }
        at += block.len() as u64;
        rest = tail;
    }
    data.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn zeros_become_holes_and_the_rest_is_written() {
        let file = tempfile::tempfile().unwrap();
        let mut data = vec![0; 1 << 20];
        data[300_000] = 7;
        data[1_000_000] = 9;
        write(&file, 100, &data).unwrap();
        let mut read = vec![1; 1_000_001];
        file.read_exact_at(&mut read, 100).unwrap();
        assert_eq!(read, data[..1_000_001]);
        assert!(file.metadata().unwrap().blocks() <= 2 * 8 + 8, "{}", file.metadata().unwrap().blocks());
    }
}
