//! An image as one file: the OCI image layout in a tar archive, which `ctr images import` takes.
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>. `docker load` looks for the same parts in a list of
//! its own, which is there, too: <https://github.com/moby/docker-image-spec/blob/main/spec.md>
//!
//! The archive is stitched together from tar headers and the store's files. It depends on the image alone: the members'
//! order is fixed, they belong to root and have the time 0, so all nodes that carry an image have the same file.

use std::{io, sync::Arc};

use imgforge_disk::Content;
use imgforge_spec::Sha256;
use serde::Serialize;
use tar::{EntryType, Header};

use super::{
    Blob, Error, LockedImage, Platform,
    document::{self, Document, INDEX, Malformed, Manifest},
    splice::Splice,
};
use crate::{
    host::file::HostFile,
    supply::store::{self, Store},
};

/// A tar archive is made of such blocks; two of zeros end it.
const BLOCK: u64 = 512;

/// What a layout says of itself.
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// `index.json` of the layout.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: [Entry<'a>; 1],
}

/// The image in the index.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    media_type: &'a str,
    digest: String,
    size: u64,
    platform: Platform,
    annotations: Annotations<'a>,
}

/// Under which name the image is imported: containerd's own key, and that of the specification.
#[derive(Serialize)]
struct Annotations<'a> {
    #[serde(rename = "io.containerd.image.name")]
    containerd: &'a str,
    #[serde(rename = "org.opencontainers.image.ref.name")]
    oci: &'a str,
}

/// An entry of `manifest.json`, Docker's list of the images in an archive.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed<'a> {
    config: String,
    /// Only a tag can be there: Docker finds an image by a digest only where it has pulled it by that.
    repo_tags: Vec<&'a str>,
    layers: Vec<String>,
}

/// The archive of `image`, whose parts are in the store. They are held to its manifest: a lock may have been edited.
pub fn archive(store: &Store, image: &LockedImage) -> Result<Arc<dyn Content>, Error> {
    let malformed = |source| Error::Malformed { reference: image.reference.clone(), source };
    let manifest = read_small(store, image.manifest.sha256)?;
    let Document::Manifest(manifest) = Document::decode(&manifest).map_err(malformed)? else {
        return Err(malformed(Malformed::Neither));
    };
    let platform = image.platform.parse().ok().filter(|_| image.has_parts_of(&manifest));
    let platform = platform.ok_or_else(|| Error::OtherParts { reference: image.reference.clone() })?;
    let mut parts = Vec::new();
    for blob in image.blobs() {
        parts.push((place(blob), part(store, blob.sha256)?));
    }
    let index = index(image, &manifest, platform);
    parts.push(("index.json".to_owned(), Arc::new(index)));
    parts.push(("manifest.json".to_owned(), Arc::new(list(image))));
    parts.push(("oci-layout".to_owned(), Arc::new(LAYOUT.to_vec())));
    stitched(parts).map_err(|_| malformed(Malformed::Size(image.size())))
}

fn index(image: &LockedImage, manifest: &Manifest, platform: Platform) -> Vec<u8> {
    let entry = Entry {
        media_type: &manifest.media_type,
        digest: format!("sha256:{}", image.manifest.sha256),
        size: image.manifest.size,
        platform,
        annotations: Annotations { containerd: &image.reference, oci: &image.reference },
    };
    let index = Index { schema_version: 2, media_type: INDEX, manifests: [entry] };
    // Strings and numbers only: nothing that JSON cannot have.
    serde_json::to_vec(&index).unwrap_or_default()
}

fn list(image: &LockedImage) -> Vec<u8> {
    let listed = Listed {
        config: place(&image.config),
        repo_tags: Some(image.reference.as_str()).filter(|name| !name.contains('@')).into_iter().collect(),
        layers: image.layers.iter().map(place).collect(),
    };
    serde_json::to_vec(&[listed]).unwrap_or_default()
}

/// Where a part lies in the archive.
fn place(blob: &Blob) -> String {
    format!("blobs/sha256/{}", blob.sha256)
}

/// A tar archive (POSIX ustar) of regular files.
fn stitched(files: Vec<(String, Arc<dyn Content>)>) -> io::Result<Arc<dyn Content>> {
    let mut archive = Splice::default();
    for (name, content) in files {
        let mut header = Header::new_ustar();
        header.set_path(&name)?;
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len());
        header.set_cksum();
        let padding = content.len().next_multiple_of(BLOCK) - content.len();
        archive.push(Arc::new(header.as_bytes().to_vec()))?;
        archive.push(content)?;
        archive.push(Arc::new(vec![0; padding as usize]))?;
    }
    archive.push(Arc::new(vec![0; 2 * BLOCK as usize]))?;
    Ok(Arc::new(archive))
}

/// A part of an image in the store; it takes no open file.
fn part(store: &Store, sha256: Sha256) -> Result<Arc<dyn Content>, Error> {
    let path = store.blob(sha256);
    let content = HostFile::new(&path).map_err(unreadable(store, sha256))?;
    Ok(Arc::new(content))
}

/// A document in the store.
pub(crate) fn read_small(store: &Store, sha256: Sha256) -> Result<Vec<u8>, Error> {
    let content = part(store, sha256)?;
    let mut bytes = vec![0; content.len().min(document::MOST_BYTES + 1) as usize];
    content.read_at(0, &mut bytes).map_err(unreadable(store, sha256))?;
    Ok(bytes)
}

fn unreadable(store: &Store, sha256: Sha256) -> impl Fn(io::Error) -> Error {
    let path = store.blob(sha256);
    move |source| store::Error::Io { action: "cannot read", path: path.clone(), source }.into()
}
