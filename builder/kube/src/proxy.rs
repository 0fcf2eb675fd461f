//! The proxy between the nodes and the world, as the environment of those who pull images.

use crate::{
    cluster::{Cluster, Proxy},
    member::Member,
};

/// The drop-ins with the proxy for the services of `member`: paths and contents.
pub fn drop_ins(member: &Member<'_>) -> Vec<(String, String)> {
    let Some(proxy) = &member.cluster.proxy else { return Vec::new() };
    let services = member.cluster.engine.pulling(member);
    let text = drop_in(member.cluster, proxy);
    let path = |service: &&str| format!("/etc/systemd/system/{service}.service.d/20-imgforge-proxy.conf");
    services.iter().map(|service| (path(service), text.clone())).collect()
}

fn drop_in(cluster: &Cluster, proxy: &Proxy) -> String {
    let variables = [
        ("HTTP_PROXY", proxy.http.clone()),
        ("HTTPS_PROXY", proxy.https.clone()),
        ("NO_PROXY", Some(no_proxy(cluster, proxy).join(","))),
    ];
    let mut text = "# Made by imgforge from the cluster file.\n[Service]\n".to_owned();
    for (name, value) in variables {
        if let Some(value) = value {
            // What systemd would replace is doubled: systemd.exec(5).
            text += &format!("Environment=\"{name}={}\"\n", value.replace('%', "%%"));
        }
    }
    text
}

/// What is reached directly: the machine itself, the nodes and their networks, pods and Services by address and name, and
/// what the file says.
fn no_proxy(cluster: &Cluster, proxy: &Proxy) -> Vec<String> {
    let networking = &cluster.networking;
    let mut all = vec!["localhost".to_owned(), "127.0.0.0/8".to_owned(), "::1".to_owned()];
    all.extend(cluster.control_plane_endpoint().map(|endpoint| endpoint.host));
    all.extend(cluster.nodes.iter().map(|node| node.hostname.clone()));
    let lans = cluster.nodes.iter().flat_map(|node| node.addresses());
    all.extend(lans.map(|own| own.network().to_string()));
    all.extend(
        networking.pod_subnet.iter().chain(networking.service_subnet.iter()).map(|net| net.to_string()),
    );
    all.extend([".svc".to_owned(), format!(".{}", networking.dns_domain)]);
    all.extend(proxy.no_proxy.iter().cloned());
    let mut unique: Vec<String> = Vec::new();
    for one in all {
        if !unique.contains(&one) {
            unique.push(one);
        }
    }
    unique
}
