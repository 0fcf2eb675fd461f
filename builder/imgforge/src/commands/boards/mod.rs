//! `imgforge boards`: what there are profiles for, and what each board can run.

mod export;
mod new;

use std::path::Path;

use imgforge_kube::engine::Engine;
use imgforge_spec::{Architecture, BoardName, Role};
use serde::Serialize;

use crate::{
    build::error::Error,
    catalogue::{
        Catalogue,
        kubernetes::{Choice, Release},
        limits::Abilities,
        profile::{BaseImage, Profile},
    },
    cli::{BoardsArgs, BoardsCommand},
    host::{console::Console, settings::Settings},
};

/// A board as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Board<'a> {
    board: &'a BoardName,
    name: &'a str,
    aliases: &'a [String],
    vendor: &'a str,
    architecture: Architecture,
    cores: u32,
    memory: u32,
    runs: Runs,
}

/// What a board can run as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Runs {
    /// Newest line of Kubernetes among those that there is a release of: `1.36`.
    kubernetes: Option<String>,
    /// Whether that line is the last one for such boards.
    frozen: bool,
    /// Newest line of k3s among those that there is a release of.
    k3s: Option<String>,
    roles: Vec<Role>,
    reasons: Vec<String>,
}

/// One board in full as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Details<'a> {
    #[serde(flatten)]
    board: Board<'a>,
    profile: &'a Path,
    base: &'a BaseImage,
    kubernetes: Option<&'a Choice>,
    notes: &'a [String],
}

/// Runs the command.
pub fn run(args: &BoardsArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    if let Some(folder) = &args.export {
        return export::run(folder, args.force, console);
    }
    let folder = args.profiles.as_deref();
    let catalogue = super::catalogue(settings, folder)?;
    match &args.command {
        None => list(&catalogue, args.json, console),
        Some(BoardsCommand::Show { board }) => show(&catalogue, board, args.json, console),
        Some(BoardsCommand::New(new)) => new::run(new, folder, &catalogue, console),
    }
}

fn list(catalogue: &Catalogue, json: bool, console: &Console) -> Result<(), Error> {
    let releases = catalogue.releases()?;
    let boards: Vec<Board<'_>> = catalogue.profiles().map(|profile| Board::new(profile, &releases)).collect();
    if json {
        return super::print_json(console, &boards);
    }
    let head = ["BOARD", "KUBERNETES", "K3S", "ROLES", "NAME", "ALSO CALLED"].map(str::to_owned);
    let rows = boards.iter().map(|board| {
        let aliases = board.aliases.join(", ");
        let Board { board, runs, name, .. } = board;
        [board.to_string(), runs.kubernetes(), runs.k3s(), runs.roles(), (*name).to_owned(), aliases]
    });
    super::print(console, &super::table([head].into_iter().chain(rows).collect()))
}

fn show(catalogue: &Catalogue, board: &str, json: bool, console: &Console) -> Result<(), Error> {
    let (path, profile) = catalogue.find(board)?;
    let details = Details {
        board: Board::new(profile, &catalogue.releases()?),
        profile: path,
        base: &profile.base,
        kubernetes: profile.kubernetes.as_ref(),
        notes: &profile.notes,
    };
    if json { super::print_json(console, &details) } else { super::print(console, &details.text()) }
}

impl<'a> Board<'a> {
    fn new(profile: &'a Profile, releases: &[Release]) -> Self {
        Self {
            board: &profile.board,
            name: &profile.name,
            aliases: &profile.aliases,
            vendor: &profile.vendor,
            architecture: profile.architecture,
            cores: profile.cores,
            memory: profile.memory,
            runs: Runs::new(profile, releases),
        }
    }
}

impl Runs {
    fn new(profile: &Profile, releases: &[Release]) -> Self {
        let abilities = Abilities::of(Engine::Kubeadm, profile);
        let line = |abilities: &Abilities| {
            abilities.newest_of(releases, profile).map(|version| format!("1.{}", version.minor))
        };
        Self {
            kubernetes: line(&abilities),
            k3s: line(&Abilities::of(Engine::K3s, profile)),
            frozen: abilities.newest.is_some() && !abilities.is_current(),
            roles: abilities.roles.clone(),
            reasons: abilities.reasons.iter().map(ToString::to_string).collect(),
        }
    }

    fn kubernetes(&self) -> String {
        match (&self.kubernetes, self.frozen) {
            (None, _) => "none".to_owned(),
            (Some(line), true) => format!("{line}, frozen"),
            (Some(line), false) => format!("up to {line}"),
        }
    }

    fn k3s(&self) -> String {
        self.k3s.as_ref().map_or_else(|| "none".to_owned(), |line| format!("up to {line}"))
    }

    fn roles(&self) -> String {
        self.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
    }
}

impl Details<'_> {
    fn text(&self) -> String {
        let Board { board, name, aliases, vendor, architecture, cores, memory, runs } = &self.board;
        let base = self.base.url.clone().or_else(|| Some(self.base.file.as_ref()?.display().to_string()));
        let default = self.kubernetes.map(|choice| format!("{} ({})", choice.release, choice.from.name()));
        let mut rows = vec![
            ("board", board.to_string()),
            ("name", name.to_string()),
            ("aliases", aliases.join(", ")),
            ("profile", self.profile.display().to_string()),
            ("vendor", vendor.to_string()),
            ("hardware", format!("{architecture}, cores: {cores}, memory: {memory} MiB")),
            ("base", base.unwrap_or_default()),
            ("Kubernetes", runs.kubernetes()),
            ("k3s", runs.k3s()),
            ("roles", runs.roles()),
            ("default", default.unwrap_or_else(|| "none".to_owned())),
        ];
        rows.extend(runs.reasons.iter().map(|reason| ("because", reason.clone())));
        rows.extend(self.notes.iter().map(|note| ("note", note.clone())));
        super::table(rows.into_iter().map(|(what, value)| [what.to_owned(), value]).collect())
    }
}
