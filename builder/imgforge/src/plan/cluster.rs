//! What makes the node a member of its cluster: the files that `imgforge-kube` makes for it.

use imgforge_debian::Database;
use imgforge_kube::{
    add_ons::Manifest,
    containerd::{DEBIAN_PLUGINS, KUBERNETES_PLUGINS, Runtime, Series},
    engine::Engine,
};
use imgforge_spec::ImagePath;

use super::{Draft, Error, Request};
use crate::supply::pin::Additions;
use crate::{
    image::{
        change::{Access, Action, Origin, Volume},
        read::{PackageTree, Tree},
    },
    target::cluster,
};

/// The packages that bring containerd: Debian's and Docker's.
const CONTAINERD: [&str; 2] = ["containerd", "containerd.io"];

/// Where the first boot looks for a snapshot of etcd to start from (`docs/first-boot.md`).
const SNAPSHOT: &str = "/var/lib/imgforge/restore/snapshot";

/// Puts in the node's files; nothing where it belongs to no cluster. `root` is the base's.
pub fn join(
    draft: &mut Draft<'_>,
    root: &dyn Tree,
    request: &Request,
    additions: &Additions,
) -> Result<(), Error> {
    let Some(membership) = &request.membership else { return Ok(()) };
    let origin = Origin::Cluster(membership.cluster().to_owned());
    // k3s has runtime and network plugins in itself.
    let needs_runtime = request.role.runs_kubernetes() && request.engine == Engine::Kubeadm;
    let series = match series(root, additions)? {
        Some(series) => series,
        None if !needs_runtime => Series::Two,
        None => return Err(cluster::Error::NoRuntime { hostname: membership.hostname().clone() }.into()),
    };
    if needs_runtime {
        gather_plugins(draft, &origin)?;
    }
    let containerd = Runtime { series, plugins: KUBERNETES_PLUGINS };
    for file in membership.files(containerd, &|manifest| bytes_of(manifest, additions))? {
        let path = ImagePath::new(&file.path)?;
        let access = Access::root((file.mode & 0o7777) as u16);
        match file.secret {
            true => draft.write_secret(&path, file.content, access, origin.clone())?,
            false => draft.write(Volume::Root, &path, file.content, Some(access), origin.clone())?,
        }
    }
    if let Some(bytes) = membership.snapshot() {
        let attributes = Access::root(0o600).into();
        let action = Action::File { bytes: bytes.clone(), attributes };
        draft.put_secret(&ImagePath::new(SNAPSHOT)?, action, origin)?;
    }
    Ok(())
}

/// The series of the node's containerd: of the release of Kubernetes, else of a package that is added, else of the base.
fn series(root: &dyn Tree, additions: &Additions) -> Result<Option<Series>, Error> {
    if let Some(release) = &additions.containerd {
        return Ok(Series::of(release));
    }
    let added = additions.packages.iter().map(|package| package.archive.identity.clone());
    let database = Database::load(&PackageTree(root)).map_err(Error::Packages)?;
    let present = database.stanzas().iter().filter_map(|stanza| stanza.identity.clone());
    let containerd = added.chain(present).find(|identity| CONTAINERD.contains(&identity.name.as_str()));
    let release = |version: &str| version.rsplit(':').next().and_then(Series::of);
    Ok(containerd.and_then(|identity| release(identity.version.as_str())))
}

/// Network plugins are looked for in one folder, the one where add-ons put theirs; Debian's package has another.
fn gather_plugins(draft: &mut Draft<'_>, origin: &Origin) -> Result<(), Error> {
    for plugin in draft.matching(Volume::Root, &ImagePath::new(DEBIAN_PLUGINS)?.join("*")?)? {
        let link = ImagePath::new(KUBERNETES_PLUGINS)?.join(plugin.name())?;
        if draft.kind(Volume::Root, &link)?.is_none() {
            draft.symlink(&link, plugin.as_bytes(), origin.clone())?;
        }
    }
    Ok(())
}

/// The bytes of a manifest, which is among the pinned files.
fn bytes_of(manifest: &Manifest, additions: &Additions) -> Option<Vec<u8>> {
    let (_, bytes) = additions.files.iter().find(|(artifact, _)| artifact.url == manifest.url)?;
    let mut all = vec![0; usize::try_from(bytes.content.len()).ok()?];
    bytes.content.read_at(0, &mut all).ok().map(|()| all)
}
