//! Names that a node looks for are found by somebody.

use imgforge_kube::check::Found;
use imgforge_spec::host_of;

use super::{Context, Rule};

pub(crate) const RULES: &[Rule] = &[Rule::notice(
    "mdns-unasked",
    "names in .local are asked for by mDNS, or the node has none to look for",
    mdns_unasked,
)];

/// `.local` is of mDNS (RFC 6762). A module of the C library hands its names to Avahi, which asks for them: Raspberry Pi OS has
/// both, Debian and Armbian have none.
fn mdns_unasked(context: &Context<'_>) -> Vec<Found> {
    let units = &context.survey.units;
    let has = |package| context.added.contains(&package);
    let is_handed_on = context.survey.network.has_mdns || has("libnss-mdns");
    let avahi = ["avahi-daemon.service", "avahi-daemon.socket"];
    if is_handed_on && (has("avahi-daemon") || avahi.iter().any(|unit| units.is_enabled(unit))) {
        return Vec::new();
    }
    let strange = names(context).into_iter().filter(|(_, name)| name.ends_with(".local"));
    strange
        .map(|(setting, name)| {
            let message = format!(
                "nothing in the node asks for {name} by mDNS: it is found only if a name server knows it"
            );
            Found::new(setting, message).suggest(
                "give its address, a name that the network's name server knows, or `packages: [avahi-daemon, libnss-mdns]`",
            )
        })
        .collect()
}

/// Machines that the node itself looks for, with their settings.
fn names(context: &Context<'_>) -> Vec<(String, String)> {
    let node = &context.request.node;
    let mut names = Vec::new();
    for (index, mount) in node.mounts.iter().enumerate() {
        names.extend(mount.host().map(|host| (format!("mounts[{index}].source"), host)));
    }
    for (index, server) in node.time_servers.iter().enumerate() {
        names.push((format!("time-servers[{index}]"), server));
    }
    for (index, repository) in node.repositories.iter().enumerate() {
        names.extend(host_of(&repository.uri).map(|host| (format!("repositories[{index}].uri"), host)));
    }
    if let Some(proxy) = &node.proxy {
        let addresses = [("proxy.http", &proxy.http), ("proxy.https", &proxy.https)];
        let hosts = addresses
            .into_iter()
            .filter_map(|(setting, url)| Some((setting.to_owned(), host_of(url.as_ref()?)?)));
        names.extend(hosts);
    }
    names
        .into_iter()
        .map(|(setting, host)| (setting, host.trim_end_matches('.').to_ascii_lowercase()))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::Node;

    const SHARE: &str = "mounts: [{ source: 'nas.local:/k8s', target: /srv, type: nfs }]";

    fn found(node: &Node) -> Vec<String> {
        node.findings("mdns-unasked")
    }

    #[test]
    fn a_name_of_mdns_needs_somebody_who_asks() {
        for (settings, setting) in [
            (SHARE, "mounts[0].source"),
            ("time-servers: [pi.local]", "time-servers[0]"),
            ("proxy: { https: 'http://Proxy.local:3128' }", "proxy.https"),
        ] {
            let found = found(&Node::of(settings));
            assert!(found.len() == 1 && found[0].starts_with(setting), "{found:?}");
        }
    }

    #[test]
    fn who_asks_is_in_the_base_or_comes_along() {
        let raspberry_pi_os = "passwd: files\nhosts:  files mdns4_minimal [NOTFOUND=return] dns\n";
        let module_alone = Node::of(SHARE).with("/etc/nsswitch.conf", raspberry_pi_os);
        assert_eq!(found(&module_alone).len(), 1);
        assert_eq!(found(&module_alone.enabling("avahi-daemon.service")), [""; 0]);
        assert_eq!(found(&Node::of(SHARE).adding(&["libnss-mdns", "avahi-daemon"])), [""; 0]);
        assert_eq!(found(&Node::of(&SHARE.replace("nas.local", "nas.home.arpa"))), [""; 0]);
        let debian = "hosts: files dns\n";
        assert_eq!(found(&Node::of(SHARE).with("/etc/nsswitch.conf", debian)).len(), 1);
    }
}
