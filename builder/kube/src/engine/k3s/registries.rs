//! `/etc/rancher/k3s/registries.yaml`: docs.k3s.io, installation/private-registry; how k3s reads it:
//! pkg/agent/containerd/config.go.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    cluster::{Cluster, Registry},
    registries::has_version,
    yaml,
};

/// Where the authorities' certificates lie.
const AUTHORITIES: &str = "/etc/rancher/k3s/authorities";

#[derive(Serialize)]
struct File {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    mirrors: BTreeMap<String, Mirror>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    configs: BTreeMap<String, Config>,
}

#[derive(Serialize)]
struct Mirror {
    endpoint: Vec<String>,
}

#[derive(Serialize)]
struct Config {
    tls: Tls,
}

#[derive(Serialize)]
struct Tls {
    ca_file: String,
}

/// The files of all registries of `cluster`: paths and contents.
pub fn files(cluster: &Cluster) -> Result<Vec<(String, String)>, serde_yaml::Error> {
    if cluster.registries.is_empty() {
        return Ok(Vec::new());
    }
    let mut whole = File { mirrors: BTreeMap::new(), configs: BTreeMap::new() };
    let mut files = Vec::new();
    for (host, registry) in &cluster.registries {
        if !registry.mirrors.is_empty() {
            let endpoint = registry.mirrors.iter().map(|mirror| endpoint(mirror)).collect();
            whole.mirrors.insert(host.clone(), Mirror { endpoint });
        }
        if let Some(ca) = &registry.ca {
            let ca_file = format!("{AUTHORITIES}/{host}.crt");
            for server in servers(host, registry) {
                whole.configs.insert(server, Config { tls: Tls { ca_file: ca_file.clone() } });
            }
            files.push((ca_file, ca.clone()));
        }
    }
    let text = format!("# Made by imgforge from the cluster file.\n{}", yaml::to_string(&whole)?);
    files.push(("/etc/rancher/k3s/registries.yaml".to_owned(), text));
    Ok(files)
}

/// k3s takes an address with a path as it is; without one it puts the protocol's version behind.
fn endpoint(mirror: &str) -> String {
    let has_path = mirror.splitn(4, '/').nth(3).is_some_and(|path| !path.is_empty());
    if has_path && !has_version(mirror) {
        format!("{}/v2", mirror.trim_end_matches('/'))
    } else {
        mirror.to_owned()
    }
}

/// Who is known by the registry's authority: the registry and its mirrors.
fn servers<'a>(host: &'a str, registry: &'a Registry) -> impl Iterator<Item = String> + 'a {
    let mirrors = registry.mirrors.iter().filter_map(|mirror| mirror.split('/').nth(2));
    std::iter::once(host).chain(mirrors).map(str::to_owned)
}
