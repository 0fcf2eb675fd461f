//! Scripts that lie beside the file that names them.

use std::{fs, path::Path};

use imgforge_spec::{Invalid, RunOnce};

/// A script is for people to read; what is larger belongs into a package or an overlay.
const MOST_BYTES: u64 = 1 << 20;

/// Reads those of `scripts` that are files, whose paths are from the folder of the settings file `beside` on. The first that
/// cannot be read is an error.
pub(super) fn read(scripts: &mut [RunOnce], beside: &Path) -> Result<(), Invalid> {
    let folder = beside.parent().unwrap_or(Path::new(""));
    for (index, script) in scripts.iter_mut().enumerate() {
        let Some(file) = &script.file else { continue };
        let content = text(&folder.join(file));
        script.content =
            Some(content.map_err(|message| Invalid::new(format!("run-once[{index}].file"), message))?);
    }
    Ok(())
}

/// The text of `path`; the message says why there is none.
fn text(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let unreadable = |error| format!("cannot read {shown}: {error}");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("{shown} is no file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(format!("{shown} has {} bytes; a script has at most {MOST_BYTES}", metadata.len()));
    }
    String::from_utf8(fs::read(path).map_err(unreadable)?).map_err(|_| format!("{shown} is no text in UTF-8"))
}
