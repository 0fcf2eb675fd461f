//! Whether a package can be unpacked without running its code.
//!
//! `postinst` and the other scripts wait for the configuration on the board. A `preinst` should have run before, so it
//! is read: one that does nothing on a first installation is fine, any other is a reason to refuse the package.

mod divert;
mod evaluation;
mod expansion;
mod lexer;
mod parser;

use std::fmt;

use crate::archive::Package;
use crate::database::Diversion;
use crate::path::TreePath;
use crate::tree::Tree;

/// Where kernels and their modules lie; a package with files there changes how the board boots.
const KERNEL_PLACES: [&str; 3] = ["/boot/", "/lib/modules/", "/usr/lib/modules/"];

/// Something that a `preinst` does and that [`crate::plan_unpack`] does in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Adds a diversion that moves no file.
    Divert(Diversion),
    /// Makes a directory and those above it, where they are missing.
    Directory(TreePath),
    /// Makes an empty file that was not there.
    EmptyFile(TreePath),
}

/// What the `preinst` script would do on a first installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preinst {
    /// There is none.
    Absent,
    /// Nothing that changes the system.
    Idle,
    /// This, and nothing else that changes the system.
    Imitated(Vec<Effect>),
    /// These commands, and perhaps more.
    Active(Vec<String>),
    /// Not known: it is not a shell script of the usual form.
    Unreadable,
}

/// What is known of a package before it is unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// What its `preinst` would do.
    pub preinst: Preinst,
    /// A file among the kernels or their modules.
    pub kernel_file: Option<TreePath>,
    /// It activates the `update-initramfs` trigger: the first boot rebuilds the initramfs, which takes minutes.
    pub rebuilds_initramfs: bool,
}

/// Why a package cannot be unpacked offline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its `preinst` would run these commands, which nothing stands in for.
    PreinstActive(Vec<String>),
    /// What its `preinst` would do is not known.
    PreinstUnreadable,
    /// It brings this file of a kernel.
    Kernel(TreePath),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::PreinstActive(commands) => {
                write!(f, "its preinst must run before it is unpacked: `{}`", commands.join("`, `"))
            }
            Refusal::PreinstUnreadable => f.write_str("its preinst is no shell script that can be read"),
            Refusal::Kernel(path) => write!(f, "it brings {path}, which belongs to a kernel"),
        }
    }
}

impl Assessment {
    /// Looks at the scripts and files of a package that is to go into `tree`.
    pub fn of(package: &Package, tree: &dyn Tree) -> Self {
        let is_kernel =
            |path: &TreePath| KERNEL_PLACES.iter().any(|place| path.as_bytes().starts_with(place.as_bytes()));
        let kernel_file = package.members.iter().map(|member| &member.path).find(|path| is_kernel(path));
        let triggers =
            String::from_utf8_lossy(package.control_file("triggers").unwrap_or_default()).into_owned();
        let rebuilds_initramfs = triggers.lines().any(|line| {
            line.trim_start().starts_with("activate")
                && line.split_whitespace().nth(1) == Some("update-initramfs")
        });
        Assessment {
            preinst: Preinst::of_package(package, tree),
            kernel_file: kernel_file.cloned(),
            rebuilds_initramfs,
        }
    }

    /// Why the package cannot be unpacked offline; empty if it can.
    pub fn refusals(&self) -> Vec<Refusal> {
        let preinst = match &self.preinst {
            Preinst::Absent | Preinst::Idle | Preinst::Imitated(_) => None,
            Preinst::Active(commands) => Some(Refusal::PreinstActive(commands.clone())),
            Preinst::Unreadable => Some(Refusal::PreinstUnreadable),
        };
        preinst.into_iter().chain(self.kernel_file.clone().map(Refusal::Kernel)).collect()
    }
}

impl Preinst {
    /// What the `preinst` of a package would do in `tree`.
    pub(crate) fn of_package(package: &Package, tree: &dyn Tree) -> Self {
        Self::of(package.control_file("preinst"), &package.identity.name, tree)
    }

