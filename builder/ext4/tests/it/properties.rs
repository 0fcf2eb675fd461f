//! Random operations against the model, on every format: the editor agrees with the model about each refusal, and
//! every reader agrees with it about the result.

use std::sync::Arc;

use imgforge_ext4::{Attributes, Content, Editor, Error, Node};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
    test_runner::{Config, RngSeed, TestRunner},
};

use crate::{
    disk::Disk,
    fixture::{self, EPOCH, Format, altered_by, pattern},
    model::{Model, Refusal},
    oracle,
    tree::{assert_same, of_editor},
};

type Bytes = Vec<u8>;

/// One call of the editor's interface, or several alike.
#[derive(Clone, Debug)]
enum Operation {
    WriteFile {
        path: Bytes,
        content: Recipe,
        attributes: Attributes,
    },
    MakeDirectory {
        path: Bytes,
        attributes: Attributes,
    },
    MakeSymlink {
        path: Bytes,
        target: Bytes,
        attributes: Attributes,
    },
    MakeHardLink {
        existing: Bytes,
        path: Bytes,
    },
    MakeNode {
        path: Bytes,
        node: Node,
        attributes: Attributes,
    },
    Remove {
        path: Bytes,
    },
    RemoveAll {
        path: Bytes,
    },
    SetAttributes {
        path: Bytes,
        attributes: Attributes,
    },
    /// Empty files, enough of them for a directory of several blocks.
    Fill {
        directory: Bytes,
        count: usize,
    },
    /// Every `step`th of the files that [`Operation::Fill`] makes.
    Thin {
        directory: Bytes,
        step: usize,
    },
    /// Commits and opens again.
    Reopen,
}

/// Content of a file: `chunks` stretches of `data` bytes, each followed by a hole of `hole` bytes.
#[derive(Clone, Debug)]
struct Recipe {
    seed: u8,
    chunks: usize,
    data: usize,
    hole: usize,
}

impl Recipe {
    fn content(&self) -> fixture::Sparse {
        let data = pattern(self.seed, self.data);
        (0..self.chunks)
            .fold(fixture::Sparse::default(), |content, _| content.append(&data).skip(self.hole as u64))
    }
}

fn name() -> impl Strategy<Value = Bytes> {
    let fixed: Vec<Bytes> =
        [&b"a"[..], b"b", b"c", b"dd", b"many", b"usr", b"etc", b"bin", b"\xff\xfe\x80", b"sp ace\n", b"."]
            .map(<[u8]>::to_vec)
            .into();
    prop_oneof![
        20 => select(fixed),
        1 => Just(vec![b'n'; 255]),
        1 => Just(vec![0xe9; 254]),
        1 => Just(vec![b'n'; 256]),
        1 => Just(b"..".to_vec()),
    ]
}

fn path() -> impl Strategy<Value = Bytes> {
    vec(name(), 1..4).prop_map(|names| [b"/".to_vec(), names.join(&b'/')].concat())
}

