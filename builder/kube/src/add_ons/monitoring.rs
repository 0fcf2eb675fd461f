//! Monitoring that fits boards with 1 GB: Prometheus on one node, an exporter on each, and alerts for what breaks at home.
//! <https://prometheus.io/docs/>

use serde::Serialize;

use super::Error;
use crate::{
    cluster::{Cluster, Monitoring},
    images::names,
    yaml,
};

/// Applied after the addresses.
pub const FILE: &str = "92-monitoring.yaml";

/// The folder of the node's that holds what was measured. `storage` in the cluster file puts it on a disk.
const FOLDER: &str = "/var/lib/prometheus";

/// The images that the node `hostname` needs for it.
pub fn images(cluster: &Cluster, hostname: &str) -> Vec<&'static str> {
    let Some(settings) = &cluster.add_ons.monitoring else { return Vec::new() };
    if node(cluster, settings) != Some(hostname) {
        return vec![&names().node_exporter];
    }
    let mut images: Vec<&str> = vec![&names().node_exporter, &names().prometheus];
    images.extend(settings.alerts_to.as_ref().map(|_| names().alertmanager.as_str()));
    images
}

/// The node that measures: the one that the settings name, else the first master.
pub fn node<'a>(cluster: &'a Cluster, settings: &'a Monitoring) -> Option<&'a str> {
    let first = || cluster.first_master().map(|master| master.hostname.as_str());
    settings.node.as_deref().or_else(first)
}

/// The manifest.
pub fn manifest(cluster: &Cluster, settings: &Monitoring) -> Result<String, Error> {
    let write = |error: serde_yaml::Error| Error::Write { name: FILE, reason: error.to_string() };
    // Without a master there is nobody who applies it.
    let node = node(cluster, settings).unwrap_or_default();
    let mut prometheus = include_str!("monitoring/prometheus.yaml").to_owned();
    let mut objects = vec![include_str!("monitoring/manifest.yaml").to_owned()];
    if let Some(receiver) = &settings.alerts_to {
        prometheus.push_str(
            "alerting:\n  alertmanagers:\n    - static_configs: [{ targets: ['alertmanager:9093'] }]\n",
        );
        let config = yaml::to_string(&Alerts::to(receiver)).map_err(write)?;
        objects.push(include_str!("monitoring/alertmanager.yaml").to_owned());
        objects.push(config_map("alertmanager", &[("alertmanager.yaml", &config)]));
    }
    let rules = include_str!("monitoring/rules.yaml");
    objects.push(config_map("prometheus", &[("prometheus.yaml", &prometheus), ("rules.yaml", rules)]));
    let every = cluster.backups.unwrap_or_default().every;
    let manifest = objects.join("---\n");
    Ok(manifest
        .replace("@NODE@", &yaml::word(node))
        .replace("@DAYS@", &settings.days.to_string())
        .replace("@BACKUP_AGE@", &(3 * u64::from(every.0)).to_string())
        .replace("@FOLDER@", FOLDER)
        .replace("@EXPORTER@", &names().node_exporter)
        .replace("@PROMETHEUS@", &names().prometheus)
        .replace("@ALERTMANAGER@", &names().alertmanager))
}

/// A ConfigMap of the namespace with these files.
fn config_map(name: &str, files: &[(&str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, namespace: monitoring }}\ndata:\n"
    );
    for (file, content) in files {
        text += &format!("  {file}: |\n");
        for line in content.lines() {
            text += &format!("    {line}\n");
        }
    }
    text
}

/// Alertmanager's configuration. <https://prometheus.io/docs/alerting/latest/configuration/>
#[derive(Serialize)]
struct Alerts<'a> {
    route: Route,
    receivers: [Receiver<'a>; 1],
}

#[derive(Serialize)]
struct Route {
    receiver: &'static str,
    group_by: [&'static str; 1],
    repeat_interval: &'static str,
}

#[derive(Serialize)]
struct Receiver<'a> {
    name: &'static str,
    webhook_configs: [Webhook<'a>; 1],
}

#[derive(Serialize)]
struct Webhook<'a> {
    url: &'a str,
}

