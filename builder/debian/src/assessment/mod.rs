//! Whether a package can be unpacked without running its code.
//!
//! `postinst` and the other scripts wait for the configuration on the board. A `preinst` should have run before, so it
//! is read: one that does nothing on a first installation is fine, any other is a reason to refuse the package.

mod branches;
mod commands;
mod condition;
mod divert;
mod evaluation;
mod expansion;
mod lexer;
mod parser;
mod places;
mod programs;
mod state;
mod word;

use std::fmt::{self, Write};

use crate::archive::Package;
use crate::database::Diversion;
use crate::path::TreePath;
use crate::shown::Shown;
use crate::tree::{Tree, resolve};

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
                let commands = commands.join("`, `");
                write!(Shown(f), "its preinst must run before it is unpacked: `{commands}`")
            }
            Refusal::PreinstUnreadable => f.write_str("its preinst is no shell script that can be read"),
            Refusal::Kernel(path) => write!(f, "it brings {path}, which belongs to a kernel"),
        }
    }
}

impl Assessment {
    /// Looks at the scripts and files of a package that is to go into `tree`. What other packages bring before it may make
    /// more of its `preinst`, never less: [`crate::plan_unpack`] looks again.
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
        self.preinst.refusal().into_iter().chain(self.kernel_file.clone().map(Refusal::Kernel)).collect()
    }
}

impl Preinst {
    /// Why the script must be run, if it must.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Preinst::Absent | Preinst::Idle | Preinst::Imitated(_) => None,
            Preinst::Active(commands) => Some(Refusal::PreinstActive(commands.clone())),
            Preinst::Unreadable => Some(Refusal::PreinstUnreadable),
        }
    }

    /// What the `preinst` of a package would do in `tree`.
    pub(crate) fn of_package(package: &Package, tree: &dyn Tree) -> Self {
        Self::of(package.control_file("preinst"), &package.identity.name, tree)
    }

    fn of(script: Option<&[u8]>, package: &str, tree: &dyn Tree) -> Self {
        let Some(script) = script else { return Preinst::Absent };
        let text = std::str::from_utf8(script).ok().filter(|text| !text.contains('\0'));
        let reached = text.and_then(|text| {
            let options = shell_options(text)?;
            if !sh_is_dash(tree) {
                return None;
            }
            evaluation::reached(text, &options, package, tree)
        });
        match reached {
            Some(reached) if !reached.commands.is_empty() => Preinst::Active(reached.commands),
            Some(reached) if !reached.effects.is_empty() => Preinst::Imitated(reached.effects),
            Some(_) => Preinst::Idle,
            None => Preinst::Unreadable,
        }
    }
}

/// Whether `sh` is dash, as far as the image has one.
fn sh_is_dash(tree: &dyn Tree) -> bool {
    let Ok(sh) = TreePath::from_absolute(b"/bin/sh") else { return false };
    resolve(&sh, |path| tree.node(path))
        .is_ok_and(|place| place.name() == b"dash" || matches!(tree.node(&place), Ok(None)))
}

/// The options in the first line of a script for dash, which is `sh` on Debian; `None` if it is for another interpreter,
/// or may be: bash knows more variables, words and commands than are known here.
fn shell_options(script: &str) -> Option<Vec<&str>> {
    let line = script.split('\n').next()?.strip_prefix("#!")?;
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let shells = ["/bin/sh", "/bin/dash", "/usr/bin/sh", "/usr/bin/dash"];
    let is_shell = words.next().is_some_and(|program| shells.contains(&program));
    let options: Vec<&str> = words.collect();
    let is_known = |option: &&str| {
        option.strip_prefix('-').is_some_and(|letters| {
            !letters.is_empty() && letters.bytes().all(|letter| b"eux".contains(&letter))
        })
    };
    // The kernel makes one argument of all that follows.
    (is_shell && options.len() < 2 && options.iter().all(is_known)).then_some(options)
}

#[cfg(test)]
mod against_dash;
#[cfg(test)]
mod grammar;
#[cfg(test)]
mod tests;
