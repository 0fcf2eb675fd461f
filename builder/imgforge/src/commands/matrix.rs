//! `imgforge matrix`: every board in every role it can have, for continuous integration.

use imgforge_kube::engine::Engine;
use imgforge_spec::{Architecture, BoardName, Role};
use serde::Serialize;

use crate::{
    build::{error::Error, output::Format},
    catalogue::{Catalogue, limits::Abilities, profile::Profile},
    cli::MatrixArgs,
    host::{console::Console, settings::Settings},
};

/// One image that can be built.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    board: BoardName,
    role: Role,
    architecture: Architecture,
    /// The release of Kubernetes in it.
    kubernetes: Option<String>,
    /// Its file name.
    image: String,
    /// Whether its base is made on the build machine, as no vendor publishes one.
    local: bool,
    /// Whether the vendor takes its base away within weeks.
    perishable: bool,
}

/// Runs the command.
pub fn run(args: &MatrixArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = super::catalogue(settings, args.profiles.as_deref())?;
    let mut images = Vec::new();
    for profile in catalogue.profiles() {
        for role in Abilities::of(Engine::Kubeadm, profile).roles {
            if has_kubernetes(profile, role, &catalogue)? {
                images.push(Image::new(profile, role));
            }
        }
    }
    if args.json {
        return super::print_json(console, &images);
    }
    let rows =
        images.into_iter().map(|image| [image.board.to_string(), image.role.name().to_owned(), image.image]);
    super::print(console, &super::table(rows.collect()))
}

/// Whether the profile's release brings something to the board, where the role takes any.
fn has_kubernetes(profile: &Profile, role: Role, catalogue: &Catalogue) -> Result<bool, Error> {
    if !role.runs_kubernetes() {
        return Ok(true);
    }
    let Some(choice) = &profile.kubernetes else { return Ok(false) };
    let release = catalogue.release(&choice.release)?;
    Ok(release.content(profile.architecture, choice.from).is_ok())
}

impl Image {
    fn new(profile: &Profile, role: Role) -> Self {
        let kubernetes = profile.kubernetes.as_ref().filter(|_| role.runs_kubernetes());
        Self {
            board: profile.board.clone(),
            role,
            architecture: profile.architecture,
            kubernetes: kubernetes.map(|choice| choice.release.clone()),
            image: format!("{}-{}{}", profile.board, role.name(), Format::Xz.ending()),
            local: profile.base.file.is_some(),
            perishable: profile.base.perishable,
        }
    }
}
