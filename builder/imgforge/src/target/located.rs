//! What rules find, with its place in the file that people wrote.

use std::{fmt, path::Path, sync::Arc};

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
        Self { file: file.into(), text: text.into(), within: within.into() }
    }

    /// Where the node's `setting` stands; `None` if nothing of it, or of what is around it, is there.
    pub(crate) fn place(&self, setting: &str) -> Option<Place> {
        let position = Position::of(&format!("{}{setting}", self.within), &self.text);
        position.map(|position| Place { file: self.file.to_path_buf(), position: Some(position) })
    }

    /// `finding`, about a setting of the node, with its place.
    pub(crate) fn locate(&self, finding: Finding) -> Located {
        Located { place: self.place(&finding.path), finding }
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
        // The base's own is the node's, whichever line that begins with.
        assert!(located(&source, "/sbin/init").starts_with("error: home.yaml:4:5: /sbin/init"));
    }
}
