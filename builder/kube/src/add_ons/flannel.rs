//! Flannel's own settings.

use super::{Error, Manifest, once};
use crate::cluster::{Cluster, Family, Subnets};

/// Flannel has the pods' networks in its own configuration, each family's by itself:
/// <https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md>.
pub fn adapted(manifest: &Manifest, text: &str, cluster: &Cluster) -> Result<String, Error> {
    const SETTING: &str = r#""Network": "10.244.0.0/16""#;
    let (before, after) = once(manifest, text, SETTING)?;
    // A line for each setting, indented as the one in whose place they come.
    let indent = before.rsplit('\n').next().unwrap_or_default();
    let lines = networks(&cluster.networking.pod_subnet).join(&format!(",\n{indent}"));
    Ok(format!("{before}{lines}{after}"))
}

/// IPv4 is on without being asked for.
fn networks(pods: &Subnets) -> Vec<String> {
    let v4 = match pods.of(Family::V4) {
        Some(v4) => format!(r#""Network": "{v4}""#),
        None => r#""EnableIPv4": false"#.to_owned(),
    };
    let v6 =
        pods.of(Family::V6).map(|v6| [r#""EnableIPv6": true"#.into(), format!(r#""IPv6Network": "{v6}""#)]);
    std::iter::once(v4).chain(v6.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(text: &str) -> Cluster {
        serde_yaml::from_str(text).unwrap()
    }

    fn flannel() -> Manifest {
        let text = "{ name: flannel, version: v1, url: https://flannel.example/v1.yml, sha256: SUM }"
            .replace("SUM", &"0".repeat(64));
        serde_yaml::from_str(&text).unwrap()
    }

    #[test]
    fn flannel_gets_the_clusters_pod_network() {
        let text = "  net-conf.json: |\n    {\n      \"Network\": \"10.244.0.0/16\",\n";
        let with = |subnets: &str| {
            let cluster = cluster(&format!("networking: {{ pod-subnet: {subnets} }}"));
            adapted(&flannel(), text, &cluster).unwrap()
        };
        assert_eq!(
            with("172.20.0.0/16"),
            "  net-conf.json: |\n    {\n      \"Network\": \"172.20.0.0/16\",\n"
        );
        assert_eq!(
            with("[10.244.0.0/16, 'fd00:10:244::/56']"),
            "  net-conf.json: |\n    {\n      \"Network\": \"10.244.0.0/16\",\n      \"EnableIPv6\": true,\n      \
             \"IPv6Network\": \"fd00:10:244::/56\",\n"
        );
        assert_eq!(
            with("'fd00:10:244::/56'"),
            "  net-conf.json: |\n    {\n      \"EnableIPv4\": false,\n      \"EnableIPv6\": true,\n      \
             \"IPv6Network\": \"fd00:10:244::/56\",\n"
        );
        let twice = [text, text].concat();
        for strange in ["", &twice] {
            let error = adapted(&flannel(), strange, &cluster("{}")).unwrap_err();
            assert!(matches!(error, Error::Unfamiliar { .. }), "{error}");
        }
    }
}
