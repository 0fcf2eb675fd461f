//! What fields that are passed on hold. Kubernetes does not turn a number into a text, nor a text into a number, as it reads
//! them: one value of another kind, and the program that reads the document ends.

use imgforge_spec::{is_absolute_path, is_dns_name, plain_path};
use serde_yaml::Value;

use super::{
    options::is_among,
    texts::CIPHER_SUITES,
    units::{nanoseconds, thousandths},
};

/// A field by its name, with what it holds.
pub(super) type Field = (&'static str, Shape);

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// What is not looked at here.
    Any,
    /// A text.
    Text,
    /// One of these texts, or an empty one for what Kubernetes takes by itself.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number from the one to the other.
    Whole(i64, i64),
    /// A number above 0 that is at most 1.
    Share,
    /// A duration that is not below zero: `1h30m`.
    Duration,
    /// A duration between these, in words for people and in nanoseconds.
    Within(&'static str, i128, i128),
    /// An absolute path without a detour; an empty one is what Kubernetes takes by itself.
    Path,
    /// Numbers of cores: `0-1,3`.
    Cores,
    /// A quantity that is not below zero: `10Mi`.
    Quantity,
    /// A quantity, or nothing for what Kubernetes takes by itself.
    Size,
    /// A cipher suite by its name.
    Suite,
    /// A machine in a certificate: an address, a DNS name, or one with `*.` before it.
    Machine,
    /// A list.
    List(&'static Shape),
    /// Whatever names, each with this.
    Map(&'static Shape),
    /// Some of these names, each with this.
    Among(&'static [&'static str], &'static Shape),
    /// When pods are stopped: a quantity above zero, or a share in percent.
    Threshold,
    /// What is made free then: the same, or nothing.
    Reclaim,
    /// Fields of its own.
    Fields(&'static [Field]),
    /// Fields of its own, of which these must be there.
    Record(&'static [&'static str], &'static [Field]),
}

/// What is the matter with a field, or with one inside it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It has a name, with dots before its own part, that is not known.
    Unknown(String),
    /// It holds something else.
    Value {
        /// Its name, with dots before its own part.
        name: String,
        /// What it should be, and what it is.
        message: String,
        /// What to write, where that is clear.
        suggestion: Option<String>,
    },
}

impl Flaw {
    /// The field's name, with dots before its own part.
    pub fn name(&self) -> &str {
        match self {
            Flaw::Unknown(name) | Flaw::Value { name, .. } => name,
        }
    }
}

impl Shape {
    /// What is the matter with `value`, the value of the field `name`. Nothing at all, `null`, is taken everywhere but where a
    /// duration stands.
    pub fn flaws(self, name: &str, value: &Value) -> Vec<Flaw> {
        match (self, value) {
            (_, Value::Tagged(_)) => vec![flaw(name, "has a tag, which nobody reads".into())],
            (Shape::Any, _) => Vec::new(),
            (shape, Value::Null) if !matches!(shape, Shape::Duration) => Vec::new(),
            (Shape::Fields(fields), Value::Mapping(_)) => fields_flaws(fields, name, value),
            (Shape::Record(needed, fields), Value::Mapping(_)) => {
                let lacks = |needed: &&&str| value.get(**needed).is_none_or(Value::is_null);
                let lacking =
                    needed.iter().filter(lacks).map(|needed| flaw(name, format!("has no `{needed}`")));
                fields_flaws(fields, name, value).into_iter().chain(lacking).collect()
            }
            (Shape::Map(shape), Value::Mapping(entries)) => {
                let inner = |(key, value)| shape.flaws(&below(name, key), value);
                entries.iter().flat_map(inner).collect()
            }
            (Shape::Among(names, shape), Value::Mapping(entries)) => {
                let inner = |(key, value): (&Value, &Value)| match key.as_str() {
                    Some(key) if names.contains(&key) => shape.flaws(&below(name, &key.into()), value),
                    _ => vec![flaw(name, format!("has no `{}`, but {}", shown(key), names.join(", ")))],
                };
                entries.iter().flat_map(inner).collect()
            }
            (Shape::List(shape), Value::Sequence(entries)) => {
                let inner = |(index, value)| shape.flaws(&format!("{name}[{index}]"), value);
                entries.iter().enumerate().flat_map(inner).collect()
            }
            _ => self.wrong(value).map(|message| self.told(name, message, value)).into_iter().collect(),
        }
    }

    /// Why `value` is none of these, if it is.
    fn wrong(self, value: &Value) -> Option<String> {
        let text = value.as_str();
        let is_right = match self {
            Shape::Text => text.is_some(),
            Shape::OneOf(texts) => text.is_some_and(|text| text.is_empty() || texts.contains(&text)),
            Shape::Switch => value.is_bool(),
            Shape::Whole(least, most) => whole(value).is_some_and(|number| (least..=most).contains(&number)),
            Shape::Share => value.as_f64().is_some_and(|number| number > 0.0 && number <= 1.0),
            Shape::Duration => text.and_then(nanoseconds).is_some_and(|time| time >= 0),
            Shape::Within(_, least, most) => {
                text.and_then(nanoseconds).is_some_and(|time| (least..=most).contains(&time))
            }
            Shape::Path => text.is_some_and(|text| text.is_empty() || is_plain_path(text)),
            Shape::Size => text.is_some_and(|text| text.is_empty() || thousandths(text).is_some()),
            Shape::Cores => text.is_some_and(are_cores),
            Shape::Quantity => text.and_then(thousandths).is_some_and(|quantity| quantity >= 0),
            Shape::Suite => text.is_some_and(|text| is_among(text, CIPHER_SUITES)),
            Shape::Machine => text.is_some_and(is_machine),
            Shape::Threshold => text.is_some_and(|text| is_part(text, 1)),
            Shape::Reclaim => text.is_some_and(|text| is_part(text, 0)),
            _ => false,
        };
        (!is_right).then(|| format!("is {}, not {}", self.wanted(), shown(value)))
    }

    fn wanted(self) -> String {
        match self {
            Shape::OneOf(texts) => format!("one of {}", texts.join(", ")),
            Shape::Whole(i64::MIN, _) => "a whole number".into(),
            Shape::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Shape::Any | Shape::Text => "a text".into(),
            Shape::Switch => "true or false".into(),
            Shape::Share => "a number above 0 that is at most 1".into(),
            Shape::Within(range, ..) => format!("a duration {range}"),
            Shape::Path => "an absolute path in ASCII, without a detour or a slash at its end".into(),
            Shape::Cores => "numbers of cores, such as 0-1,3".into(),
            Shape::Duration => "a duration in hours, minutes and seconds, such as 1h30m".into(),
            Shape::Quantity | Shape::Size => "a quantity as Kubernetes writes it, such as 64Mi".into(),
            Shape::Threshold | Shape::Reclaim => "a quantity such as 100Mi, or a share such as 10%".into(),
            Shape::Suite => "a cipher suite such as TLS_AES_128_GCM_SHA256".into(),
            Shape::Machine => "an address or a DNS name".into(),
            Shape::List(_) => "a list".into(),
            Shape::Map(_) | Shape::Among(..) | Shape::Fields(_) | Shape::Record(..) => "a mapping".into(),
        }
    }

    /// The flaw, with what was meant where a value only has the wrong kind.
    fn told(self, name: &str, message: String, value: &Value) -> Flaw {
        let meant = match (self, value) {
            (Shape::Quantity | Shape::Threshold | Shape::Reclaim, Value::Number(number))
                if ["memory", "storage", "fs.available"].iter().any(|amount| name.contains(amount)) =>
            {
                return Flaw::Value {
                    name: name.into(),
                    message,
                    suggestion: Some(format!(
                        "write it as a text with its unit: {number}Mi, or '{number}' for bytes"
                    )),
                };
            }
            // YAML reads what stands there as a number or a switch.
            (Shape::Duration | Shape::Within(..), Value::Number(number)) => {
                Some(Value::from(format!("{number}s")))
            }
            (_, Value::Number(_) | Value::Bool(_)) => Some(Value::from(shown(value))),
            (_, Value::String(text)) => serde_yaml::from_str(text).ok(),
            _ => None,
        };
        let meant = meant.filter(|meant| self.wrong(meant).is_none());
        let suggestion = meant.map(|meant| match meant {
            Value::String(text) => format!("write it as a text: '{text}'"),
            other => format!("write it without quotes: {}", shown(&other)),
        });
        Flaw::Value { name: name.into(), message, suggestion }
    }
}

/// What is the matter with the fields of the mapping `value`, which are `fields`; `name` is that of the mapping, or empty.
pub(super) fn fields_flaws(fields: &[Field], name: &str, value: &Value) -> Vec<Flaw> {
    let entries = value.as_mapping().into_iter().flatten();
    let inner = |(key, value): (&Value, &Value)| {
        let known = fields.iter().find(|(known, _)| key.as_str() == Some(known));
        match known {
            Some((_, shape)) => shape.flaws(&below(name, key), value),
            None => vec![Flaw::Unknown(below(name, key))],
        }
    };
    entries.flat_map(inner).collect()
}

fn flaw(name: &str, message: String) -> Flaw {
    Flaw::Value { name: name.into(), message, suggestion: None }
}

fn below(name: &str, key: &Value) -> String {
    if name.is_empty() { shown(key) } else { format!("{name}.{}", shown(key)) }
}

/// `value` as in a file, in a line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.escape_debug().to_string(),
        Value::Number(number) => number.to_string(),
        Value::Bool(switch) => switch.to_string(),
        Value::Null => "nothing".into(),
        Value::Sequence(_) => "a list".into(),
        Value::Mapping(_) => "a mapping".into(),
        Value::Tagged(_) => "a value with a tag".into(),
    }
}

/// A number is whole whether it is written with a point or not.
fn whole(value: &Value) -> Option<i64> {
    let of_float = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
    value.as_i64().or_else(|| format!("{:.0}", of_float()?).parse().ok())
}

fn is_plain_path(path: &str) -> bool {
    is_absolute_path(path) && path.is_ascii() && plain_path(path) == path
}

fn are_cores(text: &str) -> bool {
    let is_part = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if first <= last)
    };
    text.is_empty() || text.split(',').all(is_part)
}

