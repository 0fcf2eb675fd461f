//! Labels and taints of nodes. The file owns those that it names, and those that it has named before: these are noted at the node,
//! as kubectl notes what it applied last. All others, such as those of Kubernetes itself, are left alone.

use std::collections::BTreeMap;

use imgforge_kube::{
    cluster::{Cluster, Node, Role, Taint, TaintEffect},
    engine::Engine,
    version::Version,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Manner;
use crate::running::{
    Error,
    kubernetes::{Api, NodeObject},
};

/// The annotation that says what the file has given the node.
const NOTE: &str = "imgforge/applied";
/// Times that a node is read again if somebody else has changed it meanwhile.
const ATTEMPTS: usize = 5;

/// What the file gives a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Given {
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taints: Option<Vec<Taint>>,
}

/// What is done at a node.
#[derive(Debug, Clone, PartialEq)]
struct Change {
    /// A merge patch.
    patch: Value,
    /// In words, a line each.
    lines: Vec<String>,
}

/// Gives the nodes of `cluster` what the file says; returns how many things changed.
pub(super) fn apply(
    api: &Api,
    cluster: &Cluster,
    manner: Manner,
    tell: &dyn Fn(&str),
) -> Result<usize, Error> {
    let mut count = 0;
    for node in cluster.nodes.iter().filter(|node| node.role != Role::Base) {
        let lines = apply_to(api, node, (cluster.engine, cluster.version_of(node)), manner)?;
        lines.iter().for_each(|line| tell(&format!("{}: {line}", node.hostname)));
        count += lines.len();
    }
    Ok(count)
}

/// What makes the cluster, and of which release the node is.
type Runs = (Engine, Version);

/// What has changed at `node`.
fn apply_to(api: &Api, node: &Node, runs: Runs, manner: Manner) -> Result<Vec<String>, Error> {
    for attempt in 1.. {
        // One that is not there yet is given all of it by its card.
        let Some(object) = api.node(&node.hostname)? else { break };
        let Some(change) = change(node, runs, &object) else { break };
        if manner.dry_run {
            return Ok(change.lines);
        }
        match api.merge_into_node(&node.hostname, &change.patch) {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => {}
            outcome => return outcome.map(|()| change.lines),
        }
    }
    Ok(Vec::new())
}

/// From what is, and what is noted, to what the file says; nothing where that is so.
fn change(node: &Node, runs: Runs, object: &NodeObject) -> Option<Change> {
    let note = object.metadata.annotations.get(NOTE);
    let before: Given = note.and_then(|note| serde_json::from_str(note).ok()).unwrap_or_default();
    let given = Given { labels: node.labels.clone(), taints: node.taints.clone() };
    let mut lines = Vec::new();
    let mut patch = json!({ "metadata": { "resourceVersion": object.metadata.resource_version } });
    let labels = labels(&before, &given, &object.metadata.labels, &mut lines);
    if !labels.is_empty() {
        patch["metadata"]["labels"] = labels.into();
    }
    if let Some(taints) = taints(&before, &given, node.role, runs, &object.spec.taints, &mut lines) {
        patch["spec"]["taints"] = taints.into();
    }
    if before != given {
        patch["metadata"]["annotations"][NOTE] = json!(given).to_string().into();
    } else if lines.is_empty() {
        return None;
    }
    Some(Change { patch, lines })
}

/// The labels that change; `null` for one that goes.
fn labels(
    before: &Given,
    given: &Given,
    present: &BTreeMap<String, String>,
    lines: &mut Vec<String>,
) -> Map<String, Value> {
    let mut changes = Map::new();
    for (key, value) in &given.labels {
        let was = match present.get(key) {
            Some(found) if found == value => continue,
            Some(found) => format!(" (was {found})"),
            None => String::new(),
        };
        lines.push(format!("label {key}={value}{was}"));
        changes.insert(key.clone(), value.clone().into());
    }
    for key in
        before.labels.keys().filter(|key| !given.labels.contains_key(*key) && present.contains_key(*key))
    {
        lines.push(format!("label {key} goes"));
        changes.insert(key.clone(), Value::Null);
    }
    changes
}

/// All taints of the node, if any of them changes.
fn taints(
    before: &Given,
    given: &Given,
    role: Role,
    runs: Runs,
    present: &[Value],
    lines: &mut Vec<String>,
) -> Option<Vec<Value>> {
    // Where the file has never said anything they are Kubernetes' own.
    if before.taints.is_none() && given.taints.is_none() {
        return None;
    }
    let by_default = by_default(role, runs);
    let wanted = given.taints.as_ref().unwrap_or(&by_default);
    let is_ours = |found: &Value| before.taints.iter().flatten().chain(&by_default).any(|own| is(found, own));
    let is_wanted = |found: &Value| wanted.iter().any(|taint| is(found, taint));
    let mut taints = Vec::new();
    for found in present {
        if is_wanted(found) || !is_ours(found) {
            taints.push(found.clone());
        } else {
            lines.push(format!("taint {} goes", described(found)));
        }
    }
    for taint in wanted {
        match taints.iter_mut().find(|found| is(found, taint)) {
            Some(found) if found.get("value").and_then(Value::as_str).unwrap_or_default() == taint.value => {}
            Some(found) => {
                lines.push(format!("taint {} (was {})", described(&json!(taint)), described(found)));
                *found = json!(taint);
            }
            None => {
                lines.push(format!("taint {}", described(&json!(taint))));
                taints.push(json!(taint));
            }
        }
    }
    (taints != present).then_some(taints)
}

/// The taints that a node has where its file has none.
fn by_default(role: Role, (engine, version): Runs) -> Vec<Taint> {
    let keys = if role == Role::Master { engine.master_taints(version) } else { &[] };
    let taint =
        |key: &&str| Taint { key: (*key).into(), value: String::new(), effect: TaintEffect::NoSchedule };
    keys.iter().map(taint).collect()
}

