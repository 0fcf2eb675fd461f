//! Enabling systemd units as `systemctl enable` would: links made from the unit's own `[Install]` section.

use imgforge_spec::ImagePath;

use super::{Draft, Error};
use crate::image::change::{Origin, Volume};

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

/// Enables `unit`, which lies at `file`, and the units its `Also=` names.
pub fn enable(draft: &mut Draft<'_>, unit: &str, file: &ImagePath, origin: &Origin) -> Result<(), Error> {
    let mut seen = vec![unit.to_owned()];
    if !link(draft, unit, file, origin, &mut seen)? {
        return Err(Error::NoInstallSection { unit: unit.to_owned(), origin: origin.clone() });
    }
    Ok(())
}

/// Makes the links of `unit`; whether there are any. `seen` keeps two units that name each other from going in circles.
fn link(
    draft: &mut Draft<'_>,
    unit: &str,
    file: &ImagePath,
    origin: &Origin,
    seen: &mut Vec<String>,
) -> Result<bool, Error> {
    let text = draft.read_text(Volume::Root, file)?.unwrap_or_default();
    let links = install_links(&text, unit);
    for link in &links {
        let path = ImagePath::new("/etc/systemd/system")?.join(link)?;
        draft.symlink(&path, file.as_bytes(), origin.clone())?;
    }
    for (_, also) in install_settings(&text).into_iter().filter(|(key, _)| *key == "Also") {
        if seen.iter().any(|unit| unit == also) {
            continue;
        }
        seen.push(also.to_owned());
        if let Some(file) = find(draft, also)? {
            link(draft, also, &file, origin, seen)?;
        }
    }
    Ok(!links.is_empty())
}

/// Masks `unit`: it can be started by nothing.
pub(crate) fn mask(draft: &mut Draft<'_>, unit: &str, origin: &Origin) -> Result<(), Error> {
    let path = ImagePath::new("/etc/systemd/system")?.join(unit)?;
    draft.symlink(&path, "/dev/null", origin.clone())
}

/// The links below /etc/systemd/system that the `[Install]` section of `text` asks for.
fn install_links(text: &str, unit: &str) -> Vec<String> {
    let link = |(key, word): (&str, &str)| match key {
        "WantedBy" => Some(format!("{word}.wants/{unit}")),
        "RequiredBy" => Some(format!("{word}.requires/{unit}")),
        "Alias" => Some(word.to_owned()),
        _ => None,
    };
    install_settings(text).into_iter().filter_map(link).collect()
}

/// The settings of the `[Install]` section of `text`: a key and one word of its value, in order.
fn install_settings(text: &str) -> Vec<(&str, &str)> {
    let mut settings = Vec::new();
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        if let Some((key, value)) = line.split_once('=').filter(|_| section == "[Install]") {
            settings.extend(value.split_whitespace().map(|word| (key.trim(), word)));
        }
    }
    settings
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
