//! What an image says of itself: a small file that a build writes into it, and that `personalize` reads to know which release
//! image it has before it.

use std::{fs, io, path::Path};

use imgforge_spec::{BoardName, Hasher, Hostname, Role, Sha256};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::kubernetes::Choice,
    plan::{self, Pinned},
};

/// Where it lies in the root file system.
pub(crate) const PATH: &str = "/etc/imgforge/release.json";

/// Version of this format. A reader refuses another one.
pub(crate) const FORMAT: u32 = 1;

/// What an image was made as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// Version of this format.
    pub format: u32,
    /// The imgforge that built it.
    pub imgforge: String,
    /// The board.
    pub board: BoardName,
    /// The role.
    pub role: Role,
    /// The Kubernetes in it, if any.
    pub kubernetes: Option<Choice>,
    /// Packages besides those of the role.
    pub packages: Vec<String>,
    /// SHA-256 over the overlays that were laid over it.
    pub overlays: Sha256,
    /// SHA-256 of the base's disk image.
    pub base: Sha256,
    /// Seconds since 1970 that stand for the time of the build.
    pub epoch: i64,
    /// Whose image it is; none in a release image, which is anybody's.
    pub node: Option<Hostname>,
}

impl Record {
    /// The record of what is asked for.
    pub fn new(Pinned { request, base, epoch }: &Pinned) -> Result<Self, plan::Error> {
        let release = request.release();
        Ok(Self {
            format: FORMAT,
            imgforge: env!("CARGO_PKG_VERSION").to_owned(),
            board: request.board.profile.board.clone(),
            role: request.role,
            kubernetes: request.kubernetes.clone(),
            overlays: digest_of(&plan::overlay_folders(&release))?,
            packages: release.node.packages,
            base: *base,
            epoch: *epoch,
            node: (!request.is_release()).then(|| request.hostname()),
        })
    }

    /// The record as its file has it.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Each thing in which the release image that `self` describes is not what a node needs: what, there, needed.
    pub fn misfits(&self, needed: &Self) -> Vec<(&'static str, String, String)> {
        let list = |packages: &[String]| match packages {
            [] => "none".to_owned(),
            packages => packages.join(", "),
        };
        let all = [
            ("imgforge", self.imgforge.clone(), needed.imgforge.clone()),
            ("board", self.board.to_string(), needed.board.to_string()),
            ("role", self.role.name().into(), needed.role.name().into()),
            ("Kubernetes", described(&self.kubernetes), described(&needed.kubernetes)),
            ("further packages", list(&self.packages), list(&needed.packages)),
            ("overlays", self.overlays.to_string(), needed.overlays.to_string()),
        ];
        all.into_iter().filter(|(_, there, needed)| there != needed).collect()
    }
}

fn described(kubernetes: &Option<Choice>) -> String {
    kubernetes
        .as_ref()
        .map_or("none".into(), |choice| format!("{} from {}", choice.release, choice.from.name()))
}

/// SHA-256 over the names, kinds and contents of all that is in `folders`; a folder that is not there has nothing in it.
fn digest_of(folders: &[std::path::PathBuf]) -> Result<Sha256, plan::Error> {
    let mut hasher = Hasher::default();
    for folder in folders {
        hash(folder, &mut hasher).map_err(|source| plan::Error::Overlay { path: folder.clone(), source })?;
    }
    Ok(hasher.finish())
}

/// Every part goes in with its length, so that no two trees look alike.
fn hash(path: &Path, hasher: &mut Hasher) -> io::Result<()> {
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            part(b"nothing");
            return Ok(());
        }
        metadata => metadata?.file_type(),
    };
    if kind.is_symlink() {
        part(b"link");
        part(fs::read_link(path)?.as_os_str().as_encoded_bytes());
    } else if kind.is_dir() {
        let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        part(b"folder");
        part(&(entries.len() as u64).to_le_bytes());
        for entry in entries {
            let name = entry.file_name();
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name.as_encoded_bytes());
            hash(&entry.path(), hasher)?;
        }
    } else {
        part(b"file");
        part(&fs::read(path)?);
    }
    Ok(())
}
