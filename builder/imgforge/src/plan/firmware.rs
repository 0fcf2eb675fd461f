//! What the board's firmware or boot loader is told, in the vendor's file: which file and how is the vendor's data.

use imgforge_spec::{Firmware, ImagePath};

use super::{Draft, Error, Request, declarations::Assignment};
use crate::{
    catalogue::vendor::{self, CommandLineForm, OverlayForm},
    image::change::Origin,
    yaml::nearest,
};

const ORIGIN: Origin = Origin::Node("firmware");

/// Has the firmware do what the node's settings say.
pub(crate) fn tell(draft: &mut Draft<'_>, request: &Request) -> Result<(), Error> {
    let told = &request.node.firmware;
    if told.is_empty() {
        return Ok(());
    }
    let vendor = &request.board.vendor;
    let Some(place) = &vendor.firmware else {
        let message = format!("{} has no file for the firmware's settings", vendor.name);
        return Err(clash("firmware".into(), message));
    };
    for key in told.settings.keys() {
        if let Some(instead) = place.reserved.get(key) {
            return Err(clash(format!("firmware.settings.{key}"), instead.clone()));
        }
    }
    check_overlays(draft, told, place)?;
    let volume = place.volume.into();
    let path = draft.edited(volume, &ImagePath::new(&place.file)?)?;
    let Some(text) = draft.read_text(volume, &path)? else {
        return Err(Error::Missing { path: place.file.clone(), purpose: "the firmware's settings".into() });
    };
    let changed = match &place.form {
        OverlayForm::Section { header } => in_section(&text, header, &place.overlays, told),
        OverlayForm::Words => in_words(&text, &place.overlays, told),
    };
    if let Some(most) = place.longest_line {
        let is_own = |line: &&str| !text.lines().any(|there| there == *line);
        if let Some(line) = changed.lines().filter(is_own).find(|line| line.len() > most) {
            let length = line.len();
            let message = format!(
                "`{line}` has {length} characters, and what is longer than {most} is not read; use two lines"
            );
            return Err(clash("firmware".into(), message));
        }
    }
    if changed != text {
        draft.write(volume, &path, changed, None, ORIGIN)?;
    }
    Ok(())
}

/// An overlay that the base does not bring is not looked for in silence.
fn check_overlays(draft: &Draft<'_>, told: &Firmware, place: &vendor::Firmware) -> Result<(), Error> {
    if told.overlays.is_empty() {
        return Ok(());
    }
    let mut files = Vec::new();
    for pattern in &place.overlay_files {
        for path in draft.matching(place.overlay_volume.into(), &ImagePath::new(pattern)?)? {
            files.push(String::from_utf8_lossy(path.name()).trim_end_matches(".dtbo").to_owned());
        }
    }
    let is_there = |name: &str| {
        files.iter().any(|file| match place.form {
            OverlayForm::Section { .. } => file == name,
            // U-Boot's script puts the family of chips before it: `rk3328-i2c0`.
            OverlayForm::Words => {
                file.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
            }
        })
    };
    for (index, name) in told.overlay_names().enumerate() {
        if !is_there(name) {
            let near = nearest(name, files.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message =
                format!("the base has no overlay `{name}` in {}{near}", place.overlay_files.join(" or "));
            return Err(clash(format!("firmware.overlays[{index}]"), message));
        }
    }
    Ok(())
}

/// `text` with a line for each setting and overlay at its end, in the section that is for all boards. What comes later counts.
fn in_section(text: &str, header: &str, key: &str, told: &Firmware) -> String {
    let settings = told.settings.iter().map(|(key, value)| format!("{key}={value}\n"));
    let overlays = told.overlays.iter().map(|overlay| format!("{key}={overlay}\n"));
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let block: String = settings.chain(overlays).collect();
    format!("{text}{end}\n{header}\n# imgforge: `firmware` of the node\n{block}")
}

/// `text` with each setting in the place of the vendor's, and the overlays among those of the vendor.
fn in_words(text: &str, key: &str, told: &Firmware) -> String {
    let with_settings = told.settings.iter().fold(text.to_owned(), |text, (key, value)| {
        Assignment { set: key.clone(), value: String::new(), separator: "=".into() }.apply(&text, value)
    });
    let form = CommandLineForm::Assignment { key: key.to_owned() };
    if told.overlays.is_empty() { with_settings } else { form.with(&with_settings, &told.overlays) }
}

fn clash(setting: String, message: String) -> Error {
    Error::clash(setting, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Firmware {
        Firmware {
            overlays: vec!["i2c0".into(), "uart1".into()],
            settings: [("gpu_mem".to_owned(), "16".to_owned())].into(),
        }
    }

    #[test]
    fn what_is_said_last_in_the_section_for_all_boards_counts() {
        assert_eq!(
            in_section("gpu_mem=64\n[pi4]\narm_boost=1", "[all]", "dtoverlay", &told()),
            "gpu_mem=64\n[pi4]\narm_boost=1\n\n[all]\n# imgforge: `firmware` of the node\ngpu_mem=16\ndtoverlay=i2c0\ndtoverlay=uart1\n"
        );
    }

    #[test]
    fn overlays_are_added_to_the_vendors_words() {
        assert_eq!(
            in_words("verbosity=1\noverlays=usbhost2 i2c0\ngpu_mem=64\n", "overlays", &told()),
            "verbosity=1\noverlays=usbhost2 i2c0 uart1\ngpu_mem=16\n"
        );
    }
}
