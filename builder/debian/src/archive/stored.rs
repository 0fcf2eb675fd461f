//! A package as it is kept between two runs: what its archive said, held to the same rules when it is read again.

use serde::{Deserialize, Serialize};

use super::{ControlFile, Kind, Member, Package, is_control_name, members};
use crate::control::Paragraph;
use crate::error::Error;
use crate::identity::Identity;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// The text of `control`, which also says the identity.
    control: String,
    control_files: Vec<ControlFile>,
    members: Vec<Member>,
}

impl From<Package> for Stored {
    fn from(package: Package) -> Self {
        let mut control = String::new();
        package.control.write_to(&mut control);
        Stored { control, control_files: package.control_files, members: package.members }
    }
}

impl TryFrom<Stored> for Package {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        let control = Paragraph::parse(stored.control.as_bytes())?;
        let identity = Identity::from_paragraph(&control)?;
        let mut names: Vec<&str> = stored.control_files.iter().map(|file| file.name.as_str()).collect();
        names.push("control");
        names.sort_unstable();
        let repeated =
            names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first());
        match repeated.or_else(|| names.iter().find(|name| !is_control_name(name))) {
            Some(name) => Err(Kind::ControlName((*name).to_owned()).into()),
            None => {
                let members = members::check(stored.members)?;
                Ok(Package { identity, control, control_files: stored.control_files, members })
            }
        }
    }
}
