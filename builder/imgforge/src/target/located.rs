//! What rules find, with its place in the file that people wrote.

use std::{fmt, ops::Range, path::Path, sync::Arc};

use imgforge_kube::check::{self, Finding, Severity};

use crate::yaml::{Place, Position};

/// A finding and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where the setting stands; `None` where no file has it, as with a file of the base.
    pub place: Option<Place>,
    /// What there is to say about it.
    pub finding: Finding,
}

/// The file that a node's settings were read from.
#[derive(Debug, Clone)]
pub struct Source {
    file: Arc<Path>,
    text: Arc<str>,
    /// Where the node's own settings are in it: `nodes[2].`, or nothing where the file is the node's.
    within: String,
    /// What stands at the file's top, for all nodes.
    shared: Vec<Shared>,
}

/// Elements in one of a node's lists that are those of all nodes of its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shared {
    /// The list: `run-once`.
    pub list: &'static str,
    /// Which of the node's elements they are.
    pub elements: Range<usize>,
}

impl Located {
    /// Whether nothing can be built as long as it is so.
    pub(crate) fn is_error(&self) -> bool {
        self.finding.severity == Severity::Error
    }

    /// The line that says it, with how bad it is and, where a rule said it, the name that `allow` takes.
    pub(crate) fn labelled(&self) -> String {
        let Finding { severity, name, .. } = self.finding;
        let is_rule = check::OF_PLANS.contains(&name) || check::rules().any(|rule| rule.name == name);
        let rule = if is_rule { format!(" [{name}]") } else { String::new() };
        format!("{severity}: {self}{rule}")
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.finding),
            None => self.finding.fmt(f),
        }
    }
}

impl Source {
    /// The file `file`, which reads `text`, with the node's settings below `within`.
    pub(crate) fn new(file: &Path, text: &str, within: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into(), within: within.into(), shared: Vec::new() }
    }

    /// The same where the node has `shared` elements besides its own.
    pub(crate) fn sharing(self, shared: impl Into<Vec<Shared>>) -> Self {
        Self { shared: shared.into(), ..self }
    }

    /// Where the node's `setting` stands, and what it is called there. What is not among the node's own is looked for at the
    /// file's top; no place if nothing of it, or of what is around it, is there.
    pub(crate) fn place(&self, setting: &str) -> (Option<Place>, String) {
        let (name, is_shared) = self.as_written(setting);
        let own = format!("{}{name}", self.within);
        let position = match is_shared {
            true => Position::exactly(&name, &self.text),
            false => Position::exactly(&own, &self.text).or_else(|| Position::exactly(&name, &self.text)),
        };
        let position = position.or_else(|| Position::of(&own, &self.text));
        (position.map(|position| Place { file: self.file.to_path_buf(), position: Some(position) }), name)
    }

    /// `setting` with the element's number in its own list, and whether that is the list of all nodes.
    fn as_written(&self, setting: &str) -> (String, bool) {
        let element = |list: &str| {
            let (index, rest) = setting.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?;
            Some((index.parse::<usize>().ok()?, rest))
        };
        for Shared { list, elements } in &self.shared {
            let Some((index, rest)) = element(list) else { continue };
            let (index, is_shared) = match elements.contains(&index) {
                true => (index - elements.start, true),
                false if index >= elements.end => (index - elements.len(), false),
                false => (index, false),
            };
            return (format!("{list}[{index}]{rest}"), is_shared);
        }
        (setting.to_owned(), false)
    }

    /// `finding`, about a setting of the node, with its place.
    pub(crate) fn locate(&self, finding: Finding) -> Located {
        let (place, path) = self.place(&finding.path);
        Located { place, finding: Finding { path, ..finding } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(source: &Source, path: &str) -> String {
        let finding = Finding {
            name: "hidden-under-mount",
            severity: Severity::Error,
            path: path.into(),
            message: "something".into(),
            suggestion: None,
        };
        source.locate(finding).labelled()
    }

    #[test]
    fn a_setting_has_its_line_and_a_file_of_the_base_has_none() {
        let source = Source::new(Path::new("node.yaml"), "hostname: n1\nmounts:\n  - {target: /var}\n", "");
        assert_eq!(
            located(&source, "mounts[0].target"),
            "error: node.yaml:3:6: mounts[0].target: something [hidden-under-mount]"
        );
        assert_eq!(located(&source, "/sbin/init"), "error: /sbin/init: something [hidden-under-mount]");
    }

    #[test]
    fn a_node_of_a_cluster_has_its_settings_below_its_own_place() {
        let text =
            "mounts: []\nnodes:\n  - hostname: a\n  - hostname: b\n    mounts:\n      - {target: /var}\n";
        let source = Source::new(Path::new("home.yaml"), text, "nodes[1].");
        assert!(located(&source, "mounts[0].target").starts_with("error: home.yaml:6:10: mounts[0].target"));
        // What is at the top is found there, and counted there.
        assert!(located(&source, "mounts").starts_with("error: home.yaml:5:5: mounts:"));
        let text =
            "run-once: [{ name: a }]\nlocale: x\nnodes:\n  - hostname: b\n    run-once: [{ name: b }]\n";
        let shared = Shared { list: "run-once", elements: 0..1 };
        let shared = Source::new(Path::new("home.yaml"), text, "nodes[0].").sharing([shared]);
        assert!(located(&shared, "locale").starts_with("error: home.yaml:2:1: locale:"));
        assert!(located(&shared, "run-once[0].name").starts_with("error: home.yaml:1:14: run-once[0].name"));
        assert!(located(&shared, "run-once[1].name").starts_with("error: home.yaml:5:18: run-once[0].name"));
        // The base's own is the node's, whichever line that begins with.
        assert!(located(&source, "/sbin/init").starts_with("error: home.yaml:4:5: /sbin/init"));
    }
}
