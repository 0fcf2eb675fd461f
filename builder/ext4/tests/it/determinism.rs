//! The same base and the same calls make the same bytes.

use imgforge_ext4::Editor;

use crate::{
    disk::Disk,
    fixture::{DEFAULT, EPOCH, Format, content, edited, pattern, vendor_tree, xattrs},
    oracle::assert_consistent,
};

fn calls(editor: &mut Editor<Disk>) {
    for number in 0..300_u32 {
        let path = format!("/many/file-{}", number.wrapping_mul(2_654_435_761) % 10_007).into_bytes();
        editor.write_file(&path, &content(&pattern(number as u8, number as usize * 31)), &DEFAULT).unwrap();
        if number % 3 == 0 {
            editor.remove(&path).unwrap();
        }
    }
    editor.make_directory(b"/new", &xattrs(&[("user.b", b"2"), ("user.a", &[1; 300])])).unwrap();
    editor.remove_all(b"/usr").unwrap();
    let size = imgforge_ext4::Device::size(editor.device());
    editor.grow(size).unwrap();
    editor.write_file(b"/new/last", &content(&pattern(9, 400_000)), &DEFAULT).unwrap();
}

fn twice(format: &Format) {
    let base = format.make_from(vendor_tree().path());
    let base = base.enlarged(format.size + format.size / 4);
    let (one, two) = (edited(&base, calls), edited(&base, calls));
    assert_consistent(&one);
    assert_eq!(one.differences(&two), [0_u64; 0]);
}

for_each_format!(twice);

/// Reading between the writes is no input.
#[test]
fn looking_does_not_change_what_is_written() {
    let base = crate::fixture::ARMBIAN.make_from(vendor_tree().path()).enlarged(48 << 20);
    let curious = edited(&base, |editor| {
        crate::tree::of_editor(editor);
        calls(editor);
        crate::tree::of_editor(editor);
    });
    assert_eq!(edited(&base, calls).differences(&curious), [0_u64; 0]);
}

/// Times come from the epoch alone.
#[test]
fn another_epoch_changes_times_and_nothing_else() {
    let base = crate::fixture::RASPBERRY.make_from(vendor_tree().path()).enlarged(40 << 20);
    let with = |epoch| {
        let mut editor = Editor::open(base.clone(), epoch).unwrap();
        calls(&mut editor);
        crate::tree::of_editor(&Editor::open(editor.commit().unwrap(), EPOCH).unwrap())
    };
    let (mut one, mut two) = (with(EPOCH), with(EPOCH + 86_400));
    assert_ne!(one, two);
    for entry in one.values_mut().chain(two.values_mut()) {
        entry.mtime = 0;
    }
    assert_eq!(one, two);
}
