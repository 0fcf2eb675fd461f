//! The kernel's command line, where the vendor keeps it: words that must not be in it go, and words are added.

use imgforge_debian::Pattern;
use imgforge_spec::ImagePath;

use super::{Draft, Error, Request};
use crate::{
    catalogue::{
        Board,
        vendor::{BootVolume, CommandLineForm},
    },
    image::change::{Origin, Volume},
};

/// Takes away what the vendor's images bring and no node may have; adds the words that the vendor, the board and the node
/// ask for and that are not there yet.
pub fn edit(draft: &mut Draft<'_>, request: &Request) -> Result<(), Error> {
    let Request { board, role, node, .. } = request;
    let Board { vendor, profile, .. } = &**board;
    let of_vendor = || Origin::Vendor(vendor.vendor.clone());
    remove(draft, request, &vendor.remove_kernel_arguments, of_vendor())?;
    if role.runs_kubernetes() {
        add(draft, request, &vendor.kubernetes_kernel_arguments, of_vendor())?;
    }
    add(draft, request, &profile.kernel_arguments, Origin::Board(profile.board.to_string()))?;
    // As `iw reg set` would, before the radio is used at all.
    let country = node.wifi.iter().map(|wifi| format!("cfg80211.ieee80211_regdom={}", wifi.country));
    add(draft, request, &country.collect::<Vec<_>>(), Origin::Node("wifi"))?;
    add(draft, request, &node.kernel_arguments, Origin::Node("kernel-arguments"))
}

fn remove(draft: &mut Draft<'_>, request: &Request, words: &[String], origin: Origin) -> Result<(), Error> {
    if words.is_empty() {
        return Ok(());
    }
    let patterns: Vec<Pattern> = words.iter().map(|word| Pattern::of_stars(word.as_bytes())).collect();
    let (volume, paths) = files(draft, request)?;
    change(draft, volume, paths, origin, |text| request.form().without(text, &patterns))
}

fn add(draft: &mut Draft<'_>, request: &Request, words: &[String], origin: Origin) -> Result<(), Error> {
    if words.is_empty() {
        return Ok(());
    }
    let (volume, paths) = files(draft, request)?;
    if paths.is_empty() {
        let path = request.board.vendor.command_line.file.clone();
        return Err(Error::Missing { path, purpose: "the kernel's command line".into() });
    }
    change(draft, volume, paths, origin, |text| request.form().with(text, words))
}

/// The files that hold it, which may be none.
fn files(draft: &Draft<'_>, request: &Request) -> Result<(Volume, Vec<ImagePath>), Error> {
    let place = &request.board.vendor.command_line;
    let volume = place.volume.into();
    Ok((volume, draft.matching(volume, &ImagePath::new(&place.file)?)?))
}

fn change(
    draft: &mut Draft<'_>,
    volume: Volume,
    paths: Vec<ImagePath>,
    origin: Origin,
    edit: impl Fn(&str) -> String,
) -> Result<(), Error> {
    for path in paths {
        let path = draft.edited(volume, &path)?;
        let text = draft.read_text(volume, &path)?.unwrap_or_default();
        let changed = edit(&text);
        if changed != text {
            draft.write(volume, &path, changed, None, origin.clone())?;
        }
    }
    Ok(())
}

impl Request {
    fn form(&self) -> &CommandLineForm {
        &self.board.vendor.command_line.form
    }
}

impl From<BootVolume> for Volume {
    fn from(volume: BootVolume) -> Self {
        match volume {
            BootVolume::Boot => Volume::Boot,
            BootVolume::Root => Volume::Root,
        }
    }
}

