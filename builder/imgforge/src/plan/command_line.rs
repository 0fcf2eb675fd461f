//! Words added to the kernel's command line, where the vendor keeps it.

use imgforge_spec::ImagePath;

use super::{Draft, Error, Request};
use crate::{
    catalogue::Board,
    catalogue::vendor::{BootVolume, CommandLineForm},
    image::change::{Origin, Volume},
};

/// Adds the words that the vendor, the board and the node ask for and that are not there yet.
pub fn add_arguments(draft: &mut Draft<'_>, request: &Request) -> Result<(), Error> {
    let Request { board, role, node, .. } = request;
    let Board { vendor, profile, .. } = &**board;
    if role.runs_kubernetes() {
        add(draft, request, &vendor.kubernetes_kernel_arguments, Origin::Vendor(vendor.vendor.clone()))?;
    }
    add(draft, request, &profile.kernel_arguments, Origin::Board(profile.board.to_string()))?;
    add(draft, request, &node.kernel_arguments, Origin::Node("kernel-arguments"))
}

fn add(draft: &mut Draft<'_>, request: &Request, words: &[String], origin: Origin) -> Result<(), Error> {
    if words.is_empty() {
        return Ok(());
    }
    let place = &request.board.vendor.command_line;
    let volume = match place.volume {
        BootVolume::Boot => Volume::Boot,
        BootVolume::Root => Volume::Root,
    };
    let paths = draft.matching(volume, &ImagePath::new(&place.file)?)?;
    if paths.is_empty() {
        return Err(Error::Missing { path: place.file.clone(), purpose: "the kernel's command line".into() });
    }
    for path in paths {
        let text = draft.read_text(volume, &path)?.unwrap_or_default();
        let changed = with_words(&place.form, &text, words);
        if changed != text {
            draft.write(volume, &path, changed, None, origin.clone())?;
        }
    }
    Ok(())
}

/// `text` with `words` in its command line; unchanged where all are there.
fn with_words(form: &CommandLineForm, text: &str, words: &[String]) -> String {
    match form {
        CommandLineForm::Line => {
            let line = text.lines().next().unwrap_or_default();
            let rest: String = text.split_inclusive('\n').skip(1).collect();
            let end = if text.contains('\n') || text.is_empty() { "\n" } else { "" };
            append(line, words) + end + &rest
        }
        CommandLineForm::Assignment { key } => with_line(text, &format!("{key}="), words),
        CommandLineForm::Field { key } => with_line(text, &format!("{key} "), words),
    }
}

/// `text` with `words` on the line that begins with `start`; such a line is added at the end where there is none.
fn with_line(text: &str, start: &str, words: &[String]) -> String {
    let mut found = false;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix(start) {
            Some(value) if !found => {
                found = true;
                lines.push(format!("{start}{}", append(value.trim(), words)));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    if !found {
        lines.push(format!("{start}{}", append("", words)));
    }
    lines.join("\n") + "\n"
}

fn append(line: &str, words: &[String]) -> String {
    let mut all: Vec<&str> = line.split_whitespace().collect();
    for word in words {
        if !all.contains(&word.as_str()) {
            all.push(word);
        }
    }
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(form: CommandLineForm, text: &str) -> String {
        with_words(&form, text, &["cgroup_enable=memory".to_owned(), "quiet".to_owned()])
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
}
