//! Everything the ext4 editor can do with an image that nobody vouches for: no panic, no hang, bounded memory.

use std::sync::Arc;

use imgforge_ext4::{Attributes, Content, Device, Editor, Error, FileType, Node, Result};

/// Names looked at in one image: a directory may lead back to itself.
const MAX_NAMES: usize = 400;

/// What came of an image.
#[derive(Debug, Default)]
pub struct Seen {
    /// Names that were looked at.
    pub names: usize,
    /// The first damage that was met.
    pub error: Option<Error>,
}

impl Seen {
    /// Remembers whether an operation met damage.
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if matches!(error, Error::Corrupt(_)) {
                    self.error.get_or_insert(error);
                }
                None
            }
        }
    }
}

/// Reads all that can be reached, edits what can be edited, grows and commits. Errors are the expected outcome; what
/// was committed without any has to open again.
pub fn exercise<D: Device>(device: D) -> Seen {
    let mut seen = Seen::default();
    let Some(mut editor) = seen.note(Editor::open(device, 1)) else { return seen };
    let paths = walk(&editor, &mut seen);
    seen.names = paths.len();
    for path in paths.iter().filter(|path| path.len() > 1).step_by(3) {
        edit(&mut editor, path, &mut seen);
    }
    create(&mut editor, &mut seen);
    let size = editor.device().size();
    seen.note(editor.grow(size));
    let committed = seen.note(editor.commit());
    if let (Some(device), None) = (committed, &seen.error)
        && let Err(error) = Editor::open(device, 1)
    {
        panic!("committed without an error, but does not open: {error}");
    }
    seen
}

/// Paths that can be reached from the root, each read through every door.
fn walk<D: Device>(editor: &Editor<D>, seen: &mut Seen) -> Vec<Vec<u8>> {
    let mut paths = vec![b"/".to_vec()];
    let mut at = 0;
    while at < paths.len() {
        let path = paths[at].clone();
        at += 1;
        seen.note(editor.xattrs(&path));
        let Some(Some(metadata)) = seen.note(editor.metadata(&path)) else { continue };
        match metadata.file_type {
            FileType::Directory => {
                let entries = seen.note(editor.read_directory(&path)).unwrap_or_default();
                let room = MAX_NAMES.saturating_sub(paths.len());
                let above = if path == b"/" { &[] } else { path.as_slice() };
                let below = entries.into_iter().take(room).map(|entry| [above, b"/", &entry.name].concat());
                paths.extend(below);
            }
            FileType::Regular => {
                let mut buffer = [0; 5000];
                for offset in [0, metadata.size / 2, metadata.size.saturating_sub(1), u64::MAX - 10] {
                    seen.note(editor.read_file_at(&path, offset, &mut buffer));
                }
                seen.note(editor.read_file(&path));
            }
            _ => {
                seen.note(editor.read_link(&path));
            }
        }
    }
    paths
}

fn edit<D: Device>(editor: &mut Editor<D>, path: &[u8], seen: &mut Seen) {
    let content: Arc<dyn Content> = Arc::new(vec![1; 3000]);
    let xattrs =
        Attributes { xattrs: Some([(b"user.x".to_vec(), vec![2; 400])].into()), ..Attributes::default() };
    let beside = [path, b"-beside"].concat();
    seen.note(editor.make_hard_link(path, &beside));
    seen.note(editor.set_attributes(path, &xattrs));
    seen.note(editor.write_file(path, &content, &Attributes::default()));
    seen.note(editor.remove(path));
    if path.len().is_multiple_of(5) {
        seen.note(editor.remove_all(path));
    }
}

fn create<D: Device>(editor: &mut Editor<D>, seen: &mut Seen) {
    let nothing = Attributes::default();
    let content: Arc<dyn Content> = Arc::new(vec![3; 70_000]);
    seen.note(editor.make_directory(b"/fuzz", &nothing));
    seen.note(editor.write_file(b"/fuzz/file", &content, &nothing));
    seen.note(editor.make_symlink(b"/fuzz/link", &[b't'; 90], &nothing));
    seen.note(editor.make_node(b"/fuzz/fifo", Node::Fifo, &nothing));
    for number in 0..40_u8 {
        let path = [b"/fuzz/".as_slice(), &[b'a' + number % 26; 40], &[number | 64]].concat();
        seen.note(editor.write_file(&path, &content, &nothing));
    }
}