/// Whether `found` is `taint`, whatever their values: a node has one of a name and an effect.
fn is(found: &Value, taint: &Taint) -> bool {
    found["key"] == taint.key.as_str() && found["effect"] == json!(taint.effect)
}

/// As kubectl writes it: `home.example/slow=yes:NoSchedule`.
fn described(taint: &Value) -> String {
    let text = |field: &str| taint.get(field).and_then(Value::as_str).unwrap_or_default();
    let sign = if text("value").is_empty() { "" } else { "=" };
    format!("{}{sign}{}:{}", text("key"), text("value"), text("effect"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: Runs = (Engine::Kubeadm, Version::new(36, 4));

    fn node(text: &str) -> Node {
        serde_yaml::from_str(&format!("{{ hostname: k, board: virt, {text} }}")).unwrap()
    }

    /// A node as the cluster has it.
    fn object(value: Value) -> NodeObject {
        serde_json::from_value(value).unwrap()
    }

    /// The node after `change`, as a server makes it of a merge patch.
    fn after(object: &Value, change: &Change) -> Value {
        fn merge(target: &mut Value, patch: &Value) {
            let Value::Object(fields) = patch else {
                *target = patch.clone();
                return;
            };
            if !target.is_object() {
                *target = json!({});
            }
            for (key, value) in fields {
                match value {
                    Value::Null => drop(target.as_object_mut().unwrap().remove(key)),
                    _ => merge(&mut target[key], value),
                }
            }
        }
        let mut after = object.clone();
        merge(&mut after, &change.patch);
        after
    }

    #[test]
    fn labels_of_the_file_come_and_go_and_others_stay() {
        let mut there = json!({ "metadata": { "resourceVersion": "7", "labels": { "a": "1", "b": "x", "c": "kubelet's" } } });
        let change1 =
            change(&node("labels: { a: '1', b: '2', d: '3' }"), VERSION, &object(there.clone())).unwrap();
        assert_eq!(change1.lines, ["label b=2 (was x)", "label d=3"]);
        assert_eq!(change1.patch["metadata"]["resourceVersion"], "7");
        there = after(&there, &change1);
        assert_eq!(
            change(&node("labels: { a: '1', b: '2', d: '3' }"), VERSION, &object(there.clone())),
            None
        );

        let change2 = change(&node("labels: { a: '1' }"), VERSION, &object(there.clone())).unwrap();
        assert_eq!(change2.lines, ["label b goes", "label d goes"]);
        there = after(&there, &change2);
        assert_eq!(there["metadata"]["labels"], json!({ "a": "1", "c": "kubelet's" }));
    }

    #[test]
    fn what_is_as_it_should_be_is_noted_once() {
        let there = json!({ "metadata": { "labels": { "a": "1" } } });
        let noted = change(&node("labels: { a: '1' }"), VERSION, &object(there.clone())).unwrap();
        assert!(noted.lines.is_empty());
        assert_eq!(noted.patch["metadata"]["annotations"][NOTE], r#"{"labels":{"a":"1"}}"#);
        assert_eq!(change(&node("labels: { a: '1' }"), VERSION, &object(after(&there, &noted))), None);
    }

    #[test]
    fn taints_of_kubernetes_itself_stay() {
        let own = json!({ "key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-09-21T14:30:00Z" });
        let mut there =
            json!({ "spec": { "taints": [own, { "key": "home/slow", "effect": "NoSchedule" }] } });
        let slow = node("taints: [{ key: home/slow, value: very, effect: NoSchedule }]");
        let change1 = change(&slow, VERSION, &object(there.clone())).unwrap();
        assert_eq!(change1.lines, ["taint home/slow=very:NoSchedule (was home/slow:NoSchedule)"]);
        there = after(&there, &change1);
        assert_eq!(change(&slow, VERSION, &object(there.clone())), None);
        let change2 = change(&node("taints: []"), VERSION, &object(there.clone())).unwrap();
        assert_eq!(change2.lines, ["taint home/slow=very:NoSchedule goes"]);
        assert_eq!(after(&there, &change2)["spec"]["taints"], json!([own]));
    }

    #[test]
    fn a_master_loses_kubeadms_taint_by_an_empty_list_and_has_it_back_without_one() {
        let tainted = json!([{ "key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule" }]);
        let mut there = json!({ "spec": { "taints": tainted } });
        let (bare, open) = (node("role: master"), node("role: master, taints: []"));
        assert_eq!(change(&bare, VERSION, &object(there.clone())), None);
        let opened = change(&open, VERSION, &object(there.clone())).unwrap();
        assert_eq!(opened.lines, ["taint node-role.kubernetes.io/control-plane:NoSchedule goes"]);
        there = after(&there, &opened);
        assert_eq!(there["spec"]["taints"], json!([]));
        let closed = change(&bare, VERSION, &object(there.clone())).unwrap();
        assert_eq!(closed.lines, ["taint node-role.kubernetes.io/control-plane:NoSchedule"]);
        assert_eq!(after(&there, &closed)["spec"]["taints"], tainted);
    }

    #[test]
    fn a_note_that_somebody_has_spoilt_is_none() {
        let there =
            json!({ "metadata": { "labels": { "a": "1" }, "annotations": { NOTE: "{\"labels\":7" } } });
        assert_eq!(change(&node("labels: {}"), VERSION, &object(there.clone())), None);
        let change = change(&node("labels: { a: '1' }"), VERSION, &object(there)).unwrap();
        assert!(change.lines.is_empty() && change.patch["metadata"].get("labels").is_none());
    }
}
