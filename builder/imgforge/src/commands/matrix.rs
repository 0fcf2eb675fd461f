//! `imgforge matrix`: every board in every role it can have, or every node of a cluster, for those who build one at a time.

use std::path::Path;

use imgforge_kube::{cluster::Node, engine::Engine};
use imgforge_spec::{Architecture, BoardName, Role};
use serde::Serialize;

use crate::{
    build::{error::Error, output::Format},
    catalogue::{Catalogue, limits::Abilities, profile::Profile},
    cli::MatrixArgs,
    host::{console::Console, settings::Settings},
    target::{SecretsPaths, cluster::ClusterFile},
};

/// One image that can be built.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    /// Its node, if it is one of a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
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
    let images = match &args.cluster {
        Some(file) => of_cluster(file, &catalogue)?,
        None => of_boards(&catalogue)?,
    };
    if args.json {
        return super::print_json(console, &images);
    }
    let of_boards =
        |image: &Image| [image.board.to_string(), image.role.name().to_owned(), image.image.clone()];
    let table = match &args.cluster {
        None => super::table(images.iter().map(of_boards).collect()),
        Some(_) => {
            let row = |image: &Image| {
                let [board, role, file] = of_boards(image);
                [image.hostname.clone().unwrap_or_default(), board, role, file]
            };
            super::table(images.iter().map(row).collect())
        }
    };
    super::print(console, &table)
}

/// Every board in every role it can have.
fn of_boards(catalogue: &Catalogue) -> Result<Vec<Image>, Error> {
    let mut images = Vec::new();
    for profile in catalogue.profiles() {
        for role in Abilities::of(Engine::Kubeadm, profile).roles {
            if has_kubernetes(profile, role, catalogue)? {
                images.push(Image::new(profile, role));
            }
        }
    }
    Ok(images)
}

/// The nodes of the cluster file `path`, in its order.
fn of_cluster(path: &Path, catalogue: &Catalogue) -> Result<Vec<Image>, Error> {
    let file = ClusterFile::read(path, &SecretsPaths::default(), catalogue)?;
    file.notices()?;
    let cluster = file.cluster();
    let image = |node: &Node| {
        let (_, profile) = catalogue.find(&node.board)?;
        let kubernetes = node.role.runs_kubernetes().then(|| cluster.version_of(node).to_string());
        Ok(Image {
            hostname: Some(node.hostname.clone()),
            kubernetes,
            image: format!("{}{}", node.hostname, Format::Img.ending()),
            ..Image::new(profile, node.role)
        })
    };
    cluster.nodes.iter().map(image).collect()
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
            hostname: None,
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
