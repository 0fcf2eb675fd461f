//! A finding as `--json` has it.

use imgforge_kube::check::Finding;
use serde::Serialize;

use crate::{
    target::Located,
    yaml::{Place, Position},
};

/// What a rule found, and where.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct FindingEntry<'a> {
    rule: &'a str,
    severity: String,
    /// The setting, or the file in the image.
    path: &'a str,
    /// Where the setting stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: &'a str,
    suggestion: Option<&'a str>,
}

impl<'a> From<&'a Located> for FindingEntry<'a> {
    fn from(located: &'a Located) -> Self {
        let Finding { name, severity, path, message, suggestion } = &located.finding;
        let place = located.place.as_ref();
        let position = place.and_then(|place| place.position);
        Self {
            rule: name,
            severity: severity.to_string(),
            path,
            file: place.map(|Place { file, .. }| file.display().to_string()),
            line: position.map(|Position { line, .. }| line),
            column: position.map(|Position { column, .. }| column),
            message,
            suggestion: suggestion.as_deref(),
        }
    }
}