impl<'a> Alerts<'a> {
    fn to(url: &'a str) -> Self {
        const NAME: &str = "home";
        Self {
            route: Route { receiver: NAME, group_by: ["alertname"], repeat_interval: "12h" },
            receivers: [Receiver { name: NAME, webhook_configs: [Webhook { url }] }],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_yaml::{Deserializer, Value};

    use super::*;
    use crate::images::of_manifest;

    const NODES: &str = "nodes: [{ hostname: m, board: b, role: master }, { hostname: w, board: b }]";

    fn cluster(settings: &str) -> Cluster {
        serde_yaml::from_str(&format!("add-ons: {{ monitoring: {settings} }}\n{NODES}")).unwrap()
    }

    fn text(cluster: &Cluster) -> String {
        manifest(cluster, cluster.add_ons.monitoring.as_ref().unwrap()).unwrap()
    }

    fn objects(text: &str) -> Vec<Value> {
        Deserializer::from_str(text).map(|object| Value::deserialize(object).unwrap()).collect()
    }

    #[test]
    fn every_image_it_starts_is_carried_by_the_node_that_starts_it() {
        for settings in ["{}", "{ alerts-to: 'http://ntfy.home.example/k8s' }"] {
            let cluster = cluster(settings);
            let mut carried = images(&cluster, "m");
            carried.sort_unstable();
            assert_eq!(of_manifest(&text(&cluster)).unwrap(), carried);
            assert_eq!(images(&cluster, "w"), [&names().node_exporter]);
        }
    }

    #[test]
    fn it_measures_where_it_is_told_to() {
        let text = text(&cluster("{ node: w, days: 30 }"));
        assert!(!text.contains('@'), "{text}");
        let objects = objects(&text);
        let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
        let pod = &find("Deployment")["spec"]["template"]["spec"];
        assert_eq!(pod["nodeSelector"]["kubernetes.io/hostname"], "w");
        let arguments = serde_yaml::to_string(&pod["containers"][0]["args"]).unwrap();
        assert!(arguments.contains("retention.time=30d"), "{arguments}");
    }

    #[test]
    fn a_backup_is_missed_after_three_times_as_long_as_it_is_good_for() {
        let age = |cluster: &Cluster| {
            let text = text(cluster);
            let (_, rest) = text.split_once("imgforge_backup_time_seconds > ").unwrap();
            rest.lines().next().unwrap().to_owned()
        };
        let cluster = cluster("{}");
        assert_eq!(age(&cluster), "259200");
        let backups = serde_yaml::from_str("{ every: 6h }").unwrap();
        assert_eq!(age(&Cluster { backups, ..cluster }), "64800");
    }

    #[test]
    fn the_exporter_reads_where_a_master_writes_when_its_certificates_end_and_when_its_backup_was() {
        const FOLDER: &str = "/var/lib/imgforge/metrics";
        let first_boot = include_str!("../../../../overlays/common/root/usr/lib/imgforge/stage.sh");
        assert!(first_boot.contains(&format!("CERTIFICATES=$ROOT{FOLDER}/certificates.prom")));
        assert!(first_boot.contains(&format!("BACKUP=$ROOT{FOLDER}/backup.prom")));
        let objects = objects(&text(&cluster("{}")));
        let exporter = objects.iter().find(|object| object["kind"] == "DaemonSet").unwrap();
        let pod = &exporter["spec"]["template"]["spec"];
        let arguments = serde_yaml::to_string(&pod["containers"][0]["args"]).unwrap();
        assert!(arguments.contains(&format!("--collector.textfile.directory={FOLDER}\n")), "{arguments}");
        let mount = &pod["containers"][0]["volumeMounts"][1];
        assert_eq!((mount["mountPath"].as_str(), mount["readOnly"].as_bool()), (Some(FOLDER), Some(true)));
        assert_eq!(pod["volumes"][1]["hostPath"]["path"], FOLDER);
        assert_eq!(pod["volumes"][1]["name"], mount["name"]);
    }

    /// Older API servers find no default for it when they apply (seen with 1.20), and refuse the whole manifest.
    #[test]
    fn every_port_names_its_protocol() {
        let text = text(&cluster("{ alerts-to: 'http://ntfy.home.example/k8s' }"));
        let ports: Vec<_> = text
            .lines()
            .filter(|line| line.contains("containerPort: ") || line.contains(", port: 9"))
            .collect();
        assert_eq!(ports.len(), 4, "{text}");
        assert!(ports.iter().all(|port| port.contains("protocol: TCP")), "{ports:?}");
    }

    #[test]
    fn a_node_may_be_called_by_a_number() {
        let cluster = Cluster {
            nodes: vec![crate::cluster::Node { hostname: "017".into(), ..Default::default() }],
            ..cluster("{ node: '017' }")
        };
        assert!(text(&cluster).contains("nodeSelector: { kubernetes.io/hostname: '017' }"));
    }

    #[test]
    fn its_files_are_yaml_and_alerts_go_to_the_receiver() {
        let objects = objects(&text(&cluster("{ alerts-to: 'http://ntfy.home.example/k8s' }")));
        let maps: Vec<_> = objects.iter().filter(|object| object["kind"] == "ConfigMap").collect();
        let file = |map: usize, name: &str| {
            serde_yaml::from_str::<Value>(maps[map]["data"][name].as_str().unwrap()).unwrap()
        };
        let receiver = &file(0, "alertmanager.yaml")["receivers"][0]["webhook_configs"][0]["url"];
        assert_eq!(receiver, "http://ntfy.home.example/k8s");
        assert_eq!(file(1, "prometheus.yaml")["rule_files"][0], "/etc/prometheus/rules.yaml");
        let alertmanagers = &file(1, "prometheus.yaml")["alerting"]["alertmanagers"];
        assert_eq!(alertmanagers[0]["static_configs"][0]["targets"][0], "alertmanager:9093");
        let rules = file(1, "rules.yaml");
        let rules = rules["groups"][0]["rules"].as_sequence().unwrap();
        assert!(
            rules.iter().all(|rule| rule["expr"].is_string() && rule["annotations"]["summary"].is_string())
        );
    }
}