impl CommandLineForm {
    /// `text` with `words` in its command line; unchanged where all are there.
    pub(super) fn with(&self, text: &str, words: &[String]) -> String {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let places = self.places(&lines);
        let there: Vec<&str> = places.iter().flat_map(|&at| self.words(&lines[at])).collect();
        let missing: Vec<&str> =
            words.iter().map(String::as_str).filter(|word| !there.contains(word)).collect();
        if missing.is_empty() {
            return text.to_owned();
        }
        // A later word overrules an earlier one, so the last line is the place for ours.
        match places.last() {
            Some(&at) => {
                let all = self.words(&lines[at]).chain(missing).collect::<Vec<_>>().join(" ");
                lines[at] = self.line(&all, ending(&lines[at]));
            }
            None => {
                if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
                    last.push('\n');
                }
                lines.push(self.line(&missing.join(" "), "\n"));
            }
        }
        lines.concat()
    }

    /// `text` without the words of its command line that match one of `patterns`.
    fn without(&self, text: &str, patterns: &[Pattern]) -> String {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let stays = |word: &&str| !patterns.iter().any(|pattern| pattern.matches(word.as_bytes()));
        for at in self.places(&lines) {
            let left: Vec<&str> = self.words(&lines[at]).filter(stays).collect();
            if left.len() < self.words(&lines[at]).count() {
                lines[at] = self.line(&left.join(" "), ending(&lines[at]));
            }
        }
        lines.concat()
    }

    /// The lines that count. Of several assignments U-Boot takes the last; a boot loader entry's fields are taken together
    /// (<https://uapi-group.org/specifications/specs/boot_loader_specification/>).
    fn places(&self, lines: &[String]) -> Vec<usize> {
        let with_key = (0..lines.len()).filter(|&at| self.value(&lines[at]).is_some());
        match self {
            CommandLineForm::Line => with_key.take(1).collect(),
            CommandLineForm::Assignment { .. } => with_key.rev().take(1).collect(),
            CommandLineForm::Field { .. } => with_key.collect(),
        }
    }

    /// What stands behind the key in `line`, if it begins with it.
    fn value<'a>(&self, line: &'a str) -> Option<&'a str> {
        match self {
            CommandLineForm::Line => Some(line),
            CommandLineForm::Assignment { key } => line.trim_start().strip_prefix(key)?.strip_prefix('='),
            CommandLineForm::Field { key } => {
                line.trim_start().strip_prefix(key)?.strip_prefix(char::is_whitespace)
            }
        }
    }

    fn words<'a>(&self, line: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.value(line).unwrap_or_default().split_whitespace()
    }

    fn line(&self, words: &str, ending: &str) -> String {
        match self {
            CommandLineForm::Line => format!("{words}{ending}"),
            CommandLineForm::Assignment { key } => format!("{key}={words}{ending}"),
            CommandLineForm::Field { key } => format!("{key} {words}{ending}"),
        }
    }
}

/// How `line` ends: as the vendor's editor had it.
fn ending(line: &str) -> &str {
    line.get(line.trim_end_matches(['\r', '\n']).len()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(form: CommandLineForm, text: &str) -> String {
        form.with(text, &["cgroup_enable=memory".to_owned(), "quiet".to_owned()])
    }

    #[test]
    fn raspberry_pi_keeps_one_line() {
        let text = "console=tty1 root=PARTUUID=4f2c9ea0-02 rootwait quiet resize\n";
        assert_eq!(
            changed(CommandLineForm::Line, text),
            "console=tty1 root=PARTUUID=4f2c9ea0-02 rootwait quiet resize cgroup_enable=memory\n"
        );
    }

    #[test]
    fn armbian_has_a_key_or_gets_one() {
        let form = || CommandLineForm::Assignment { key: "extraargs".into() };
        assert_eq!(
            changed(form(), "verbosity=1\nextraargs=net.ifnames=0\n"),
            "verbosity=1\nextraargs=net.ifnames=0 cgroup_enable=memory quiet\n"
        );
        assert_eq!(changed(form(), "verbosity=1\n"), "verbosity=1\nextraargs=cgroup_enable=memory quiet\n");
    }

    #[test]
    fn a_boot_loader_entry_has_a_field() {
        let form = CommandLineForm::Field { key: "options".into() };
        assert_eq!(
            changed(form, "title Debian\noptions root=LABEL=x quiet\n"),
            "title Debian\noptions root=LABEL=x quiet cgroup_enable=memory\n"
        );
    }

    #[test]
    fn words_that_are_there_change_nothing() {
        let text = "a quiet cgroup_enable=memory";
        assert_eq!(changed(CommandLineForm::Line, text), text);
    }

    #[test]
    fn of_several_assignments_the_last_counts() {
        let form = CommandLineForm::Assignment { key: "extraargs".into() };
        assert_eq!(
            changed(form, "extraargs=quiet cgroup_enable=memory\nx=1\nextraargs=a\ny=2"),
            "extraargs=quiet cgroup_enable=memory\nx=1\nextraargs=a cgroup_enable=memory quiet\ny=2"
        );
    }

    #[test]
    fn fields_of_an_entry_are_taken_together() {
        let form = CommandLineForm::Field { key: "options".into() };
        assert_eq!(
            changed(form, "options quiet\noptions\ta\ninitrd x\n"),
            "options quiet\noptions a cgroup_enable=memory\ninitrd x\n"
        );
    }

    #[test]
    fn words_are_taken_away_by_pattern() {
        let gone = ["systemd.run=*", "systemd.unit=kernel-command-line.target"]
            .map(|p| Pattern::of_stars(p.as_bytes()));
        let text =
            "a  systemd.run=/boot/x systemd.running init=/y systemd.unit=kernel-command-line.target\r\nb\n";
        assert_eq!(CommandLineForm::Line.without(text, &gone), "a systemd.running init=/y\r\nb\n");
        assert_eq!(CommandLineForm::Line.without("a  b\n", &gone), "a  b\n", "nothing to take away");
    }
}
