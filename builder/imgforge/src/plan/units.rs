//! Enabling systemd units as `systemctl enable` would: links made from the unit's own `[Install]` section.

use super::{Draft, Error};
use crate::{
    change::{Origin, Volume},
    image_path::ImagePath,
};

/// Where units lie, in systemd's order of precedence (systemd.unit(5)).
const UNIT_FOLDERS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// The file of `unit`, or of its template, in the image.
pub fn find(draft: &Draft<'_>, unit: &str) -> Result<Option<ImagePath>, Error> {
    let template =
        unit.split_once('@').and_then(|(name, rest)| Some(format!("{name}@.{}", rest.rsplit_once('.')?.1)));
    for name in [Some(unit.to_owned()), template].into_iter().flatten() {
        for folder in UNIT_FOLDERS {
            let path = ImagePath::new(folder)?.join(&name)?;
            if draft.kind(Volume::Root, &path)?.is_some() {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Enables `unit`, which lies at `file`.
pub fn enable(draft: &mut Draft<'_>, unit: &str, file: &ImagePath, origin: &Origin) -> Result<(), Error> {
    let text = draft.read_text(Volume::Root, file)?.unwrap_or_default();
    let links = install_links(&text, unit);
    if links.is_empty() {
        return Err(Error::NoInstallSection { unit: unit.to_owned(), origin: origin.clone() });
    }
    for link in links {
        let link = ImagePath::new("/etc/systemd/system")?.join(link)?;
        draft.symlink(&link, file.as_bytes(), origin.clone())?;
    }
    Ok(())
}

/// Masks `unit`: it can be started by nothing.
pub fn mask(draft: &mut Draft<'_>, unit: &str, origin: &Origin) -> Result<(), Error> {
    let path = ImagePath::new("/etc/systemd/system")?.join(unit)?;
    draft.symlink(&path, "/dev/null", origin.clone())
}

/// The links below /etc/systemd/system that the `[Install]` section of `text` asks for.
fn install_links(text: &str, unit: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| section == "[Install]") else { continue };
        for word in value.split_whitespace() {
            match key.trim() {
                "WantedBy" => links.push(format!("{word}.wants/{unit}")),
                "RequiredBy" => links.push(format!("{word}.requires/{unit}")),
                "Alias" => links.push(word.to_owned()),
                _ => {}
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_install_section_says_where_links_go() {
        let text = "[Unit]\nWantedBy=not.here\n[Install]\nWantedBy=a.target b.target\nRequiredBy = c.target\nAlias=d.service\n";
        assert_eq!(
            install_links(text, "x.service"),
            [
                "a.target.wants/x.service",
                "b.target.wants/x.service",
                "c.target.requires/x.service",
                "d.service"
            ]
        );
    }
}
