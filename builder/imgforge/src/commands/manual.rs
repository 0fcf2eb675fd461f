//! The manual: what clap makes of the command line, with examples, files and environment behind it.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use clap::CommandFactory;

use crate::cli::Cli;

/// By page: what people type, and what it is for.
const EXAMPLES: [(&str, &[(&str, &str)]); 11] = [
    (
        "imgforge-build",
        &[
            ("imgforge build --board rk3328 --role master --hostname k1", "k1.img, for any card"),
            ("imgforge build --board rpi4 --role worker -o w1.img.xz", "compressed"),
            ("imgforge build --cluster home.yaml --output out", "one image for each node"),
        ],
    ),
    (
        "imgforge-boards",
        &[
            ("imgforge boards", "what there are profiles for"),
            ("imgforge boards show rk3328", "one of them, and why it cannot run more"),
            ("imgforge boards --export .", "all that the program has inside, to change it"),
        ],
    ),
    (
        "imgforge-boards-new",
        &[("imgforge boards new my-board --from vendors.img.xz", "a profile to fill in")],
    ),
    (
        "imgforge-cluster",
        &[
            ("imgforge cluster new --master rk3328 --worker rpi4=2", "writes home.yaml"),
            ("imgforge cluster check --cluster home.yaml", "what is wrong with it"),
            ("imgforge cluster init --cluster home.yaml", "its secrets, once"),
        ],
    ),
    (
        "imgforge-cluster-new",
        &[
            ("imgforge cluster new --master rk3328 --worker bananapi --worker rpi4=2", "four boards"),
            ("imgforge cluster new --master rpi4=3 --lan 192.168.7.1/24 -o lab.yaml", "for another network"),
        ],
    ),
    (
        "imgforge-kubernetes-add",
        &[
            ("imgforge kubernetes add 1.36.5", "into the user's own folder"),
            ("imgforge kubernetes add 1.36.5 --force --profiles board-profiles", "in a checkout"),
            ("imgforge kubernetes add k3s-1.36.5", "of k3s: v1.36.5+k3s1"),
        ],
    ),
    (
        "imgforge-kubernetes-list",
        &[
            ("imgforge kubernetes list", "which releases there are files of"),
            ("imgforge kubernetes list --online", "and which newer patches there are"),
        ],
    ),
    (
        "imgforge-lock",
        &[
            ("imgforge lock --board rk3328 --role master", "pins what a build takes"),
            ("imgforge lock --cluster home.yaml --update", "newer packages for all nodes"),
        ],
    ),
    ("imgforge-status", &[("imgforge status --cluster home.yaml --wait", "until all nodes are Ready")]),
    ("imgforge-store", &[("imgforge store prune", "drops what can be made again")]),
    (
        "imgforge-verify",
        &[
            ("imgforge verify k1.img", "against its manifest"),
            ("imgforge verify --rebuild k1.img", "made once more, and compared"),
        ],
    ),
];

/// Of the program as a whole: what lies where.
const FILES: [(&str, &str); 6] = [
    ("~/.config/imgforge/config.yaml", "Settings: mirrors, folders (imgforge schema config)."),
    ("~/.config/imgforge/board-profiles/", "Profiles of your own, which come first."),
    (
        "~/.config/imgforge/locks/",
        "Locks of boards whose profile is inside of the program, or nobody's to write beside.",
    ),
    (
        "BOARD.lock.yaml",
        "Of other boards, beside the profile; of a cluster, home.BOARD.lock.yaml beside home.yaml.",
    ),
    ("home.secrets.yaml", "A cluster's authorities, keys and tokens, beside home.yaml."),
    ("~/.cache/imgforge/store/", "What was fetched, decoded and unpacked; imgforge store looks after it."),
];

const ENVIRONMENT: [(&str, &str); 10] = [
    ("IMGFORGE_CONFIG", "As --config."),
    ("IMGFORGE_STORE", "As --store."),
    ("IMGFORGE_PROFILES", "As --profiles."),
    ("IMGFORGE_OVERLAYS", "As --overlays."),
    ("IMGFORGE_IDENTITY", "As --identity."),
    ("SOURCE_DATE_EPOCH", "The time that is written into images, in seconds since 1970."),
    ("XDG_CONFIG_HOME", "In place of ~/.config."),
    ("XDG_CACHE_HOME", "In place of ~/.cache."),
    ("NO_COLOR", "No colours, whatever it holds."),
    ("CLICOLOR_FORCE", "Colours where there is no terminal, too, unless it is 0."),
];

/// Writes the pages into `folder`.
pub fn write_manual(folder: &Path) -> io::Result<()> {
    clap_mangen::generate_to(Cli::command(), folder)?;
    let mut pages = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    pages.sort_by_key(fs::DirEntry::file_name);
    for page in pages {
        let (path, name) = (page.path(), page.file_name().to_string_lossy().into_owned());
        let Some(name) = name.strip_suffix(".1") else { continue };
        OpenOptions::new().append(true).open(path)?.write_all(behind(name).as_bytes())?;
    }
    Ok(())
}

/// What comes behind what clap has for the page `name`.
fn behind(name: &str) -> String {
    let mut text = String::new();
    let examples = EXAMPLES.iter().find(|(page, _)| *page == name).map(|(_, examples)| *examples);
    if let Some(examples) = examples {
        text.push_str(".SH EXAMPLES\n");
        for (command, purpose) in examples {
            let _ = write!(text, ".TP\n\\fB{}\\fR\n{}\n", escaped(command), escaped(purpose));
        }
    }
    if name == "imgforge" {
        for (head, entries) in [("FILES", &FILES[..]), ("ENVIRONMENT", &ENVIRONMENT[..])] {
            let _ = writeln!(text, ".SH {head}");
            for (what, purpose) in entries {
                let _ = write!(text, ".TP\n{}\n{}\n", escaped(what), escaped(purpose));
            }
        }
    } else {
        text.push_str(".SH SEE ALSO\n\\fBimgforge\\fR(1): exit codes, files, environment\n");
    }
    text
}

/// `text` as roff(7) shows it: backslashes and minus signs as such.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