fn is_machine(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok() || is_dns_name(text.strip_prefix("*.").unwrap_or(text))
}

/// <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-thresholds>
fn is_part(text: &str, least: i128) -> bool {
    match text.strip_suffix('%') {
        // What is made free may be more than there is, but not nothing.
        Some(share) => share
            .parse::<f32>()
            .is_ok_and(|share| if least == 0 { share > 0.0 } else { (0.0..=100.0).contains(&share) }),
        None => thousandths(text).is_some_and(|quantity| quantity >= least),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of `text` in a field `f` of the shape.
    fn said(shape: Shape, text: &str) -> Vec<String> {
        let flaws = shape.flaws("f", &serde_yaml::from_str(text).unwrap()).into_iter();
        let said = flaws.map(|flaw| match flaw {
            Flaw::Unknown(name) => format!("{name}?"),
            Flaw::Value { name, message, suggestion } => match suggestion {
                Some(suggestion) => format!("{name} {message}; {suggestion}"),
                None => format!("{name} {message}"),
            },
        });
        said.collect()
    }

    #[test]
    fn what_kubernetes_reads_is_left_alone() {
        const INNER: [Field; 2] = [("a", Shape::Switch), ("b", Shape::List(&Shape::Whole(0, 5)))];
        for (shape, text) in [
            (Shape::Any, "[1, {}]"),
            (Shape::Text, "'5'"),
            (Shape::OneOf(&["x", "y"]), "y"),
            (Shape::Switch, "false"),
            (Shape::Whole(-1, 5), "-1"),
            (Shape::Share, "1"),
            (Shape::Duration, "1m30s"),
            (Shape::Within("from 1 s to 2 s", 1_000_000_000, 2_000_000_000), "1500ms"),
            (Shape::Path, "/var/log/pods"),
            (Shape::Cores, "0-1,3"),
            (Shape::Quantity, "0.5Gi"),
            (Shape::Machine, "'fd00::1'"),
            (Shape::Machine, "'*.home.example'"),
            (Shape::Map(&Shape::Switch), "{ x: true }"),
            (Shape::Among(&["memory"], &Shape::Threshold), "{ memory: 5% }"),
            (Shape::Threshold, "100Mi"),
            (Shape::Reclaim, "'0'"),
            (Shape::OneOf(&["x"]), "''"),
            (Shape::Whole(0, 60), "50.0"),
            (Shape::Size, "'-1'"),
            (Shape::Record(&["a"], &[("a", Shape::Text)]), "{ a: b }"),
            (Shape::Fields(&INNER), "{ a: true, b: [0, 5] }"),
            (Shape::Fields(&INNER), "{ a: ~ }"),
        ] {
            assert_eq!(said(shape, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_it_does_not_read_is_told_with_what_was_meant() {
        const INNER: [Field; 1] = [("a", Shape::List(&Shape::Switch))];
        for (shape, text, expected) in [
            (Shape::Text, "5", "f is a text, not 5; write it as a text: '5'"),
            (Shape::Whole(0, 9), "'5'", "f is a whole number from 0 to 9, not 5; write it without quotes: 5"),
            (Shape::Whole(0, 9), "10", "f is a whole number from 0 to 9, not 10"),
            (
                Shape::Duration,
                "30",
                "f is a duration in hours, minutes and seconds, such as 1h30m, not 30; write it as a text: '30s'",
            ),
            (
                Shape::Duration,
                "~",
                "f is a duration in hours, minutes and seconds, such as 1h30m, not nothing",
            ),
            (
                Shape::Within("of at least 3 s", 3_000_000_000, i128::MAX),
                "1s",
                "f is a duration of at least 3 s, not 1s",
            ),
            (
                Shape::Path,
                "/var/log/",
                "f is an absolute path in ASCII, without a detour or a slash at its end, not /var/log/",
            ),
            (Shape::Record(&["a"], &[("a", Shape::Text)]), "{}", "f has no `a`"),
            (Shape::Reclaim, "0%", "f is a quantity such as 100Mi, or a share such as 10%, not 0%"),
            (Shape::Text, "!x a", "f has a tag, which nobody reads"),
            (
                Shape::Path,
                "logs",
                "f is an absolute path in ASCII, without a detour or a slash at its end, not logs",
            ),
            (Shape::Cores, "3-1", "f is numbers of cores, such as 0-1,3, not 3-1"),
            (Shape::Switch, "no", "f is true or false, not no"),
            (
                Shape::Map(&Shape::Quantity),
                "{ cpu: 1 }",
                "f.cpu is a quantity as Kubernetes writes it, such as 64Mi, not 1; write it as a text: '1'",
            ),
            (Shape::Among(&["cpu", "pid"], &Shape::Text), "{ ram: 1Gi }", "f has no `ram`, but cpu, pid"),
            (Shape::Threshold, "101%", "f is a quantity such as 100Mi, or a share such as 10%, not 101%"),
            (Shape::Fields(&INNER), "{ a: [true, 1] }", "f.a[1] is true or false, not 1"),
            (Shape::Fields(&INNER), "{ b: 1 }", "f.b?"),
            (Shape::Fields(&INNER), "[a]", "f is a mapping, not a list"),
            (Shape::Share, "1.5", "f is a number above 0 that is at most 1, not 1.5"),
        ] {
            assert_eq!(said(shape, text), [expected]);
        }
    }
}
