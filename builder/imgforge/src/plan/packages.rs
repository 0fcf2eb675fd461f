//! Packages and artifacts in a plan: what `dpkg --unpack` would leave, and files that go in as they are published.

use imgforge_debian::{
    Action as Step, Attributes as Inode, MemberKind, Package, Plan, TreePath, plan_unpack,
};
use imgforge_spec::ImagePath;

use super::{Draft, Error};
use crate::{
    catalogue::artifact::Artifact,
    image::{
        change::{Access, Action, Attributes, Origin, Volume},
        read::{PackageTree, Tree},
    },
    supply::{
        pin::Additions,
        unpack::{Tarball, Unpacked, digests},
    },
};

/// Unpacks the packages over the base, whose root is `root`.
pub(crate) fn unpack(
    draft: &mut Draft<'_>,
    root: &dyn Tree,
    packages: &[Unpacked<Package>],
) -> Result<(), Error> {
    if packages.is_empty() {
        return Ok(());
    }
    let archives: Vec<Package> = packages.iter().map(|package| package.archive.clone()).collect();
    let Plan { operations, database } =
        plan_unpack(&PackageTree(root), &archives).map_err(Error::Packages)?;
    let digests: Vec<_> = archives.iter().map(|archive| digests(&archive.members)).collect();
    for operation in operations {
        let (Some(package), Some(digests)) =
            (packages.get(operation.package), digests.get(operation.package))
        else {
            return Err(Error::NoPackage { index: operation.package, count: packages.len() });
        };
        let origin = Origin::Package(package.archive.identity.to_string());
        let path = image_path(&operation.path)?;
        let action = match operation.action {
            Step::Directory(inode) => Action::Directory { attributes: attributes(inode) },
            Step::Symlink { attributes: inode, target } => {
                Action::Symlink { target, attributes: attributes(inode) }
            }
            Step::HardLink { target } => Action::HardLink { target: image_path(&target)? },
            Step::File { attributes: inode, size, offset } => {
                let failed = |source| Error::Content { path: path.clone(), source };
                let sha256 = digests.get(&(offset, size)).copied();
                let bytes = package.bytes(offset, size, sha256).map_err(failed)?;
                Action::File { bytes, attributes: attributes(inode) }
            }
        };
        draft.put(Volume::Root, &path, action, origin)?;
    }
    for file in database {
        let access = Access { mode: mode(file.mode), uid: 0, gid: 0 };
        let path = image_path(&file.path)?;
        draft.write(Volume::Root, &path, file.content, Some(access), Origin::PackageDatabase)?;
    }
    Ok(())
}

/// Puts the artifacts where they go.
pub fn place(draft: &mut Draft<'_>, additions: &Additions) -> Result<(), Error> {
    for (artifact, bytes) in &additions.files {
        let origin = Origin::Artifact(artifact.url.clone());
        let attributes = Access::root(artifact.mode().unwrap_or(0o755)).into();
        let action = Action::File { bytes: bytes.clone(), attributes };
        draft.put(Volume::Root, &artifact.path, action, origin)?;
    }
    for (artifact, tarball) in &additions.tarballs {
        unpack_tarball(draft, artifact, tarball)?;
    }
    Ok(())
}

/// The members keep their modes; all belong to root, whoever packed them.
fn unpack_tarball(
    draft: &mut Draft<'_>,
    artifact: &Artifact,
    tarball: &Unpacked<Tarball>,
) -> Result<(), Error> {
    let origin = Origin::Artifact(artifact.url.clone());
    let digests = digests(&tarball.archive.members);
    for member in &tarball.archive.members {
        let path = artifact.path.join(member.path.as_bytes())?;
        let access = Access::root(mode(member.mode));
        let attributes = Attributes { mtime: i64::try_from(member.mtime).ok(), ..Attributes::from(access) };
        let action = match &member.kind {
            // Directories of the image stay as they are.
            MemberKind::Directory => {
                draft.ensure_directory(&path, origin.clone())?;
                continue;
            }
            MemberKind::Symlink { target } => Action::Symlink { target: target.clone(), attributes },
            MemberKind::HardLink { target } => {
                Action::HardLink { target: artifact.path.join(target.as_bytes())? }
            }
            &MemberKind::File { size, offset } => {
                let failed = |source| Error::Content { path: path.clone(), source };
                let sha256 = digests.get(&(offset, size)).copied();
                let bytes = tarball.bytes(offset, size, sha256).map_err(failed)?;
                Action::File { bytes, attributes }
            }
        };
        draft.put(Volume::Root, &path, action, origin.clone())?;
    }
    Ok(())
}

fn attributes(inode: Inode) -> Attributes {
    let Inode { mode: bits, uid, gid, mtime, xattrs } = inode;
    Attributes { access: Access { mode: mode(bits), uid, gid }, mtime: i64::try_from(mtime).ok(), xattrs }
}

/// The bits of a mode that a file system keeps.
fn mode(bits: u32) -> u16 {
    (bits & 0o7777) as u16
}

fn image_path(path: &TreePath) -> Result<ImagePath, Error> {
    Ok(ImagePath::new(path.as_bytes())?)
}