    fn of(script: Option<&[u8]>, package: &str, tree: &dyn Tree) -> Self {
        let Some(script) = script else { return Preinst::Absent };
        let text = std::str::from_utf8(script).ok();
        let is_shell = |text: &&str| {
            let interpreter = text.lines().next().unwrap_or_default().trim_start_matches("#!").trim();
            let program = interpreter.split_whitespace().next().unwrap_or_default();
            ["/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/sh", "/usr/bin/bash"].contains(&program)
        };
        match text.filter(is_shell).and_then(|script| evaluation::reached(script, package, tree)) {
            Some(reached) if !reached.commands.is_empty() => Preinst::Active(reached.commands),
            Some(reached) if !reached.effects.is_empty() => Preinst::Imitated(reached.effects),
            Some(_) => Preinst::Idle,
            None => Preinst::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::tree::Node;

    /// A tree with one directory and one file in it.
    struct Etc;

    impl Tree for Etc {
        fn node(&self, path: &TreePath) -> Result<Option<Node>> {
            Ok(match path.as_bytes() {
                b"/etc" => Some(Node::Directory),
                b"/etc/there" => Some(Node::File),
                _ => None,
            })
        }

        fn read(&self, _: &TreePath) -> Result<Option<Vec<u8>>> {
            Ok(None)
        }
    }

    fn preinst(body: &str) -> Preinst {
        Preinst::of(Some(format!("#!/bin/sh\nset -e\n{body}\n").as_bytes()), "own", &Etc)
    }

    #[test]
    fn what_only_an_upgrade_would_do_is_idle() {
        for body in [
            "",
            "dpkg-maintscript-helper rm_conffile /etc/x 1.0~ -- \"$@\"",
            "if [ \"$1\" = upgrade ]; then rm /x; fi",
            "case \"$1\" in\n upgrade|abort-upgrade)\n rm /x\n ;;\n install) : ;;\nesac",
            "if [ \"$1\" = \"install\" ] && [ -n \"$2\" ] && [ -e \"/etc/init.d/x\" ]; then chmod +x /etc/init.d/x; fi",
            "if [ -z \"${DPKG_ROOT:-}\" ] && [ \"$1\" = upgrade ] && [ -d /run/x ] ; then\n\trm /x || true\nfi",
            "if [ -z \"$2\" ]; then exit 0; fi\nrm /x",
            "[ \"$1\" != upgrade ] || rm /x",
            "test \"$1\" = upgrade &&\n dpkg --compare-versions \"$2\" le 1 && rm /x",
            "if dpkg --compare-versions \"$2\" lt-nl 2; then rm /x; fi",
            "f() { rm /x; }\nif [ \"$1\" = upgrade -a -e /x ]; then f; fi",
            "d=/var/x\nfor i in $(seq 3); do [ ! -e \"$d/f.$i\" ] || cp $d/f.$i \"$d/f.$(($i+1))\"; done",
            "[ -e /etc/x ] && rm /etc/x",
            "kernel=`uname -r`\ncat >&2 <<E\nrm /x\nE",
        ] {
            assert_eq!(preinst(body), Preinst::Idle, "{body}");
        }
    }

    #[test]
    fn what_a_first_installation_may_do_is_listed() {
        for (body, command) in [
            ("rm /x", "rm /x"),
            ("if [ \"$1\" = install ]; then adduser --system x; fi", "adduser --system x"),
            ("if [ -e /etc/there ]; then rm /x; fi", "rm /x"),
            ("if [ ! -e /etc/x ]; then rm /x; fi", "rm /x"),
            ("if [ -e /run/x ]; then rm /x; fi", "rm /x"),
            ("if dpkg --compare-versions \"$2\" lt 2; then rm /x; fi", "rm /x"),
            ("case $1 in install) rm /x;; esac", "rm /x"),
            ("case $1 in *) rm /x;; esac", "rm /x"),
            ("case $UNKNOWN in '') rm /x;; esac", "rm /x"),
            ("[ -e /etc/there ] && exit 0\nrm /x", "rm /x"),
            ("if [ -e /etc/there ] && [ \"$1\" = install ]; then rm /x; fi", "rm /x"),
            ("if [ -e /etc/there ] || [ \"$1\" = upgrade ]; then rm /x; fi", "rm /x"),
            ("f() { rm /x; }\nf", "rm /x"),
            ("x=$(rm /x)", "rm /x"),
            ("echo \"`rm /x`\"", "rm /x"),
            ("for x in a b; do rm /x; done", "rm /x"),
            ("! rm /x", "rm /x"),
            ("true | rm /x", "rm /x"),
            ("( rm /x )", "rm /x"),
            ("echo x > /etc/x", "echo x > (writes a file)"),
            ("{ echo x; } > /etc/x", "> (writes a file)"),
            (". /usr/share/debconf/confmodule", ". /usr/share/debconf/confmodule"),
        ] {
            assert_eq!(preinst(body), Preinst::Active(vec![command.to_owned()]), "{body}");
        }
    }

    #[test]
    fn diversions_count_where_they_are_certain_and_move_nothing() {
        let divert = |options: &str| format!("dpkg-divert --add {options} --divert /etc/to /etc/from");
        let expected =
            Diversion { from: b"/etc/from".to_vec(), to: b"/etc/to".to_vec(), package: Some("own".into()) };
        for body in [
            divert("--no-rename"),
            divert("--rename"),
            format!("if [ \"$1\" = install ]; then {}; fi", divert("--no-rename")),
        ] {
            assert_eq!(preinst(&body), Preinst::Imitated(vec![Effect::Divert(expected.clone())]), "{body}");
        }
        for body in [
            format!("if [ -e /etc/there ]; then {}; fi", divert("--no-rename")),
            format!("[ -e /etc/there ] && exit 0\n{}", divert("--no-rename")),
            "dpkg-divert --rename --add /etc/there".to_owned(),
            "dpkg-divert --add \"$x\"".to_owned(),
            "dpkg-divert --remove /etc/from".to_owned(),
            format!("rm /x\n{}", divert("--no-rename")),
        ] {
            assert!(matches!(preinst(&body), Preinst::Active(_)), "{body}");
        }
    }

    #[test]
    fn new_directories_and_empty_files_are_imitated() {
        let path = |path: &str| TreePath::from_absolute(path.as_bytes()).unwrap();
        assert_eq!(
            preinst("if [ ! -f /etc/x ]; then mkdir -p /var/x\ntouch /etc/x; fi"),
            Preinst::Imitated(vec![Effect::Directory(path("/var/x")), Effect::EmptyFile(path("/etc/x"))])
        );
        for body in [
            "touch /etc/there",
            "mkdir /var/x",
            "mkdir -m 700 /x",
            "touch -r /y /x",
            "[ -e /etc/there ] && touch /x",
        ] {
            assert!(matches!(preinst(body), Preinst::Active(_)), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be() {
        assert_eq!(preinst("if true"), Preinst::Unreadable);
        assert_eq!(preinst("a && "), Preinst::Unreadable);
        assert_eq!(preinst("'"), Preinst::Unreadable);
        for deep in ["( ", "! ", "a() { ", "if "] {
            assert_eq!(preinst(&deep.repeat(50_000)), Preinst::Unreadable, "{deep}");
        }
        assert_eq!(Preinst::of(Some(b"#!/usr/bin/perl\n"), "own", &Etc), Preinst::Unreadable);
        assert_eq!(Preinst::of(Some(b"\x7fELF\xff"), "own", &Etc), Preinst::Unreadable);
        assert_eq!(Preinst::of(None, "own", &Etc), Preinst::Absent);
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[ifesac$(){}|&;<>'\"`\\\\\n ]{0,40}") {
            let _ = preinst(&text);
        }
    }
}
