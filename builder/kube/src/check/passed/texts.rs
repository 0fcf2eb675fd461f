//! Options whose values are texts of a kind: names that the program knows, switches, ports. As of Kubernetes 1.36, with what
//! earlier releases had. <https://kubernetes.io/docs/reference/command-line-tools-reference/>

use std::net::IpAddr;

use super::{
    options::{is_among, is_switch},
    units::nanoseconds,
};
use crate::version::Version;

/// What a text is.
#[derive(Debug, Clone, Copy)]
enum Text {
    /// One of these names.
    OneOf(&'static str),
    /// The same, or nothing for what the program takes by itself.
    OneOrNone(&'static str),
    /// Names between commas: what they are names of, and all of them.
    Names(&'static str, &'static str),
    /// `NAME=true` between commas.
    Switches,
    /// APIs between commas, on with `=true` or without anything.
    Apis,
    /// A port, or one and the last of those after it.
    Ports,
    /// How far back changes are kept: a number, or a duration.
    Past,
    /// Addresses of this machine between commas, at which a program listens.
    Listen,
}

/// Go's names of cipher suites, with two of before: <https://pkg.go.dev/crypto/tls#pkg-constants>.
pub(super) const CIPHER_SUITES: &str = "
    TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    TLS_ECDHE_ECDSA_WITH_RC4_128_SHA TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    TLS_ECDHE_RSA_WITH_RC4_128_SHA TLS_RSA_WITH_3DES_EDE_CBC_SHA TLS_RSA_WITH_AES_128_CBC_SHA
    TLS_RSA_WITH_AES_128_CBC_SHA256 TLS_RSA_WITH_AES_128_GCM_SHA256 TLS_RSA_WITH_AES_256_CBC_SHA
    TLS_RSA_WITH_AES_256_GCM_SHA384 TLS_RSA_WITH_RC4_128_SHA";

/// HTTP/2 wants one of these of TLS 1.2: <https://www.rfc-editor.org/rfc/rfc7540#section-9.2.2>. Go's server ends without.
pub(super) const OF_HTTP2: [&str; 2] =
    ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];

/// What to do about it.
pub(super) const FOR_HTTP2: &str = "name TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, too";

/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/>
const PLUGINS: &str = "
    AlwaysAdmit AlwaysDeny AlwaysPullImages CertificateApproval CertificateSigning
    CertificateSubjectRestriction ClusterTrustBundleAttest DefaultIngressClass DefaultStorageClass
    DefaultTolerationSeconds DenyServiceExternalIPs EventRateLimit ExtendedResourceToleration
    ImagePolicyWebhook JobValidation LimitPodHardAntiAffinityTopology LimitRanger MutatingAdmissionPolicy
    MutatingAdmissionWebhook NamespaceAutoProvision NamespaceExists NamespaceLifecycle
    NodeDeclaredFeatureValidator NodeRestriction OwnerReferencesPermissionEnforcement
    PersistentVolumeClaimResize PersistentVolumeLabel PodGroupProtection PodGroupWorkloadExists
    PodNodeSelector PodResizeValidator PodSecurity PodSecurityPolicy PodTolerationRestriction
    PodTopologyLabels Priority ResourceQuota RuntimeClass SecurityContextDeny ServiceAccount
    StorageObjectInUseProtection TaintNodesByCondition ValidatingAdmissionPolicy ValidatingAdmissionWebhook";

/// Names that are none any more, and the minor release that they are gone since, or are gone at the latest.
const GONE: [(&str, u16); 9] = [
    ("PodSecurityPolicy", 25),
    ("SecurityContextDeny", 30),
    ("PersistentVolumeLabel", 32),
    ("audit.k8s.io/v1alpha1", 24),
    ("audit.k8s.io/v1beta1", 24),
    ("configmaps", 24),
    ("endpoints", 24),
    ("configmapsleases", 30),
    ("endpointsleases", 30),
];

const AUDIT_MODES: Text = Text::OneOf("batch blocking blocking-strict");
const AUDIT_VERSIONS: Text = Text::OneOf("audit.k8s.io/v1 audit.k8s.io/v1beta1 audit.k8s.io/v1alpha1");

/// Options of Kubernetes' programs.
const KUBERNETES: [(&str, Text); 19] = [
    ("audit-log-format", Text::OneOf("json legacy")),
    ("audit-log-mode", AUDIT_MODES),
    ("audit-log-version", AUDIT_VERSIONS),
    ("audit-webhook-mode", AUDIT_MODES),
    ("audit-webhook-version", AUDIT_VERSIONS),
    ("disable-admission-plugins", Text::Names("admission plugins", PLUGINS)),
    ("enable-admission-plugins", Text::Names("admission plugins", PLUGINS)),
    ("endpoint-reconciler-type", Text::OneOf("lease none master-count")),
    ("feature-gates", Text::Switches),
    (
        "leader-elect-resource-lock",
        Text::OneOf("leases endpointsleases configmapsleases endpoints configmaps"),
    ),
    ("logging-format", Text::OneOf("text json")),
    ("runtime-config", Text::Apis),
    ("service-node-port-range", Text::Ports),
    ("storage-backend", Text::OneOrNone("etcd3")),
    (
        "storage-media-type",
        Text::OneOrNone("application/json application/yaml application/vnd.kubernetes.protobuf"),
    ),
    ("tls-cipher-suites", Text::Names("cipher suites", CIPHER_SUITES)),
    ("tls-min-version", Text::OneOrNone("VersionTLS10 VersionTLS11 VersionTLS12 VersionTLS13")),
    ("authentication-token-webhook-version", Text::OneOf("v1 v1beta1")),
    ("authorization-webhook-version", Text::OneOf("v1 v1beta1")),
];

/// Of etcd's log; read in capitals, too.
const LEVELS: Text =
    Text::OneOf("debug info warn error dpanic panic fatal DEBUG INFO WARN ERROR DPANIC PANIC FATAL");

/// Options of etcd.
const ETCD: [(&str, Text); 10] = [
    ("auto-compaction-mode", Text::OneOf("periodic revision")),
    ("auto-compaction-retention", Text::Past),
    ("cipher-suites", Text::Names("cipher suites", CIPHER_SUITES)),
    ("feature-gates", Text::Switches),
    ("listen-metrics-urls", Text::Listen),
    ("log-format", Text::OneOrNone("json console")),
    ("log-level", LEVELS),
    ("logger", Text::OneOf("zap")),
    ("tls-max-version", Text::OneOrNone("TLS1.2 TLS1.3")),
    ("tls-min-version", Text::OneOrNone("TLS1.2 TLS1.3")),
];

/// What is the matter with `value` of the option `name` that the cluster file's `setting` passes on: what goes behind its name.
pub(super) fn flaw(setting: &str, name: &str, value: &str, version: Version) -> Option<String> {
    let options = if setting == "etcd" { &ETCD[..] } else { &KUBERNETES[..] };
    let (_, text) = options.iter().find(|(option, _)| *option == name)?;
    text.flaw(value, version)
}

impl Text {
    fn flaw(self, value: &str, version: Version) -> Option<String> {
        let shown = value.escape_debug();
        match self {
            Text::OneOf(names) => (!has(names, value, version)).then(|| {
                let names = names.split_whitespace().filter(|name| !is_gone(name, version));
                format!("is one of {}, not `{shown}`", names.collect::<Vec<_>>().join(", "))
            }),
            Text::OneOrNone(names) => Text::OneOf(names).flaw(value, version).filter(|_| !value.is_empty()),
            Text::Names(kind, names) => {
                let mut entries = value.split(',').filter(|_| !value.is_empty());
                let entry = entries.find(|entry| !has(names, entry, version))?;
                let shown = entry.escape_debug();
                Some(match entry.trim() {
                    name if has(names, name, version) => format!("has a space beside `{name}`"),
                    name if is_gone(name, version) => {
                        format!("names {kind}, and `{name}` is none any more")
                    }
                    _ => format!("names {kind}, and `{shown}` is none"),
                })
            }
            Text::Switches => {
                let is_read =
                    |entry: &str| entry.split_once('=').is_some_and(|(_, value)| is_switch(value.trim()));
                let entry = entries(value).find(|entry| !is_read(entry))?;
                Some(format!("holds `NAME=true` or `NAME=false`, not `{}`", entry.escape_debug()))
            }
            Text::Apis => {
                let entry = entries(value).find(|entry| !is_api(entry))?;
                Some(format!("holds APIs with `=true` or `=false`, not `{}`", entry.escape_debug()))
            }
            Text::Ports => (!are_ports(value)).then(|| format!("is ports such as 30000-32767, not {shown}")),
            Text::Listen => {
                // The kubelet asks for etcd's health at the first, without a certificate.
                let is_first = value.starts_with("http://");
                let mut entries = value.split(',').map(str::trim);
                let entry = entries.find(|entry| !is_first || !is_address(entry))?;
                Some(format!("is addresses such as http://0.0.0.0:2381, not `{}`", entry.escape_debug()))
            }
            Text::Past => {
                let is_past = value.parse::<u64>().is_ok() || nanoseconds(value).is_some();
                (!is_past).then(|| format!("is a number or a duration such as 8h, not {shown}"))
            }
        }
    }
}

/// What stands between commas; nothing there is read over.
pub(super) fn entries(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').filter(|entry| !entry.is_empty())
}

fn has(names: &str, name: &str, version: Version) -> bool {
    is_among(name, names) && !is_gone(name, version)
}

fn is_gone(name: &str, version: Version) -> bool {
    GONE.iter().any(|(other, since)| *other == name && version.minor >= *since)
}

fn is_api(entry: &str) -> bool {
    let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
    match name.trim() {
        // Of a whole kind it is said.
        "api/all" | "api/ga" | "api/beta" | "api/alpha" => matches!(value.trim(), "true" | "false"),
        _ => value.trim().is_empty() || is_switch(value.trim()),
    }
}

fn are_ports(value: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().ok();
    let value = value.trim();
    if let Some((first, last)) = value.split_once('-') {
        matches!((port(first), port(last)), (Some(first), Some(last)) if first <= last)
    } else if let Some((first, more)) = value.split_once('+') {
        matches!((port(first), port(more)), (Some(first), Some(more)) if first.checked_add(more).is_some())
    } else {
        value.is_empty() || port(value).is_some()
    }
}

/// A name does not do, but for the one that each machine has for itself.
fn is_address(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return url.starts_with("unix://") || url.starts_with("unixs://");
    };
    let Some((host, port)) = rest.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    port.parse::<u16>().is_ok() && (host == "localhost" || bare.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Version = Version::new(36, 2);

    #[test]
    fn what_the_programs_read_is_left_alone() {
        for (setting, name, value) in [
            ("api-server", "enable-admission-plugins", "NodeRestriction,PodNodeSelector"),
            (
                "api-server",
                "tls-cipher-suites",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_RSA_WITH_RC4_128_SHA",
            ),
            ("api-server", "runtime-config", "api/all=true, resource.k8s.io/v1beta1,batch/v1=false"),
            ("api-server", "service-node-port-range", "80-32767"),
            ("api-server", "service-node-port-range", "30000+100"),
            ("scheduler", "feature-gates", "A=true, B=false,kube:C=1,"),
            ("scheduler", "tls-min-version", ""),
            ("etcd", "auto-compaction-retention", "8"),
            ("etcd", "auto-compaction-retention", "30m"),
            ("etcd", "tls-min-version", "TLS1.3"),
            ("etcd", "listen-metrics-urls", "http://0.0.0.0:2381, https://[::1]:2382,http://localhost:2381"),
            ("api-server", "oidc-issuer-url", "anything"),
        ] {
            assert_eq!(flaw(setting, name, value, NOW), None, "{name}={value}");
        }
        let old = flaw("api-server", "enable-admission-plugins", "PodSecurityPolicy", Version::new(24, 17));
        assert_eq!(old, None);
    }

    #[test]
    fn what_they_do_not_read_is_told() {
        for (name, value, expected) in [
            ("audit-log-mode", "async", "is one of batch, blocking, blocking-strict, not `async`"),
            (
                "enable-admission-plugins",
                "NodeRestriction,PodSecurityPolicy",
                "names admission plugins, and `PodSecurityPolicy` is none any more",
            ),
            ("enable-admission-plugins", "Pods", "names admission plugins, and `Pods` is none"),
            ("enable-admission-plugins", "Priority, PodSecurity", "has a space beside `PodSecurity`"),
            ("leader-elect-resource-lock", "endpoints", "is one of leases, not `endpoints`"),
            ("feature-gates", "A", "holds `NAME=true` or `NAME=false`, not `A`"),
            ("feature-gates", "A=on", "holds `NAME=true` or `NAME=false`, not `A=on`"),
            ("runtime-config", "api/all", "holds APIs with `=true` or `=false`, not `api/all`"),
            ("service-node-port-range", "32767-30000", "is ports such as 30000-32767, not 32767-30000"),
            ("service-node-port-range", "1-70000", "is ports such as 30000-32767, not 1-70000"),
        ] {
            assert_eq!(flaw("api-server", name, value, NOW).as_deref(), Some(expected));
        }
        for (name, value) in [
            ("listen-metrics-urls", "0.0.0.0:2381"),
            ("listen-metrics-urls", "http://m1:2381"),
            ("auto-compaction-mode", ""),
            ("log-level", "trace"),
            ("auto-compaction-retention", "1d"),
            ("tls-min-version", "VersionTLS12"),
        ] {
            assert!(flaw("etcd", name, value, NOW).is_some(), "{name}={value}");
        }
    }
}
