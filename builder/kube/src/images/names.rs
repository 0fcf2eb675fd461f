//! The images of what imgforge adds itself, by name. They are data: `names.yaml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// References as container runtimes know them: `quay.io/prometheus/prometheus:v3.5.0`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Names {
    /// What holds a virtual address for the masters.
    pub kube_vip: String,
    /// What measures a node.
    pub node_exporter: String,
    /// What asks the exporters, and keeps what they say.
    pub prometheus: String,
    /// What tells somebody.
    pub alertmanager: String,
}

/// The file is part of the program; that it can be read, the tests see.
static NAMES: LazyLock<Names> =
    LazyLock::new(|| serde_yaml::from_str(include_str!("names.yaml")).unwrap_or_default());

/// All names.
pub fn names() -> &'static Names {
    &NAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read() {
        serde_yaml::from_str::<Names>(include_str!("names.yaml")).unwrap();
    }
}
