//! The proxy: for apt, for whoever logs in, and for what pulls container images. Services of a cluster's member are told by the
//! `kube` room, which knows what they reach without it.

use imgforge_kube::proxy::drop_in;
use imgforge_spec::{ImagePath, Proxy};

use super::{Draft, Error, Request, declarations::Assignment, units};
use crate::image::change::{Origin, Volume};

const ORIGIN: Origin = Origin::Node("proxy");

/// Where apt.conf(5) has parts, after those of packages.
const APT: &str = "/etc/apt/apt.conf.d/95imgforge-proxy";

/// What pam_env(8) gives to everybody who logs in.
const ENVIRONMENT: &str = "/etc/environment";

/// What pulls container images on a node that belongs to no cluster yet.
const PULLING: [&str; 2] = ["containerd", "docker"];

/// Tells the node of its proxy, if it has one.
pub(crate) fn tell(draft: &mut Draft<'_>, request: &Request) -> Result<(), Error> {
    let Some(proxy) = &request.node.proxy else { return Ok(()) };
    draft.write(Volume::Root, &ImagePath::new(APT)?, of_apt(proxy), None, ORIGIN)?;
    let environment = ImagePath::new(ENVIRONMENT)?;
    let text = draft.read_text(Volume::Root, &environment)?.unwrap_or_default();
    draft.write(Volume::Root, &environment, with_variables(text, proxy), None, ORIGIN)?;
    let is_alone = request.membership.is_none();
    for service in PULLING.iter().filter(|_| is_alone) {
        if units::find(draft, &format!("{service}.service"))?.is_some() {
            let (path, text) = drop_in(service, proxy);
            draft.write(Volume::Root, &ImagePath::new(path)?, text, None, ORIGIN)?;
        }
    }
    Ok(())
}

/// apt asks single hosts without the proxy; it knows no networks.
fn of_apt(proxy: &Proxy) -> String {
    let mut text = "// Made by imgforge from `proxy`.\n".to_owned();
    let is_host =
        |name: &&String| name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-'));
    let hosts: Vec<&String> = proxy.no_proxy.iter().filter(is_host).filter(|n| !n.starts_with('.')).collect();
    for (scheme, url) in [("http", &proxy.http), ("https", &proxy.https)] {
        let Some(url) = url else { continue };
        text += &format!("Acquire::{scheme}::Proxy \"{url}\";\n");
        for host in &hosts {
            text += &format!("Acquire::{scheme}::Proxy::{host} \"DIRECT\";\n");
        }
    }
    text
}

/// `text` with the variables, in both ways of writing them: programs differ in which they read.
fn with_variables(text: String, proxy: &Proxy) -> String {
    proxy.environment().into_iter().fold(text, |text, (name, value)| {
        [name.to_owned(), name.to_ascii_lowercase()].into_iter().fold(text, |text, name| {
            let assignment = Assignment { set: name, value: String::new(), separator: "=".into() };
            assignment.apply(&text, &format!("\"{value}\""))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy() -> Proxy {
        Proxy {
            http: Some("http://proxy.home.example:3128".into()),
            https: None,
            no_proxy: vec!["nas.home.example".into(), "192.168.1.0/24".into(), ".home.example".into()],
        }
    }

    #[test]
    fn apt_asks_hosts_of_no_proxy_directly() {
        assert_eq!(
            of_apt(&proxy()),
            "// Made by imgforge from `proxy`.\nAcquire::http::Proxy \"http://proxy.home.example:3128\";\n\
             Acquire::http::Proxy::nas.home.example \"DIRECT\";\n"
        );
    }

    #[test]
    fn variables_take_the_place_of_those_that_are_there() {
        let text = with_variables("PATH=\"/bin\"\nhttp_proxy=old\n".into(), &proxy());
        assert_eq!(
            text,
            "PATH=\"/bin\"\nhttp_proxy=\"http://proxy.home.example:3128\"\nHTTP_PROXY=\"http://proxy.home.example:3128\"\n\
             NO_PROXY=\"nas.home.example,192.168.1.0/24,.home.example\"\nno_proxy=\"nas.home.example,192.168.1.0/24,.home.example\"\n"
        );
    }
}
