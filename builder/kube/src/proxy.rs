//! The proxy between the nodes and the world, as the environment of those who pull images.

use imgforge_spec::Proxy;

use crate::{cluster::Cluster, member::Member};

/// The proxy of the nodes of `cluster`, which reach the cluster itself without it.
pub fn of_nodes(cluster: &Cluster) -> Option<Proxy> {
    let proxy = cluster.proxy.as_ref()?;
    Some(Proxy { no_proxy: no_proxy(cluster, proxy), ..proxy.clone() })
}

/// The drop-ins with the proxy for the services of `member`: paths and contents.
pub fn drop_ins(member: &Member<'_>) -> Vec<(String, String)> {
    let Some(proxy) = of_nodes(member.cluster) else { return Vec::new() };
    let services = member.cluster.engine.pulling(member);
    services.iter().map(|service| drop_in(service, &proxy)).collect()
}

/// The drop-in that has `service` take `proxy`: path and content.
pub fn drop_in(service: &str, proxy: &Proxy) -> (String, String) {
    let mut text = "# Made by imgforge from `proxy`.\n[Service]\n".to_owned();
    for (name, value) in proxy.environment() {
        // What systemd would replace is doubled: systemd.exec(5).
        text += &format!("Environment=\"{name}={}\"\n", value.replace('%', "%%"));
    }
    (format!("/etc/systemd/system/{service}.service.d/20-imgforge-proxy.conf"), text)
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
