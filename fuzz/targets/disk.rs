//! Everything the disk room can do with bytes that nobody vouches for: no panic, no hang, bounded memory.
//!
//! Each function tells whether the bytes were acceptable: errors are the expected outcome.

use std::{io::Write, num::NonZeroUsize, os::fd::AsRawFd, path::PathBuf, sync::Arc};

use imgforge_disk::{
    Content, Disk, Error, FileContent, Result,
    decode::{self, Options},
    fat::Fat,
    partition::Table,
    probe,
    xz::XzFile,
};

/// The largest image that is decoded.
const LIMIT: u64 = 4 << 20;

/// Whether `result` is good. What is wrong with foreign bytes is neither the host's fault nor ours.
fn is_accepted<T>(result: Result<T>) -> bool {
    match result {
        Ok(_) => true,
        Err(
            Error::Corrupt(_)
            | Error::Unsupported(_)
            | Error::Layout(_)
            | Error::TooLarge { .. }
            | Error::VolumeFull { .. }
            | Error::NotFound { .. },
        ) => false,
        Err(other) => panic!("not the input's fault: {other:?}"),
    }
}

/// A partition table: every partition is inside the disk and can be probed; the last one grows where it may, and what was
/// written is read again alike.
pub fn table(bytes: &[u8]) -> bool {
    let mut disk = Disk::new(Arc::new(bytes.to_vec()));
    let mut table = match Table::read(&disk) {
        Ok(table) => table,
        Err(error) => return is_accepted::<()>(Err(error)),
    };
    for partition in table.partitions() {
        assert!(partition.range().end <= disk.size(), "{partition:?}");
        let _ = probe::probe_in(disk.base().as_ref(), partition.range());
    }
    if is_accepted(table.restore_backup(&mut disk)) {
        let again = Table::read(&disk).expect("a table that was written");
        assert_eq!(again.partitions(), table.partitions());
    }
    let last = table.partitions().iter().max_by_key(|partition| partition.start).cloned();
    disk.resize(disk.size() + (1 << 20));
    let grown = last.map(|last| table.grow(last.number, last.sectors + 100)).unwrap_or(Ok(()));
    if is_accepted(grown) && is_accepted(table.write(&mut disk)) {
        let again = Table::read(&disk).expect("a table that was written");
        assert_eq!(again.partitions(), table.partitions());
    }
    true
}

/// A published file of any format: what is decoded has the size the file says.
pub fn image_file(bytes: &[u8]) -> bool {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room for a temporary file");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let source = FileContent::open(&path).expect("a regular file");
    let blocks = XzFile::open(source.clone());
    if let Ok(file) = &blocks {
        assert!(file.blocks().iter().all(|block| block.file_range().end <= source.len()));
    }
    is_accepted(blocks);
    let threads = NonZeroUsize::MIN.saturating_add(1);
    let options = Options { threads, limit: Some(LIMIT) };
    let result = decode::decode_nameless(source.path(), &std::env::temp_dir(), &options, &|_| {});
    if let Ok((decoded, content)) = &result {
        assert_eq!(decoded.image_size, content.len());
        assert!(decode::image_size(&source).is_none_or(|said| said == decoded.image_size));
    }
    is_accepted(result)
}

/// A FAT volume: what is there is listed, a file is written, and the result opens again.
pub fn fat(bytes: &[u8]) -> bool {
    let mut disk = Disk::new(Arc::new(bytes.to_vec()));
    let size = disk.size();
    let edited = Disk::window(&mut disk, 0..size).map_err(Error::Disk).and_then(|window| {
        let mut fat = Fat::open(window, 0)?;
        fat.list("")?;
        fat.write("new file.txt", b"content")?;
        fat.finish()
    });
    if !is_accepted(edited) {
        return false;
    }
    let window = Disk::window(&mut disk, 0..size).expect("the whole disk");
    let mut fat = Fat::open(window, 0).expect("a volume that was written");
    assert!(fat.list("").is_ok());
    true
}
