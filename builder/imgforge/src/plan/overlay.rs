//! Overlays: folders whose files go into an image as they lie there, with a short declaration of everything a folder
//! cannot say by itself.
//!
//! `overlays/common`, `overlays/vendors/<vendor>`, `overlays/kubernetes/<way>`, `overlays/roles/<role>`,
//! `overlays/runtimes/<runtime>` and `overlays/boards/<board>` apply in this order; each is optional but `common`. Where k3s
//! makes the cluster, `overlays/k3s/node` and `overlays/k3s/<role>` stand in place of the middle three. In a folder,
//! `root/` is laid over the root file system, `boot/` over the boot partition, and `overlay.yaml` holds the [`Declarations`].

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use imgforge_kube::engine::Engine;
use imgforge_spec::ImagePath;

use imgforge_ext4::Content;

use super::{
    Draft, Error, Request, accounts,
    declarations::{Assignment, Declarations, FileDeclaration},
    template::Context,
    units,
};
use crate::{
    host::file::HostFile,
    image::change::{Access, Origin, Volume},
    yaml,
};

/// One overlay folder.
#[derive(Debug)]
pub struct Overlay {
    origin: Origin,
    folder: PathBuf,
    declarations: Declarations,
}

/// The names of the overlays that apply to `request`, in order, whether they are there or not.
pub fn names(request: &Request) -> Vec<String> {
    ["common".to_owned(), format!("vendors/{}", request.board.vendor.vendor)]
        .into_iter()
        .chain(of_role(request))
        .chain([format!("boards/{}", request.board.profile.board)])
        .collect()
}

/// What makes the image's role.
fn of_role(request: &Request) -> Vec<String> {
    let role = request.role.name();
    if request.engine == Engine::K3s && request.role.runs_kubernetes() {
        return vec!["k3s/node".to_owned(), format!("k3s/{role}")];
    }
    let kubernetes = request.kubernetes.as_ref().map(|choice| format!("kubernetes/{}", choice.from.name()));
    let member = request.membership.as_ref().filter(|_| request.role.runs_kubernetes());
    let runtime = member.map(|member| format!("runtimes/{}", member.runtime().name()));
    kubernetes.into_iter().chain([format!("roles/{role}")]).chain(runtime).collect()
}

/// The overlays that apply to `request`, in order.
pub(crate) fn applying(request: &Request) -> Result<Vec<Overlay>, Error> {
    let mut overlays = Vec::new();
    for name in names(request) {
        let folder = request.overlays.join(&name);
        if folder.is_dir() {
            overlays.push(Overlay::open(name, folder)?);
        } else if name == "common" {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(Error::Overlay { path: folder, source });
        }
    }
    Ok(overlays)
}

impl Overlay {
    fn open(name: String, folder: PathBuf) -> Result<Self, Error> {
        let file = folder.join("overlay.yaml");
        let declarations = if file.exists() { yaml::read_file(&file)? } else { Declarations::default() };
        let overlay = Self { origin: Origin::Overlay(name), folder, declarations };
        overlay.check()?;
        Ok(overlay)
    }

    /// Every declared file must be there: a declaration for a file that was renamed would silently do nothing.
    fn check(&self) -> Result<(), Error> {
        for path in self.declarations.files.keys() {
            let file = self.on_host("root", path);
            if !file.is_file() {
                return Err(
                    self.wrong(format!("files: {path} is declared, but {} is no file", file.display()))
                );
            }
        }
        Ok(())
    }

    /// The packages it asks for.
    pub fn packages(&self) -> &[String] {
        &self.declarations.packages
    }

    /// Lays files, directories, links, removals and edits over the draft.
    pub fn lay(&self, draft: &mut Draft<'_>, context: &Context) -> Result<(), Error> {
        self.remove(draft, Volume::Root, &self.declarations.remove)?;
        if draft.has_boot() {
            self.remove(draft, Volume::Boot, &self.declarations.boot.remove)?;
        }
        for (path, declared) in &self.declarations.directories {
            let access = self.access(path, &declared.mode, &declared.owner, 0o755)?;
            draft.directory(Volume::Root, path, access, self.origin.clone())?;
        }
        self.lay_folder(draft, context, Volume::Root, "root")?;
        self.lay_folder(draft, context, Volume::Boot, "boot")?;
        for (path, target) in &self.declarations.symlinks {
            draft.symlink(path, target.as_bytes(), self.origin.clone())?;
        }
        for (path, assignments) in &self.declarations.edit {
            self.edit(draft, context, path, assignments)?;
        }
        for pattern in &self.declarations.lock_passwords {
            accounts::lock_passwords(draft, pattern, &self.origin)?;
        }
        Ok(())
    }

    fn remove(&self, draft: &mut Draft<'_>, volume: Volume, patterns: &[ImagePath]) -> Result<(), Error> {
        for pattern in patterns {
            for path in draft.matching(volume, pattern)? {
                draft.remove(volume, &path, self.origin.clone())?;
            }
        }
        Ok(())
    }

    /// Enables and masks units.
    pub(crate) fn link_units(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        for (unit, optional) in self.declarations.enable.iter().map(|unit| or_absent(unit)) {
            match units::find(draft, unit)? {
                Some(file) => units::enable(draft, unit, &file, &self.origin)?,
                None if optional => {}
                None => return Err(Error::NoUnit { unit: unit.into(), origin: self.origin.clone() }),
            }
        }
        for (unit, optional) in self.declarations.mask.iter().map(|unit| or_absent(unit)) {
            if !optional || units::find(draft, unit)?.is_some() {
                units::mask(draft, unit, &self.origin)?;
            }
        }
        Ok(())
    }

