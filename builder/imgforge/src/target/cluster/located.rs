//! What a check of the cluster file found, with its place there.

use std::fmt;

use imgforge_kube::check::{Finding, Severity, rules};

use crate::yaml::Place;

/// A finding and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where the setting stands.
    pub place: Place,
    /// What there is to say about it.
    pub finding: Finding,
}

impl Located {
    /// Whether nothing can be built as long as it is so.
    pub(crate) fn is_error(&self) -> bool {
        self.finding.severity == Severity::Error
    }

    /// The line that says it, with how bad it is and, where a rule said it, the name that `allow` takes.
    pub(crate) fn labelled(&self) -> String {
        let Finding { severity, name, .. } = self.finding;
        let rule = if rules().any(|rule| rule.name == name) { format!(" [{name}]") } else { String::new() };
        format!("{severity}: {self}{rule}")
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.finding)
    }
}
