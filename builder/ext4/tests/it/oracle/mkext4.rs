//! mkext4's verifying reader: checksums of every structure and the order of hashes in indexed directories.

use crate::disk::Disk;

/// Fails when mkext4 understands the image's format and finds a fault in it.
///
/// It knows 4 KiB blocks and few features; images it refuses for that are none of its business.
#[track_caller]
pub fn assert_valid(disk: &Disk) {
    match mkext4::reader::Fs::open(disk) {
        Ok(fs) => {
            let mut issues = fs.verify().unwrap();
            // It writes 32-byte descriptors only, and takes the checksum of longer ones over their first half.
            if fs.superblock().desc_size() > 32 {
                issues.retain(|issue| !issue.what.contains("desc checksum"));
            }
            assert!(issues.is_empty(), "mkext4 finds {issues:?}");
        }
        Err(mkext4::Error::Unsupported(_)) => {}
        Err(error) => panic!("mkext4: {error}"),
    }
}
