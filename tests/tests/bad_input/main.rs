//! Bad input: whatever is wrong, `imgforge` says what, where and what to do, ends with the documented exit code, and leaves
//! nothing behind. Each table is a list of what may be wrong, and of what the user then reads.

mod artifacts;
mod bench;
mod container_images;
mod downloads;
mod file_systems;
mod host;
mod image_files;
mod judged;
mod locks;
mod outputs;
mod packages;
mod partition_tables;
mod published;
mod repositories;
mod secrets;
mod settings;
mod signatures;
mod snapshots;
mod stores;
mod supplied;
mod terminal;

use bench::Bench;
use imgforge_tests::{Tool, succeeds};

/// What every other test here rests on: without a fault of its own, the small base becomes an image.
#[test]
fn the_small_base_itself_is_good() {
    let bench = Bench::new();
    succeeds(&mut bench.build());
    let root = bench.root_of(&bench.output());
    assert!(Tool::E2FSCK.run(["-fn", &root]).status.success());
}
