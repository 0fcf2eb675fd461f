//! Everything the ext4 editor can do with an image that nobody vouches for: no panic, no hang, bounded memory.

use std::sync::Arc;

use imgforge_ext4::{Attributes, Content, Device, Editor, Error, FileType, Node};

/// Names looked at in one image: a directory may lead back to itself.
const MAX_NAMES: usize = 400;

/// Reads all that can be reached, edits what can be edited, grows and commits. Errors are the expected outcome; what
/// was committed without any has to open again.
pub fn exercise<D: Device>(device: D) {
    let Ok(mut editor) = Editor::open(device, 1) else { return };
    let mut damaged = false;
    let paths = walk(&editor, &mut damaged);
    for path in paths.iter().filter(|path| path.len() > 1).step_by(3) {
        edit(&mut editor, path, &mut damaged);
    }
    create(&mut editor, &mut damaged);
    let size = editor.device().size();
    note(editor.grow(size), &mut damaged);
    match editor.commit() {
        Ok(device) if !damaged => {
            if let Err(error) = Editor::open(device, 1) {
                panic!("committed without an error, but does not open: {error}");
            }
        }
        _ => {}
    }
}

/// Remembers whether an operation met damage.
fn note<T>(result: Result<T, Error>, damaged: &mut bool) -> Option<T> {
    *damaged |= matches!(result, Err(Error::Corrupt(_)));
    result.ok()
}

/// Paths that can be reached from the root, each read through every door.
fn walk<D: Device>(editor: &Editor<D>, damaged: &mut bool) -> Vec<Vec<u8>> {
    let mut paths = vec![b"/".to_vec()];
    let mut at = 0;
    while at < paths.len() {
        let path = paths[at].clone();
        at += 1;
        note(editor.xattrs(&path), damaged);
        let Some(Some(metadata)) = note(editor.metadata(&path), damaged) else { continue };
        match metadata.file_type {
            FileType::Directory => {
                let entries = note(editor.read_directory(&path), damaged).unwrap_or_default();
                let room = MAX_NAMES.saturating_sub(paths.len());
                let below =
                    entries.into_iter().take(room).map(|entry| [&path, &b"/"[..], &entry.name].concat());
                paths.extend(below);
            }
            FileType::Regular => {
                let mut buffer = [0; 5000];
                for offset in [0, metadata.size / 2, metadata.size.saturating_sub(1), u64::MAX - 10] {
                    note(editor.read_file_at(&path, offset, &mut buffer), damaged);
                }
                note(editor.read_file(&path), damaged);
            }
            _ => {
                note(editor.read_link(&path), damaged);
            }
        }
    }
    paths
}

fn edit<D: Device>(editor: &mut Editor<D>, path: &[u8], damaged: &mut bool) {
    let content: Arc<dyn Content> = Arc::new(vec![1; 3000]);
    let xattrs =
        Attributes { xattrs: Some([(b"user.x".to_vec(), vec![2; 400])].into()), ..Attributes::default() };
    let beside = [path, b"-beside"].concat();
    note(editor.make_hard_link(path, &beside), damaged);
    note(editor.set_attributes(path, &xattrs), damaged);
    note(editor.write_file(path, &content, &Attributes::default()), damaged);
    note(editor.remove(path), damaged);
    if path.len().is_multiple_of(5) {
        note(editor.remove_all(path), damaged);
    }
}

fn create<D: Device>(editor: &mut Editor<D>, damaged: &mut bool) {
    let nothing = Attributes::default();
    let content: Arc<dyn Content> = Arc::new(vec![3; 70_000]);
    note(editor.make_directory(b"/fuzz", &nothing), damaged);
    note(editor.write_file(b"/fuzz/file", &content, &nothing), damaged);
    note(editor.make_symlink(b"/fuzz/link", &[b't'; 90], &nothing), damaged);
    note(editor.make_node(b"/fuzz/fifo", Node::Fifo, &nothing), damaged);
    for number in 0..40_u8 {
        note(
            editor.write_file(
                &[b"/fuzz/".as_slice(), &[b'a' + number % 26; 40], &[number | 64]].concat(),
                &content,
                &nothing,
            ),
            damaged,
        );
    }
}
