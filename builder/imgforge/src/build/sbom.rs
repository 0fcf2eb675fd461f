//! The bill of materials beside an image: SPDX 2.3 in JSON, <https://spdx.github.io/spdx-spec/v2.3/>.
//!
//! It lists the packages of the base as the vendor's own database has them, and every package and file that was added, with
//! where it came from and its sum. The types below are the part of the specification that this takes.

use imgforge_spec::Sha256;
use serde::Serialize;

use crate::{
    build::manifest::Manifest,
    catalogue::artifact::Artifact,
    host::clock,
    supply::{
        lock::LockedPackage,
        oci::{LockedImage, Reference},
    },
};

const NOTHING_SAID: &str = "NOASSERTION";
const IMAGE: &str = "SPDXRef-Image";
const BASE: &str = "SPDXRef-Base";

/// A document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<Package>,
    relationships: Vec<Relationship>,
}

#[derive(Debug, Serialize)]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    supplier: String,
    download_location: String,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalReference>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalReference {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

/// A package that the base has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Installed {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Debian architecture.
    pub architecture: String,
}

impl Document {
    /// The document of the image that `manifest` describes, over a base with the packages `installed`.
    pub fn new(manifest: &Manifest, installed: &[Installed]) -> Self {
        let image = Package {
            // Of the same day and inputs there is one image only.
            version_info: manifest.image.identity().map(|sha256| format!("sha256:{sha256}")),
            supplier: "Organization: imgforge".into(),
            checksums: manifest.image.sha256.as_ref().map(sha256).unwrap_or_default(),
            ..Package::named(IMAGE.into(), manifest.hostname.as_str())
        };
        let base = Package {
            version_info: Some(format!("sha256:{}", manifest.base.sha256)),
            supplier: supplier(&manifest.base.origin),
            download_location: location(&manifest.base.origin),
            checksums: sha256(&manifest.base.sha256),
            ..Package::named(BASE.into(), &manifest.base.origin)
        };
        let mut document = Self {
            spdx_version: "SPDX-2.3",
            data_license: "CC0-1.0",
            id: "SPDXRef-DOCUMENT",
            name: manifest.hostname.to_string(),
            // Unique for a document, and equal for equal images.
            document_namespace: format!(
                "https://spdx.org/spdxdocs/imgforge-{}",
                manifest.image.identity().unwrap_or_else(|| Sha256::of(manifest.hostname.as_str()))
            ),
            creation_info: CreationInfo {
                created: clock::utc(manifest.epoch),
                creators: vec![format!("Tool: imgforge-{}", manifest.imgforge)],
            },
            packages: vec![image, base],
            relationships: vec![
                Relationship::new("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE),
                Relationship::new(IMAGE, "GENERATED_FROM", BASE),
                // Who follows only what is contained finds everything, too.
                Relationship::new(IMAGE, "CONTAINS", BASE),
            ],
        };
        installed.iter().for_each(|package| document.add(BASE, Package::of_base(package)));
        manifest.packages.iter().for_each(|package| document.add(IMAGE, Package::of_lock(package)));
        manifest.artifacts.iter().for_each(|artifact| document.add(IMAGE, Package::of_artifact(artifact)));
        manifest.images.iter().for_each(|image| document.add(IMAGE, Package::of_container_image(image)));
        document
    }

    /// The document as its file has it.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    fn add(&mut self, holder: &str, package: Package) {
        self.relationships.push(Relationship::new(holder, "CONTAINS", &package.id));
        self.packages.push(package);
    }
}

