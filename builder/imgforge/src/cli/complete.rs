//! What a shell offers at Tab, besides options and files: the boards there are, the nodes of cluster files at hand, releases of
//! Kubernetes.

use std::ffi::OsStr;

use clap::CommandFactory;
use clap_complete::{
    ArgValueCandidates, ArgValueCompleter, CompleteEnv, CompletionCandidate, PathCompleter, Shell,
    engine::ValueCompleter, env::Shells,
};

use super::Cli;
use crate::{
    catalogue::{Catalogue, kubernetes::Release, profile::Profile},
    host::settings::Settings,
    target::cluster::at_hand,
};

/// The variable by which a shell's function asks for what may come next.
const VARIABLE: &str = "IMGFORGE_COMPLETE";

/// Answers the shell and ends the process, if it is a shell that asks.
pub fn answer() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

/// The function that asks, for `shell`; `None` where there is none for it.
pub(crate) fn script(shell: Shell) -> Option<String> {
    let mut text = Vec::new();
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string())?;
    completer.write_registration(VARIABLE, "imgforge", "imgforge", "imgforge", &mut text).ok()?;
    Some(String::from_utf8_lossy(&text).trim_start().to_owned())
}

/// Boards, by all their names, with what hardware that is.
pub(super) fn boards() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let offered = |profile: &Profile| {
            let help = Some(profile.name.clone().into());
            let candidate = move |name: &str| CompletionCandidate::new(name).help(help.clone());
            profile.names().map(candidate).collect::<Vec<_>>()
        };
        let catalogue = Settings::load(None).ok().and_then(|settings| Catalogue::of(&settings, None).ok());
        catalogue.iter().flat_map(Catalogue::profiles).flat_map(offered).collect()
    })
}

/// The next patch of each release of Kubernetes that is known.
pub(super) fn next_patches() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let catalogue = Settings::load(None).ok().and_then(|settings| Catalogue::of(&settings, None).ok());
        let releases = catalogue.and_then(|catalogue| catalogue.releases().ok()).unwrap_or_default();
        let next = |release: Release| {
            let own = release.version?;
            let name = format!("{}.{}", release.engine.line(own), own.patch.saturating_add(1));
            let help = Some(format!("after {own}").into());
            Some(CompletionCandidate::new(name).help(help))
        };
        releases.into_iter().filter_map(next).collect()
    })
}

/// Nodes of the cluster files in the working directory.
pub(super) fn nodes() -> ArgValueCandidates {
    ArgValueCandidates::new(|| offered_nodes(""))
}

/// The same, and files.
pub(super) fn nodes_or_files() -> ArgValueCompleter {
    ArgValueCompleter::new(|begun: &OsStr| {
        let mut offered = offered_nodes(&begun.to_string_lossy());
        offered.extend(PathCompleter::file().complete(begun));
        offered
    })
}

fn offered_nodes(begun: &str) -> Vec<CompletionCandidate> {
    let nodes = |(file, names): (std::path::PathBuf, Vec<String>)| {
        let help = Some(format!("of {}", file.display()).into());
        let candidate = move |name: String| CompletionCandidate::new(name).help(help.clone());
        names.into_iter().map(candidate).collect::<Vec<_>>()
    };
    let all = at_hand().into_iter().flat_map(nodes);
    all.filter(|candidate| candidate.get_value().to_string_lossy().starts_with(begun)).collect()
}