    fn lay_folder(
        &self,
        draft: &mut Draft<'_>,
        context: &Context,
        volume: Volume,
        name: &str,
    ) -> Result<(), Error> {
        let folder = self.folder.join(name);
        if !folder.is_dir() {
            return Ok(());
        }
        if volume == Volume::Boot && !draft.has_boot() {
            return Err(self.wrong("has a `boot` folder, but the board has no boot partition".into()));
        }
        self.lay_files(draft, context, volume, &folder, &ImagePath::root())
    }

    fn lay_files(
        &self,
        draft: &mut Draft<'_>,
        context: &Context,
        volume: Volume,
        folder: &Path,
        at: &ImagePath,
    ) -> Result<(), Error> {
        for (name, file) in sorted_entries(folder)? {
            let path = at.join(name)?;
            let fail = |source| Error::Overlay { path: file.clone(), source };
            let kind = fs::symlink_metadata(&file).map_err(fail)?.file_type();
            if kind.is_dir() {
                self.lay_files(draft, context, volume, &file, &path)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(&file).map_err(fail)?;
                draft.symlink(&path, target.as_os_str().as_bytes(), self.origin.clone())?;
            } else if kind.is_file() {
                self.lay_file(draft, context, volume, &path, &file)?;
            } else {
                let message = "only files, folders and links can be in an overlay".into();
                return Err(Error::Declaration { path: file, message });
            }
        }
        Ok(())
    }

    fn lay_file(
        &self,
        draft: &mut Draft<'_>,
        context: &Context,
        volume: Volume,
        path: &ImagePath,
        file: &Path,
    ) -> Result<(), Error> {
        let plain = FileDeclaration::default();
        let declared = self.declarations.files.get(path).filter(|_| volume == Volume::Root).unwrap_or(&plain);
        if let Some(variable) = &declared.when
            && !context.has(file, variable)?
        {
            return Ok(());
        }
        let access = self.access(path, &declared.mode, &declared.owner, 0o644)?;
        let fail = |source| Error::Overlay { path: file.to_owned(), source };
        let content: Arc<dyn Content> = if declared.template {
            let text = fs::read_to_string(file).map_err(fail)?;
            Arc::new(context.render(file, &text)?.into_bytes())
        } else {
            Arc::new(HostFile::new(file).map_err(fail)?)
        };
        draft.write_content(volume, path, content, access, self.origin.clone())
    }

    fn edit(
        &self,
        draft: &mut Draft<'_>,
        context: &Context,
        path: &str,
        assignments: &[Assignment],
    ) -> Result<(), Error> {
        let (path, optional) = or_absent(path);
        let path = draft.edited(Volume::Root, &ImagePath::new(path)?)?;
        let Some(mut text) = draft.read_text(Volume::Root, &path)? else {
            if optional {
                return Ok(());
            }
            return Err(Error::Missing { path: path.to_string(), purpose: format!("{}", self.origin) });
        };
        for assignment in assignments {
            let value = context.render(&self.folder.join("overlay.yaml"), &assignment.value)?;
            text = assignment.apply(&text, &value);
        }
        draft.write(Volume::Root, &path, text, None, self.origin.clone())
    }

    fn access(
        &self,
        path: &ImagePath,
        mode: &Option<String>,
        owner: &Option<String>,
        default: u16,
    ) -> Result<Access, Error> {
        let wrong = |what: &str| self.wrong(format!("{path}: {what}"));
        let mode = match mode {
            None => default,
            Some(mode) => u16::from_str_radix(mode, 8)
                .ok()
                .filter(|&mode| mode <= 0o7777)
                .ok_or_else(|| wrong(&format!("mode `{mode}` is no octal mode such as \"0755\"")))?,
        };
        let (uid, gid) = match owner {
            None => (0, 0),
            Some(owner) => owner
                .split_once(':')
                .and_then(|(u, g)| Some((u32::from_str(u).ok()?, u32::from_str(g).ok()?)))
                .ok_or_else(|| wrong(&format!("owner `{owner}` is no numeric `uid:gid`")))?,
        };
        Ok(Access { mode, uid, gid })
    }

    fn on_host(&self, part: &str, path: &ImagePath) -> PathBuf {
        let inside = path.components().map(OsStr::from_bytes);
        self.folder.join(part).join(inside.collect::<PathBuf>())
    }

    fn wrong(&self, message: String) -> Error {
        Error::Declaration { path: self.folder.join("overlay.yaml"), message }
    }
}

/// `name?` → (`name`, true).
fn or_absent(name: &str) -> (&str, bool) {
    name.strip_suffix('?').map_or((name, false), |name| (name, true))
}

/// The entries of a folder by name, so that the order of a host's directory never shows.
fn sorted_entries(folder: &Path) -> Result<Vec<(Vec<u8>, PathBuf)>, Error> {
    let fail = |source| Error::Overlay { path: folder.to_owned(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        entries.push((entry.file_name().as_bytes().to_vec(), entry.path()));
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_allows_absence() {
        assert_eq!(or_absent("a.service?"), ("a.service", true));
        assert_eq!(or_absent("a.service"), ("a.service", false));
    }
}