impl Package {
    fn named(id: String, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            version_info: None,
            supplier: NOTHING_SAID.into(),
            download_location: NOTHING_SAID.into(),
            files_analyzed: false,
            checksums: Vec::new(),
            external_refs: Vec::new(),
        }
    }

    fn debian(kind: &str, name: &str, version: &str, architecture: &str) -> Self {
        let locator = format!("pkg:deb/debian/{}@{}?arch={architecture}", escaped(name), escaped(version));
        let id = format!("SPDXRef-{kind}-{}-{architecture}", identifier(name));
        Self {
            version_info: Some(version.to_owned()),
            external_refs: vec![ExternalReference::purl(locator)],
            ..Self::named(id, name)
        }
    }

    fn of_base(package: &Installed) -> Self {
        Self::debian("Base", &package.name, &package.version, &package.architecture)
    }

    fn of_lock(package: &LockedPackage) -> Self {
        Self {
            download_location: package.url.clone(),
            checksums: sha256(&package.sha256),
            ..Self::debian("Added", &package.name, &package.version, &package.architecture)
        }
    }

    fn of_artifact(artifact: &Artifact) -> Self {
        let name = artifact.url.rsplit('/').next().unwrap_or_default();
        Self {
            download_location: artifact.url.clone(),
            checksums: sha256(&artifact.sha256),
            ..Self::named(format!("SPDXRef-Artifact-{}", artifact.sha256), name)
        }
    }

    /// <https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md>
    fn of_container_image(image: &LockedImage) -> Self {
        let LockedImage { reference, platform, manifest, .. } = image;
        let digest = format!("sha256:{}", manifest.sha256);
        let parsed = reference.parse::<Reference>().ok();
        let repository = parsed.as_ref().map(Reference::name).unwrap_or_default();
        let name = repository.rsplit('/').next().unwrap_or_default();
        let tag = parsed.as_ref().and_then(Reference::tag);
        let tag = tag.map(|tag| format!("&tag={}", escaped(tag))).unwrap_or_default();
        let architecture = platform.trim_start_matches("linux/");
        let locator = format!(
            "pkg:oci/{}@{}?arch={}&repository_url={}{tag}",
            escaped(name),
            escaped(&digest),
            escaped(architecture),
            escaped(&repository)
        );
        Self {
            version_info: Some(digest.clone()),
            download_location: parsed.map_or(NOTHING_SAID.into(), |parsed| parsed.manifest_url(&digest)),
            checksums: sha256(&manifest.sha256),
            external_refs: vec![ExternalReference::purl(locator)],
            ..Self::named(format!("SPDXRef-ContainerImage-{}", identifier(reference)), reference)
        }
    }
}

impl ExternalReference {
    fn purl(reference_locator: String) -> Self {
        Self { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator }
    }
}

impl Relationship {
    fn new(from: &str, kind: &'static str, to: &str) -> Self {
        Self {
            spdx_element_id: from.to_owned(),
            relationship_type: kind,
            related_spdx_element: to.to_owned(),
        }
    }
}

fn sha256(value: &Sha256) -> Vec<Checksum> {
    vec![Checksum { algorithm: "SHA256", checksum_value: value.to_string() }]
}

/// A base that is a local file has no address.
fn location(origin: &str) -> String {
    if origin.contains("://") { origin.to_owned() } else { NOTHING_SAID.to_owned() }
}

/// Who supplies what has this origin: the server it is from, if it is from one.
fn supplier(origin: &str) -> String {
    let server = origin.split_once("://").and_then(|(_, rest)| rest.split(['/', ':']).next());
    server.map_or(NOTHING_SAID.into(), |server| format!("Organization: {server}"))
}

/// Identifiers have letters, digits, `.` and `-` only.
fn identifier(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    name.replace('+', "-plus").chars().map(|c| if keep(c) { c } else { '-' }).collect()
}

/// Percent-encoding as package URLs want it.
fn escaped(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || ".-_~".contains(c);
    text.chars().map(|c| if keep(c) { c.to_string() } else { format!("%{:02X}", c as u32) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_escape_what_versions_may_have() {
        let package = Package::debian("Added", "libstdc++6", "1:2.0~rc1+b1", "arm64");
        assert_eq!(package.id, "SPDXRef-Added-libstdc-plus-plus6-arm64");
        assert_eq!(
            package.external_refs[0].reference_locator,
            "pkg:deb/debian/libstdc%2B%2B6@1%3A2.0~rc1%2Bb1?arch=arm64"
        );
    }
}