/// Targets with names of 255 bytes at most: ext4-view reads no others.
fn target() -> impl Strategy<Value = Bytes> {
    let short =
        || path().prop_filter("a long name", |path| !path.windows(256).any(|name| !name.contains(&b'/')));
    prop_oneof![
        4 => short(),
        4 => short().prop_map(|path| path[1..].to_vec()),
        1 => (1_usize..500).prop_map(|length| b"t/".repeat(length)),
        1 => select(vec![59_usize, 60, 61]).prop_map(|length| vec![b'l'; length]),
    ]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let names = vec!["user.a", "user.long-name-of-an-attribute", "security.selinux", "trusted.t"];
    // Four of the longest still fit into a block of 1 KiB.
    let value = prop_oneof![4 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 100..190)];
    let xattrs = btree_map(select(names).prop_map(|name| name.as_bytes().to_vec()), value, 0..4);
    let owner = || option::of(select(vec![0, 1000, 65_534, 70_000, u32::MAX - 1]));
    // i_mtime has 32 bits in inodes of 128 bytes: later times are another test's matter.
    let mtime = option::of(select(vec![0, 1, 1_600_000_000, i64::from(i32::MAX)]));
    let mode = option::of(0_u16..0o10000);
    (mode, owner(), owner(), mtime, option::weighted(0.3, xattrs))
        .prop_map(|(mode, uid, gid, mtime, xattrs)| Attributes { mode, uid, gid, mtime, xattrs })
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let data = prop_oneof![3 => 0_usize..200, 3 => 1_usize..20_000, 1 => 100_000_usize..400_000];
    (
        any::<u8>(),
        prop_oneof![6 => Just(1), 1 => 2_usize..20],
        data,
        prop_oneof![3 => Just(0), 1 => 1_usize..50_000],
    )
        .prop_map(|(seed, chunks, data, hole)| Recipe { seed, chunks, data: data / chunks, hole })
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        Just(Node::Fifo),
        Just(Node::Socket),
        (0_u32..4096, 0_u32..70_000).prop_map(|(major, minor)| Node::CharDevice { major, minor }),
        (0_u32..256, 0_u32..256).prop_map(|(major, minor)| Node::BlockDevice { major, minor }),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        8 => (path(), recipe(), attributes())
            .prop_map(|(path, content, attributes)| WriteFile { path, content, attributes }),
        6 => (path(), attributes()).prop_map(|(path, attributes)| MakeDirectory { path, attributes }),
        3 => (path(), target(), attributes())
            .prop_map(|(path, target, attributes)| MakeSymlink { path, target, attributes }),
        3 => (path(), path()).prop_map(|(existing, path)| MakeHardLink { existing, path }),
        2 => (path(), node(), attributes()).prop_map(|(path, node, attributes)| MakeNode { path, node, attributes }),
        3 => path().prop_map(|path| Remove { path }),
        1 => path().prop_map(|path| RemoveAll { path }),
        3 => (path(), attributes()).prop_map(|(path, attributes)| SetAttributes { path, attributes }),
        2 => (path(), 1_usize..200).prop_map(|(directory, count)| Fill { directory, count }),
        1 => (path(), 1_usize..4).prop_map(|(directory, step)| Thin { directory, step }),
        1 => Just(Reopen),
    ]
}

/// Name of a file that [`Operation::Fill`] makes: long enough for few to fit into a block.
fn filling(directory: &[u8], number: usize) -> Bytes {
    [directory, format!("/filling-{number:04}-{}", "x".repeat(number % 60)).as_bytes()].concat()
}

/// An operation taken apart into single calls.
fn singly(operation: Operation) -> Vec<Operation> {
    let nothing = Recipe { seed: 0, chunks: 0, data: 0, hole: 0 };
    match operation {
        Operation::Fill { directory, count } => (0..count)
            .map(|number| Operation::WriteFile {
                path: filling(&directory, number),
                content: nothing.clone(),
                attributes: Attributes::default(),
            })
            .collect(),
        Operation::Thin { directory, step } => (0..200)
            .step_by(step)
            .map(|number| Operation::Remove { path: filling(&directory, number) })
            .collect(),
        single => vec![single],
    }
}

fn on_editor(editor: &mut Editor<Disk>, operation: &Operation) -> Result<(), Error> {
    match operation {
        Operation::WriteFile { path, content, attributes } => {
            let content: Arc<dyn Content> = Arc::new(content.content());
            editor.write_file(path, &content, attributes)
        }
        Operation::MakeDirectory { path, attributes } => editor.make_directory(path, attributes),
        Operation::MakeSymlink { path, target, attributes } => editor.make_symlink(path, target, attributes),
        Operation::MakeHardLink { existing, path } => editor.make_hard_link(existing, path),
        Operation::MakeNode { path, node, attributes } => editor.make_node(path, *node, attributes),
        Operation::Remove { path } => editor.remove(path),
        Operation::RemoveAll { path } => editor.remove_all(path),
        Operation::SetAttributes { path, attributes } => editor.set_attributes(path, attributes),
        Operation::Fill { .. } | Operation::Thin { .. } | Operation::Reopen => Ok(()),
    }
}

