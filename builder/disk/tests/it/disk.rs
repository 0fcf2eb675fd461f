//! A disk behaves as a plain array of bytes, whatever is written, placed, zeroed and resized.

use std::sync::Arc;

use imgforge_disk::{Content, Device, Disk, Source};
use proptest::prelude::*;

use crate::tools::bytes_of;

const BASE: usize = 64 << 10;

#[derive(Debug, Clone)]
enum Edit {
    Write { at: usize, length: usize, value: u8 },
    Zero { at: usize, length: usize },
    Place { at: usize, from: usize, length: usize },
    Restore { at: usize, length: usize },
    Resize { size: usize },
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = 0..2 * BASE;
    let length = prop_oneof![0usize..16, 4000usize..4200, 0usize..20_000];
    prop_oneof![
        4 => (at.clone(), length.clone(), 1u8..).prop_map(|(at, length, value)| Edit::Write { at, length, value }),
        2 => (at.clone(), length.clone()).prop_map(|(at, length)| Edit::Zero { at, length }),
        3 => (at.clone(), 0usize..1000, length.clone())
            .prop_map(|(at, from, length)| Edit::Place { at, from, length }),
        1 => (at, length).prop_map(|(at, length)| Edit::Restore { at, length }),
        1 => (1usize..2 * BASE).prop_map(|size| Edit::Resize { size }),
    ]
}

fn base() -> Vec<u8> {
    (0..BASE).map(|at| if at / 8192 % 2 == 0 { (at % 251) as u8 } else { 0 }).collect()
}

fn apply(disk: &mut Disk, model: &mut Vec<u8>, content: &Arc<dyn Content>, bytes: &[u8], edit: &Edit) {
    let clip = |at: usize, length: usize| {
        let at = at.min(model.len());
        at..(at + length).min(model.len())
    };
    match *edit {
        Edit::Write { at, length, value } => {
            let range = clip(at, length);
            disk.write_at(range.start as u64, &vec![value; range.len()]).unwrap();
            model[range].fill(value);
        }
        Edit::Zero { at, length } => {
            let range = clip(at, length);
            disk.zero(range.start as u64, range.len() as u64).unwrap();
            model[range].fill(0);
        }
        Edit::Place { at, from, length } => {
            let range = clip(at, length);
            disk.place(range.start as u64, content, from as u64, range.len() as u64).unwrap();
            let length = range.len();
            model[range].copy_from_slice(&bytes[from..from + length]);
        }
        Edit::Restore { at, length } => {
            let range = clip(at, length);
            let range = range.start.min(BASE)..range.end.min(BASE);
            disk.write_at(range.start as u64, &base()[range.clone()]).unwrap();
            model[range.clone()].copy_from_slice(&base()[range]);
        }
        Edit::Resize { size } => {
            disk.resize(size as u64);
            model.resize(size, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_disk_is_an_array_of_bytes(edits in prop::collection::vec(edit(), 1..40)) {
        let bytes: Vec<u8> = (0..30_000u32).map(|at| (at % 249) as u8 + 1).collect();
        let content: Arc<dyn Content> = Arc::new(bytes.clone());
        let mut disk = Disk::new(Arc::new(base()));
        let mut model = base();
        for edit in &edits {
            apply(&mut disk, &mut model, &content, &bytes, edit);
        }
        prop_assert!(bytes_of(&disk) == model);

        let extents = disk.extents().unwrap();
        let mut end = 0;
        for extent in &extents {
            prop_assert_eq!(extent.offset, end);
            end += extent.length;
            let range = extent.offset as usize..end as usize;
            if extent.source.is_zero() {
                prop_assert!(model[range.clone()].iter().all(|byte| *byte == 0));
            }
            if !extent.source.is_change() {
                let mut original = base();
                original.resize(original.len().max(range.end), 0);
                prop_assert!(model[range.clone()] == original[range]);
            }
        }
        prop_assert_eq!(end, disk.size());
    }
}

#[test]
fn ten_thousand_placements_stay_references() {
    let content: Arc<dyn Content> = Arc::new(vec![7; 1 << 20]);
    let mut disk = Disk::new(Arc::new(vec![0; 4096]));
    disk.resize(1 << 36);
    for file in 0..10_000u64 {
        disk.place(file * 2 * 4096, &content, file, 5000).unwrap();
    }
    let changed = disk.extents().unwrap().iter().filter(|extent| extent.source == Source::Delta).count();
    assert_eq!(changed, 10_000);
    assert_eq!(Arc::strong_count(&content), 10_001);
}
