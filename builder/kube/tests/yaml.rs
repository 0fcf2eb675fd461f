//! YAML for Kubernetes, judged by PyYAML: a reader of YAML 1.1, as Kubernetes' own is.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::{collections::BTreeMap, fs, process::Command};

use imgforge_kube::{kubeadm, member::Member, yaml};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::Value;

/// Says of each pair of files whether the first is read as what the second holds.
const COMPARE: &str = r#"
import json, sys, yaml
pairs = json.load(open(sys.argv[1]))
for text, expected in pairs:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        found = error
    same = json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True) if not isinstance(found, Exception) else False
    if not same:
        sys.exit(f"{text!r} is read as {found!r}, not as {expected!r}")
print(len(pairs))
"#;

/// Strings that one or another reader takes for something else, and pieces of which such strings are made.
const STRANGE: [&str; 60] = [
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "Yes",
    "NO",
    "oN",
    "true",
    "False",
    "null",
    "~",
    "",
    "017",
    "0o17",
    "08",
    "0x1f",
    "0b10",
    "1_000",
    "1,000",
    "1:30",
    "1:30.5",
    "190:20:30",
    "1e3",
    "1.5",
    ".5",
    "5.",
    "+1",
    "-1",
    ".inf",
    "-.INF",
    ".nan",
    "2026-11-28",
    "2026-11-28T10:00:00Z",
    "=",
    "<<",
    "-",
    "- a",
    "?",
    "? a",
    ":",
    "a: b",
    "a:",
    "a #b",
    "#",
    "*a",
    "&a",
    "!a",
    "|",
    ">",
    "%",
    "@",
    "`",
    "---",
    "...",
    "[",
    "{",
    "\u{feff}",
    "\u{85}",
];

fn strings() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(&STRANGE[..]).prop_map(str::to_owned),
        "[-+0-9_.:eExob, ]{0,8}",
        "[ -~]{0,12}",
        "\\PC{0,6}",
        any::<String>(),
        prop::collection::vec(prop::sample::select(&STRANGE[..]), 0..4).prop_map(|parts| parts.concat()),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => strings().prop_map(Value::String),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(strings(), inner, 0..4)
                .prop_map(|map: BTreeMap<_, _>| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn judge(pairs: &[(String, Value)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.json");
    fs::write(&path, serde_json::to_string(pairs).unwrap()).unwrap();
    let output = Command::new("python3").args(["-c", COMPARE]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), pairs.len().to_string());
}

#[test]
fn what_is_written_is_what_is_read() {
    let mut runner = TestRunner::deterministic();
    let strategy = values();
    let pairs: Vec<_> = (0..3000)
        .map(|_| {
            let value = strategy.new_tree(&mut runner).unwrap().current();
            (yaml::to_string(&value).unwrap(), value)
        })
        .collect();
    judge(&pairs);
    for (text, value) in &pairs {
        assert_eq!(&serde_yaml::from_str::<Value>(text).unwrap(), value, "{text:?} in YAML 1.2");
    }
}

#[test]
fn a_word_is_itself_in_a_block_and_between_brackets() {
    let mut runner = TestRunner::deterministic();
    let strategy = strings();
    let pairs: Vec<_> = (0..2000)
        .flat_map(|_| {
            let text = strategy.new_tree(&mut runner).unwrap().current();
            let word = yaml::word(&text);
            let expected = serde_json::json!({ "a": text });
            [(format!("a: {word}\n"), expected.clone()), (format!("{{ a: {word} }}\n"), expected)]
        })
        .collect();
    judge(&pairs);
}

#[test]
fn the_documents_of_a_cluster_with_names_like_switches_are_what_they_were() {
    let text = "name: 'on'
add-ons: { network: none }
nodes:
  - { hostname: '017', board: rpi4, role: master, labels: { raid: 'yes', size: '1_000' } }
  - { hostname: 'off', board: rpi4, taints: [{ key: slow, value: 'yes', effect: NoSchedule }] }";
    let cluster = common::cluster(text);
    let pairs = ["017", "off"].into_iter().flat_map(|hostname| {
        let member = Member::new(&cluster, hostname, &common::boards).unwrap();
        let documents = match hostname {
            "017" => kubeadm::init(&member, "abcdef.0123456789abcdef"),
            _ => kubeadm::join(&member, "abcdef.0123456789abcdef", "sha256:00"),
        };
        let pair = |document: kubeadm::Document| {
            let text = kubeadm::render(std::slice::from_ref(&document), &cluster).unwrap();
            (text, serde_json::to_value(document).unwrap())
        };
        documents.into_iter().map(pair).collect::<Vec<_>>()
    });
    let pairs: Vec<_> = pairs.collect();
    assert!(pairs.iter().any(|(text, _)| text.contains("value: 'yes'") && text.contains("name: 'off'")));
    judge(&pairs);
}

#[test]
fn the_layout_is_serde_yamls() {
    let text = "\
kind: Pod
list:
- name: a
  args:
  - -x
  more: {}
- - b
  - c
- []
empty: []
nested:
  deeper:
    number: 5
    '500': '500'
    none: null
";
    let value: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    assert_eq!(yaml::to_string(&value).unwrap().replace("'-x'", "-x"), text);
    assert_eq!(serde_yaml::to_string(&value).unwrap(), text);
}
