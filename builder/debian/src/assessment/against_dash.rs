//! What is called idle does nothing, and what is imitated just that: dash runs it, where every command only notes that it
//! was called.
//!
//! Scripts are made from a grammar of all that maintainer scripts may hold, from fixed seeds. `PROPTEST_CASES` asks for
//! another number of them, `FUZZ_SEED` for another first seed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::grammar::Grammar;
use super::*;
use crate::error::Result;
use crate::tree::Node;

const USUAL_CASES: u64 = 4000;

/// Programs that note that they were called, or behave as the board's could.
const PROGRAMS: [(&str, &str); 15] = [
    ("act", "echo \"act $*\" >> \"$RECORD\""),
    ("mkdir", "echo \"$2\" >> \"$RECORD\""),
    (
        "rm",
        "for word; do case $word in -*[!frRv]*) exit 1;; -*f*) forced=x;; -*) ;; esac; done
         for word; do
           case $word in
           -*) ;;
           *) if [ -e \"$word\" ]; then echo \"rm $word\" >> \"$RECORD\"; elif [ -z \"$forced\" ]; then exit 1; fi;;
           esac
         done",
    ),
    ("update-alternatives", "[ \"$1\" = --auto ] || echo \"alternatives $*\" >> \"$RECORD\"; exit 2"),
    ("dpkg-query", "if [ \"$1\" = -l ]; then echo \"$OUTPUT\"; fi; echo \"no $2\" >&2; exit 1"),
    ("grep", "echo \"$OUTPUT\"; exit \"$STATUS\""),
    ("readlink", "echo \"$OUTPUT\"; exit \"$STATUS\""),
    ("uname", "echo \"$OUTPUT\""),
    ("basename", "exec /usr/bin/basename \"$@\""),
    ("dirname", "exec /usr/bin/dirname \"$@\""),
    ("seq", "exec /usr/bin/seq \"$@\""),
    ("cut", "exec /usr/bin/cut \"$@\""),
    ("cat", "while read -r line; do echo \"$line\"; done"),
    (
        "dpkg",
        "case \"$1,$2,$3\" in
         --compare-versions,,lt|--compare-versions,,le|--compare-versions,,ge-nl) exit 0;;
         --compare-versions,,gt|--compare-versions,,lt-nl) exit 1;;
         --compare-versions,*) exit \"$STATUS\";;
         --print-architecture,*) echo \"$OUTPUT\"; exit 0;;
         esac
         echo \"dpkg $*\" >> \"$RECORD\"",
    ),
    (
        "dpkg-maintscript-helper",
        "while [ \"$1\" != -- ]; do shift; done; [ \"$2\" = install ] && [ -z \"$3\" ] || echo helper >> \"$RECORD\"",
    ),
];

/// What the board may be like: the status and output of programs, and a variable from outside.
const BOARDS: [(&str, &str, Option<&str>); 3] =
    [("0", "install", None), ("1", "", Some("install")), ("1", "a b *", Some("upgrade -a x"))];

/// A tree in which `/etc/passwd` is there, as it is where this runs.
struct Image;

impl Tree for Image {
    fn node(&self, path: &TreePath) -> Result<Option<Node>> {
        Ok(match path.as_bytes() {
            b"/etc" => Some(Node::Directory),
            b"/etc/passwd" => Some(Node::File),
            _ => None,
        })
    }

    fn read(&self, _: &TreePath) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// A directory with programs in `bin` and one to run scripts in.
fn prepare(directory: &Path) {
    fs::create_dir(directory.join("bin")).unwrap();
    for (name, body) in PROGRAMS {
        let path = directory.join("bin").join(name);
        fs::write(&path, format!("#!/bin/dash\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::create_dir(directory.join("work")).unwrap();
}

/// Runs a script as dpkg starts it; tells what it did, and how it ended if that was no success.
fn run(directory: &Path, script: &str, board: (&str, &str, Option<&str>)) -> String {
    let (record, work) = (directory.join("record"), directory.join("work"));
    fs::write(directory.join("preinst"), script).unwrap();
    fs::write(&record, "").unwrap();
    let mut shell = Command::new("/bin/dash");
    shell.args(["-c", "ulimit -t 5; exec /bin/dash ../preinst install"]).current_dir(&work);
    shell.env_clear().env("PATH", directory.join("bin")).env("RECORD", &record);
    shell.env("STATUS", board.0).env("OUTPUT", board.1).envs(board.2.map(|value| ("OUTSIDE", value)));
    shell.env("DPKG_ROOT", "").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = shell.status().unwrap();
    // Paths as they are written elsewhere, without slashes that mean nothing.
    let path = |line: &str| match TreePath::from_absolute(line.as_bytes()) {
        Ok(path) => format!("{path}\n"),
        Err(_) => format!("{line}\n"),
    };
    let record = fs::read_to_string(&record).unwrap();
    // A directory is made once, however often `mkdir -p` is called for it.
    let mut made = BTreeSet::new();
    let is_first = |line: &&str| !line.starts_with('/') || made.insert(line.to_string());
    let mut did: String = record.lines().filter(is_first).map(path).collect();
    for file in fs::read_dir(&work).unwrap() {
        let path = file.unwrap().path();
        did.push_str(&format!("wrote {}\n", path.display()));
        fs::remove_file(path).unwrap();
    }
    if !status.success() {
        did.push_str(&format!("{status}\n"));
    }
    did
}

#[test]
fn what_is_called_idle_or_imitated_is_so_in_dash() {
    let asked = |name| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let (cases, first) = (asked("PROPTEST_CASES").unwrap_or(USUAL_CASES), asked("FUZZ_SEED").unwrap_or(0));
    let directory = tempfile::tempdir().unwrap();
    prepare(directory.path());
    let (mut idle, mut imitated) = (0, 0);
    for seed in first..first + cases {
        let script = Grammar::new(seed).script();
        let expected = match Preinst::of(Some(script.as_bytes()), "own", &Image) {
            Preinst::Idle => {
                idle += 1;
                String::new()
            }
            Preinst::Imitated(effects) => {
                imitated += 1;
                effects.iter().map(directory_line).collect()
            }
            _ => continue,
        };
        for board in BOARDS {
            let did = run(directory.path(), &script, board);
            assert_eq!(did, expected, "seed {seed}, {board:?}, of:\n{script}");
        }
    }
    println!("of {cases} scripts {idle} are idle, {imitated} imitated");
    assert!(idle > cases / 100 && imitated > cases / 1000, "{idle} and {imitated} of {cases}");
}

/// What `mkdir` notes where it makes this.
fn directory_line(effect: &Effect) -> String {
    match effect {
        Effect::Directory(path) => format!("{path}\n"),
        other => panic!("no script asks for {other:?}"),
    }
}