fn on_model(model: &mut Model, operation: &Operation) -> Result<(), Refusal> {
    match operation {
        Operation::WriteFile { path, content, attributes } => {
            model.write_file(path, &content.content().bytes(), attributes)
        }
        Operation::MakeDirectory { path, attributes } => model.make_directory(path, attributes),
        Operation::MakeSymlink { path, target, attributes } => model.make_symlink(path, target, attributes),
        Operation::MakeHardLink { existing, path } => model.make_hard_link(existing, path),
        Operation::MakeNode { path, node, attributes } => model.make_node(path, *node, attributes),
        Operation::Remove { path } => model.remove(path),
        Operation::RemoveAll { path } => model.remove_all(path),
        Operation::SetAttributes { path, attributes } => model.set_attributes(path, attributes),
        Operation::Fill { .. } | Operation::Thin { .. } | Operation::Reopen => Ok(()),
    }
}

/// Runs operations on both; an operation that runs out of room leaves both as they were.
fn run(disk: Disk, model: &mut Model, operations: &[Operation]) -> Disk {
    let mut editor = Editor::open(disk, EPOCH).unwrap();
    for operation in operations.iter().cloned().flat_map(singly) {
        if matches!(operation, Operation::Reopen) {
            assert_same("the editor", &of_editor(&editor), &model.tree());
            editor = Editor::open(editor.commit().unwrap(), EPOCH).unwrap();
            continue;
        }
        let before = model.clone();
        let expected = on_model(model, &operation);
        match on_editor(&mut editor, &operation) {
            Ok(()) => assert_eq!(Ok(()), expected, "{operation:?} was done"),
            Err(Error::NoSpace { .. } | Error::NoInodes) => *model = before,
            Err(error) => {
                let refusal = Refusal::of(&error).unwrap_or_else(|| panic!("{operation:?}: {error}"));
                assert_eq!(Err(refusal), expected, "{operation:?}: {error}");
            }
        }
    }
    editor.commit().unwrap()
}

/// Sequences of operations on one base.
fn check(base: &Disk, model: &Model, cases: u32) {
    let mut config =
        Config { cases, failure_persistence: None, max_shrink_iters: shrinking(), ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(0x1e27);
    }
    TestRunner::new(config)
        .run(&vec(operation(), 1..60), |operations| {
            let mut model = model.clone();
            let disk = run(base.clone(), &mut model, &operations);
            let tree = model.tree();
            oracle::assert_holds(&disk, &tree);
            assert_same("the editor, opened again,", &of_editor(&Editor::open(disk, EPOCH).unwrap()), &tree);
            Ok(())
        })
        .unwrap();
}

/// Steps of shrinking a failure; `PROPTEST_MAX_SHRINK_ITERS` asks for another number.
fn shrinking() -> u32 {
    std::env::var("PROPTEST_MAX_SHRINK_ITERS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(200)
}

/// Cases per format; `PROPTEST_CASES` asks for another number.
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

/// A base as mke2fs fills it, with linear directories, and the same with indexed ones by e2fsck.
fn filled(format: &Format) {
    let linear = format.make_from(fixture::vendor_tree().path());
    let model = Model::of(&fixture::vendor_tree_in(&linear));
    check(&linear, &model, cases(2));
    let indexed = altered_by(&linear, "e2fsck", &["-fyD"]);
    check(&indexed, &model, cases(3));
}

for_each_format!(filled);

/// Bases without much room, in which operations fail half way.
mod little_room {
    use super::*;

    fn check_with(filler: usize, format: &Format) {
        let stage = fixture::vendor_tree();
        stage.file("filler", &pattern(7, filler), 0o600);
        let base = format.make_from(stage.path());
        check(&base, &Model::of(&fixture::vendor_tree_in(&base)), cases(6));
    }

    #[test]
    fn half_full() {
        check_with(7_000_000, &fixture::BLOCKS_1K);
    }

    #[test]
    fn nearly_full() {
        check_with(12_500_000, &fixture::BLOCKS_1K);
    }

    #[test]
    fn few_inodes() {
        check_with(1000, &fixture::BLOCKS_1K.with("-b 1024 -N 280"));
    }
}
