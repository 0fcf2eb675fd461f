//! The reference of the files that people write, as pages: what their schemas say, in tables.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::schema::schema_of;
use crate::cli::SchemaKind;

/// The kinds that people write, and what their files are called.
const PAGES: [(SchemaKind, &str); 5] = [
    (SchemaKind::Node, "A node's file (`--node`)"),
    (SchemaKind::Cluster, "A cluster file (`--cluster`)"),
    (SchemaKind::Profile, "A board's profile"),
    (SchemaKind::Overlay, "An overlay's declarations (`overlay.yaml`)"),
    (SchemaKind::Config, "The user's configuration (`config.yaml`)"),
];

/// `docs/reference/KIND.md` of each kind: names and contents.
pub fn reference_pages() -> Vec<(String, String)> {
    let name =
        |kind: SchemaKind| kind.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
    PAGES.into_iter().map(|(kind, title)| (format!("{}.md", name(kind)), page(kind, title))).collect()
}

fn page(kind: SchemaKind, title: &str) -> String {
    let schema: Value = serde_json::from_str(&schema_of(kind)).unwrap_or_default();
    let mut text = format!("# {title}\n\n{}\n", described(&schema));
    table(&mut text, &schema, &schema);
    for (name, definition) in definitions(&schema) {
        if has_section(definition) {
            let _ = write!(text, "\n## {name}\n\n{}\n", described(definition));
            table(&mut text, definition, &schema);
        }
    }
    text
}

fn definitions(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("$defs").and_then(Value::as_object).into_iter().flatten()
}

/// Whether there is more to tell of it than one word.
fn has_section(definition: &Value) -> bool {
    definition.get("properties").is_some() || choices(definition).is_some()
}

fn described(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

/// The keys of an object, or the words of which one is chosen.
fn table(text: &mut String, section: &Value, schema: &Value) {
    if let Some(choices) = choices(section) {
        text.push_str("\n| value | |\n| --- | --- |\n");
        for (value, about) in choices {
            let _ = writeln!(text, "| `{value}` | {} |", cell(&about));
        }
    }
    let Some(properties) = section.get("properties").and_then(Value::as_object) else { return };
    let required = section.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    text.push_str("\n| key | value | |\n| --- | --- | --- |\n");
    for (key, property) in properties {
        let needed = if required.iter().any(|name| name == key) { "**needed**. " } else { "" };
        let about = format!("{needed}{}{}", described(property), default(property));
        let _ = writeln!(text, "| `{key}` | {} | {} |", kind_of(property, schema), cell(&about));
    }
}

/// The words of an enumeration, each with what it means.
fn choices(schema: &Value) -> Option<Vec<(String, String)>> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Some(words.iter().filter_map(|w| Some((w.as_str()?.to_owned(), String::new()))).collect());
    }
    let one_of = schema.get("oneOf").and_then(Value::as_array)?;
    let mut all = Vec::new();
    for one in one_of {
        match one.get("const").and_then(Value::as_str) {
            Some(word) => all.push((word.to_owned(), described(one))),
            None => all.extend(choices(one)?.into_iter().map(|(word, _)| (word, described(one)))),
        }
    }
    Some(all)
}

/// What a value is, with a link where a section tells more.
fn kind_of(property: &Value, schema: &Value) -> String {
    if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return named(name, schema);
    }
    if let Some(any) = property.get("anyOf").or_else(|| property.get("oneOf")).and_then(Value::as_array) {
        let kinds: Vec<String> =
            any.iter().map(|one| kind_of(one, schema)).filter(|kind| kind != "null").collect();
        return kinds.join(" or ");
    }
    let types: Vec<&str> = match property.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return "any".into(),
    };
    let types: Vec<String> = types
        .into_iter()
        .filter(|kind| *kind != "null")
        .map(|kind| of_type(kind, property, schema))
        .collect();
    if types.is_empty() { "null".into() } else { types.join(" or ") }
}

fn of_type(kind: &str, property: &Value, schema: &Value) -> String {
    match kind {
        "array" => {
            let items = property.get("items").map_or_else(|| "any".into(), |items| kind_of(items, schema));
            format!("list of {items}")
        }
        "object" => match property.get("additionalProperties").filter(|value| value.is_object()) {
            Some(values) => format!("names, each with {}", kind_of(values, schema)),
            None => "mapping".into(),
        },
        "string" => "text".into(),
        "integer" => "number".into(),
        "boolean" => "`true` or `false`".into(),
        other => other.into(),
    }
}

/// Only what has a section of its own is linked.
fn named(name: &str, schema: &Value) -> String {
    const WORDS: [(&str, &str); 10] = [
        ("Cidr", "address with prefix"),
        ("Hostname", "host name"),
        ("ImagePath", "path"),
        ("Interface", "network card"),
        ("Sha256", "SHA-256"),
        ("Version", "release"),
        ("BoardName", "board"),
        ("AddressRange", "range of addresses"),
        ("Fields", "mapping"),
        ("Octets", "text"),
    ];
    if let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == name) {
        return (*words).to_owned();
    }
    match schema.get("$defs").and_then(|all| all.get(name)) {
        Some(definition) if !has_section(definition) => kind_of(definition, schema),
        _ => format!("[{name}](#{})", name.to_ascii_lowercase()),
    }
}

/// What it is where nothing is said, unless that is nothing.
fn default(property: &Value) -> String {
    let is_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    match property.get("default").filter(|value| !is_nothing(value)) {
        Some(Value::Object(_)) | None => String::new(),
        Some(Value::String(word)) => format!(" [default: `{word}`]"),
        Some(value) => format!(" [default: `{value}`]"),
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
}

/// A text as it can stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
