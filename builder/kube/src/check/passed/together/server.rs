//! Options of kube-apiserver, and of what other programs serve by TLS.

use super::{
    super::texts::{FOR_HTTP2, OF_HTTP2},
    Flaw, Options, entries, is_off,
};

/// All of kube-apiserver's.
pub(super) const ALL: [fn(&Options) -> Option<Flaw>; 8] =
    [plugins, accounts, modes, companions, people, privileged, reload, cipher_suites];

/// What kubeadm and k3s enable where nobody says otherwise.
const PLUGIN: &str = "NodeRestriction";

fn plugins(told: &Options) -> Option<Flaw> {
    let enabled = told.get("enable-admission-plugins");
    let disabled = told.get("disable-admission-plugins")?;
    let enabled_names = enabled.map_or(PLUGIN, String::as_str);
    let both = entries(disabled).find(|plugin| entries(enabled_names).any(|other| other == *plugin))?;
    let (message, suggestion) = match enabled {
        Some(_) => (format!("`{both}` is enabled, too"), "name it once"),
        None => (
            format!("`{both}` is enabled where nothing is said"),
            "give `enable-admission-plugins` without it",
        ),
    };
    let message = format!("{message}: kube-apiserver takes none that is both, and ends");
    Some(Flaw::new("disable-admission-plugins", message, suggestion))
}

/// A plugin of one's own takes the place of the cluster's.
pub(super) fn without_own_plugin(told: &Options) -> Option<Flaw> {
    let enabled = told.get("enable-admission-plugins")?;
    entries(enabled).all(|plugin| plugin != PLUGIN).then(|| {
        let message = format!(
            "it takes the place of {PLUGIN}: without that, who has one node's kubelet may change all the others"
        );
        Flaw::new("enable-admission-plugins", message, "name NodeRestriction, too")
    })
}

fn accounts(told: &Options) -> Option<Flaw> {
    let disabled = told.get("disable-admission-plugins")?;
    entries(disabled).any(|plugin| plugin == "ServiceAccount").then(|| {
        let message =
            "without `ServiceAccount` pods have no tokens: CoreDNS and what connects pods do not work";
        Flaw::new("disable-admission-plugins", message, "remove it")
    })
}

/// <https://kubernetes.io/docs/reference/access-authn-authz/authorization/>
fn modes(told: &Options) -> Option<Flaw> {
    const MODES: [&str; 6] = ["AlwaysAllow", "AlwaysDeny", "ABAC", "Webhook", "RBAC", "Node"];
    let modes: Vec<&str> = entries(told.get("authorization-mode")?).collect();
    let is_twice = |mode: &&&str| modes.iter().filter(|other| other == mode).count() > 1;
    // What these let through is not known here.
    let is_open = modes.iter().any(|mode| matches!(*mode, "AlwaysAllow" | "ABAC" | "Webhook"));
    let lacking = ["Node", "RBAC"].into_iter().find(|mode| !is_open && !modes.contains(mode));
    let message = if let Some(unknown) = modes.iter().find(|mode| !MODES.contains(mode)) {
        format!("`{}` is no mode of authorization", unknown.escape_debug())
    } else if let Some(mode) = modes.iter().find(is_twice) {
        format!("{mode} is there twice: kube-apiserver ends")
    } else if modes.is_empty() {
        "nobody is asked, which lets everybody do everything".into()
    } else {
        format!("without {} kubelets and controllers may do nothing", lacking?)
    };
    Some(Flaw::new("authorization-mode", message, "write Node,RBAC and what is to be asked besides"))
}

/// Of two options that are one thing only together, or only apart.
fn companions(told: &Options) -> Option<Flaw> {
    const FILES: [(&str, &str); 2] =
        [("Webhook", "authorization-webhook-config-file"), ("ABAC", "authorization-policy-file")];
    if told.contains_key("authorization-config") {
        let other = told
            .keys()
            .find(|name| *name == "authorization-mode" || name.starts_with("authorization-webhook-"))?;
        let message = format!("it stands beside `{other}`: kube-apiserver takes one of the two, and ends");
        return Some(Flaw::new("authorization-config", message, "remove one of the two"));
    }
    let modes = told.get("authorization-mode").map_or("", String::as_str);
    FILES.into_iter().find_map(|(mode, file)| {
        let is_asked = entries(modes).any(|other| other == mode);
        match (is_asked, told.contains_key(file)) {
            (true, false) => {
                let message = format!("{mode} wants `{file}`: kube-apiserver ends without");
                Some(Flaw::new("authorization-mode", message, "give it, or remove the mode"))
            }
            (false, true) => {
                let message = format!("it is for the mode {mode}, which is not asked: kube-apiserver ends");
                Some(Flaw::new(file, message, "add the mode to `authorization-mode: 'Node,RBAC'`"))
            }
            _ => None,
        }
    })
}

/// <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens>
fn people(told: &Options) -> Option<Flaw> {
    let first = told.keys().find(|name| name.starts_with("oidc-"))?;
    let is_given = |name: &str| told.get(name).is_some_and(|value| !value.is_empty());
    if is_given("authentication-config") {
        let message = format!("it stands beside `{first}`: kube-apiserver takes one of the two, and ends");
        return Some(Flaw::new("authentication-config", message, "put all of it into that file"));
    }
    if !is_given("oidc-issuer-url") || !is_given("oidc-client-id") {
        let message = "kube-apiserver wants `oidc-issuer-url` and `oidc-client-id`, and ends at one of them";
        return Some(Flaw::new(first, message, "give both"));
    }
    let issuer = told.get("oidc-issuer-url").filter(|issuer| !issuer.starts_with("https://"))?;
    let message = format!("{} is not called by https://: kube-apiserver ends", issuer.escape_debug());
    Some(Flaw::new("oidc-issuer-url", message, "give it a certificate, and its authority by `oidc-ca-file`"))
}

fn privileged(told: &Options) -> Option<Flaw> {
    told.get("allow-privileged").is_some_and(|value| is_off(value)).then(|| {
        let message = "kube-proxy and what connects pods are privileged: no node would be ready";
        Flaw::new("allow-privileged", message, "remove it; Pod Security keeps others from it by namespace")
    })
}

fn reload(told: &Options) -> Option<Flaw> {
    let name = "encryption-provider-config-automatic-reload";
    let is_on = told.get(name).is_some_and(|value| !is_off(value));
    (is_on && !told.contains_key("encryption-provider-config")).then(|| {
        let message = "there is no `encryption-provider-config` to read again: kube-apiserver ends";
        Flaw::new(name, message, "give that, or remove this")
    })
}

pub(super) fn cipher_suites(told: &Options) -> Option<Flaw> {
    let suites = told.get("tls-cipher-suites").filter(|suites| !suites.is_empty())?;
    let is_tls_13 = told.get("tls-min-version").is_some_and(|version| version == "VersionTLS13");
    let without_http2 = told.get("disable-http2-serving").is_some_and(|value| !is_off(value));
    let has_one = entries(suites).any(|suite| OF_HTTP2.contains(&suite.trim()));
    (!is_tls_13 && !without_http2 && !has_one).then(|| {
        let message = "HTTP/2 wants a cipher suite of AES_128_GCM_SHA256: the program ends without";
        Flaw::new("tls-cipher-suites", message, FOR_HTTP2)
    })
}
