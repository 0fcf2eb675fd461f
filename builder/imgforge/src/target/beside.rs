//! Scripts, files, certificates and keys that lie beside the settings file that names them.

use std::{fs, path::Path};

use imgforge_spec::{Certificates, ExtraFile, Invalid, Repository, RunOnce, User, check_authorized_key};

/// Scripts, certificates and keys are small; what is larger belongs into a package or an overlay.
const MOST_OF_TEXT: u64 = 1 << 20;

/// Files are held in memory, for each node of a cluster.
const MOST_OF_FILE: u64 = 16 << 20;

/// The settings that may name files.
pub(super) struct Beside<'a> {
    /// `run-once`.
    pub scripts: &'a mut [RunOnce],
    /// `files`.
    pub files: &'a mut [ExtraFile],
    /// `system.certificates`.
    pub certificates: &'a mut [Certificates],
    /// `repositories`.
    pub repositories: &'a mut [Repository],
    /// `users`.
    pub users: &'a mut [User],
}

/// Reads the files that `settings` name, by paths from the folder of the settings file `path` on. The first that cannot be read
/// is an error.
pub(super) fn read(settings: Beside<'_>, path: &Path) -> Result<(), Invalid> {
    let folder = path.parent().unwrap_or(Path::new(""));
    for (index, script) in settings.scripts.iter_mut().enumerate() {
        let Some(file) = &script.file else { continue };
        let content = text(&folder.join(file));
        script.content =
            Some(content.map_err(|message| Invalid::new(format!("run-once[{index}].file"), message))?);
    }
    for (index, extra) in settings.files.iter_mut().enumerate() {
        let Some(file) = &extra.file else { continue };
        let content = bytes(&folder.join(file), MOST_OF_FILE);
        extra.bytes =
            Some(content.map_err(|message| Invalid::new(format!("files[{index}].file"), message))?.into());
    }
    for (index, certificates) in settings.certificates.iter_mut().enumerate() {
        let Some(file) = &certificates.file else { continue };
        let content = text(&folder.join(file));
        let setting = || format!("system.certificates[{index}].file");
        certificates.text = Some(content.map_err(|message| Invalid::new(setting(), message))?);
    }
    for (index, repository) in settings.repositories.iter_mut().enumerate() {
        let Some(file) = repository.key_file() else { continue };
        let content = bytes(&folder.join(file), MOST_OF_TEXT);
        let setting = || format!("repositories[{index}].signed-by");
        repository.key = Some(content.map_err(|message| Invalid::new(setting(), message))?.into());
    }
    for (index, user) in settings.users.iter_mut().enumerate() {
        let keys = keys(&user.ssh_key_files, path);
        user.ssh_keys.extend(keys.map_err(|error| error.below(&format!("users[{index}]")))?);
    }
    Ok(())
}

/// The lines with keys in `files`, whose paths are from the folder of the settings file `path` on.
pub(super) fn keys(files: &[String], path: &Path) -> Result<Vec<String>, Invalid> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut all = Vec::new();
    for (index, name) in files.iter().enumerate() {
        let told = |message: String| Invalid::new(format!("ssh-key-files[{index}]"), message);
        let place = match (name.strip_prefix("~/"), std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => folder.join(name),
        };
        let content = text(&place).map_err(told)?;
        let lines = content.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
        let before = all.len();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            check_authorized_key(line).map_err(|error| told(format!("{name}:{number}: {error}")))?;
            all.push(line.to_owned());
        }
        if all.len() == before {
            return Err(told(format!("{name} has no key in it")));
        }
    }
    Ok(all)
}

/// The text of `path`; the message says why there is none.
fn text(path: &Path) -> Result<String, String> {
    let no_text = |_| format!("{} is no text in UTF-8", path.display());
    String::from_utf8(bytes(path, MOST_OF_TEXT)?).map_err(no_text)
}

/// What is in `path`; the message says why there is nothing.
fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let unreadable = |error| format!("cannot read {shown}: {error}");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("{shown} is no file"));
    }
    if metadata.len() > most {
        return Err(format!("{shown} has {} bytes; here it may have at most {most}", metadata.len()));
    }
    fs::read(path).map_err(unreadable)
}
