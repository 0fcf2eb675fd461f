//! A host that fails while it is used.

use std::sync::Arc;

use imgforge_disk::{
    Device, Disk, Error, FileContent,
    decode::{Options, decode},
};

use crate::tools::{Scratch, image, threads};

#[test]
fn a_full_host_disk_is_told_as_such() {
    let scratch = Scratch::new();
    let source = scratch.write("base.img", &image(100_000));
    let options = Options { threads: threads(1), limit: None };
    let error = decode(&source, "/dev/full".as_ref(), &options, &|_| {}).unwrap_err();
    assert!(matches!(error, Error::HostFull { .. }), "{error:?}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

#[test]
fn a_base_that_shrinks_under_us_is_an_error() {
    let scratch = Scratch::new();
    let path = scratch.write("base.img", &image(100_000));
    let disk = Disk::new(Arc::new(FileContent::open(&path).unwrap()));
    std::fs::File::options().write(true).open(&path).unwrap().set_len(50_000).unwrap();
    assert!(disk.read_at(49_000, &mut [0; 2000]).is_err());
    assert_eq!(Device::size(&disk), 100_000);
}
