//! Where a setting stands in its file.
//!
//! Values forget their places when they are read; only errors keep one. So the text is read once more along the setting's
//! path, and that fails on purpose where the setting is. It is the parser that took the file, so anchors, flow style and
//! limits are its own.

use std::{
    cell::Cell,
    fmt,
    path::{Path, PathBuf},
};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A file, and the position in it as far as it is known: `home.yaml:27:5`, as compilers say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub position: Option<Position>,
}

/// A line and a column, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub(crate) column: usize,
}

impl Place {
    /// The place of `setting` in `file`, which reads `text`.
    pub fn of(setting: &str, file: &Path, text: &str) -> Self {
        Self { file: file.to_owned(), position: Position::of(setting, text) }
    }
}

impl Position {
    /// The position of `setting`, such as `nodes[2].hostname`, in the document `text`: of its key, or of its element where
    /// it is one of a list. A setting that is not there has that of the nearest one around it that is; none if the whole
    /// document is.
    pub fn of(setting: &str, text: &str) -> Option<Self> {
        let steps: Vec<Step<'_>> = steps(setting).collect();
        let (position, gone) = walk(&steps, text);
        let around = || walk(&steps[..gone], text).0;
        if gone == steps.len() { position } else { around() }.filter(|_| gone > 0)
    }

    /// The position of `setting` itself; `None` where it is not there.
    pub(crate) fn exactly(setting: &str, text: &str) -> Option<Self> {
        let steps: Vec<Step<'_>> = steps(setting).collect();
        let (position, gone) = walk(&steps, text);
        position.filter(|_| gone == steps.len())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match self.position {
            Some(Position { line, column }) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

impl From<serde_yaml::Location> for Position {
    fn from(location: serde_yaml::Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// A part of a setting's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    Key(&'a str),
    Element(usize),
}

/// The steps of a path: `nodes[2].hostname` has three. What is no number in brackets is a key like others.
fn steps(setting: &str) -> impl Iterator<Item = Step<'_>> {
    let parts = setting.split(['.', '[']).filter(|part| !part.is_empty());
    parts.map(|part| {
        let number = part.strip_suffix(']').and_then(|number| number.parse().ok());
        number.map_or(Step::Key(part), Step::Element)
    })
}

/// Goes along `steps` in `text`: where reading ended, and how many steps there were to go.
fn walk(steps: &[Step<'_>], text: &str) -> (Option<Position>, usize) {
    let gone = Cell::new(0);
    let walk = Walk { steps, before: 0, gone: &gone };
    let end = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err();
    (end.and_then(|error| error.location()).map(Position::from), gone.get())
}

/// A value on the way, after as many steps as are `before` it.
#[derive(Clone, Copy)]
struct Walk<'a> {
    steps: &'a [Step<'a>],
    before: usize,
    gone: &'a Cell<usize>,
}

impl Walk<'_> {
    fn step(&self) -> Option<Step<'_>> {
        self.steps.get(self.before).copied()
    }

    fn next(self) -> Self {
        Self { before: self.before + 1, ..self }
    }

    fn is_last(&self) -> bool {
        self.before + 1 == self.steps.len()
    }
}

/// What ends the walk, whether it has arrived or not.
const END: &str = "the end of the walk";

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.gone.set(self.before);
        deserializer.deserialize_any(self)
    }
}

/// A scalar is an end as well: it is not what the visitor expects.
impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(END)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(Step::Key(name)) = self.step() else { return Err(A::Error::custom(END)) };
        while let Some(is_it) = map.next_key_seed(Key { name, walk: self })? {
            if is_it {
                return map.next_value_seed(self.next());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom(END))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Some(Step::Element(index)) = self.step() else { return Err(A::Error::custom(END)) };
        for _ in 0..index {
            if sequence.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        sequence.next_element_seed(self.next())?;
        Err(A::Error::custom(END))
    }
}

/// A key of a mapping: whether it is `name`. Where that is the last step, the walk ends at it.
#[derive(Clone, Copy)]
struct Key<'a> {
    name: &'a str,
    walk: Walk<'a>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        let is_it = key == self.name;
        if is_it && self.walk.is_last() {
            self.walk.gone.set(self.walk.steps.len());
            return Err(E::custom(END));
        }
        Ok(is_it)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOME: &str = "\
# A comment first.
lan: { gateway: 192.168.1.1, dns: [192.168.1.1,
  9.9.9.9] }
add-ons:
  load-balancer:

    addresses:
      - 192.168.1.240-192.168.1.250
nodes:
  - hostname: 'é' # two bytes, one character
    board: rk3328
  -
    hostname: b
    labels:
      home.example/raid: \"true\"
";

    /// `line:column` of a setting in `text`, or nothing.
    fn position(setting: &str, text: &str) -> String {
        Position::of(setting, text).map_or(String::new(), |at| format!("{}:{}", at.line, at.column))
    }

    #[test]
    fn a_setting_is_where_its_key_is_and_an_element_where_it_begins() {
        for (setting, expected) in [
            ("lan", "2:1"),
            ("lan.gateway", "2:8"),
            ("lan.dns[0]", "2:36"),
            ("lan.dns[1]", "3:3"),
            ("add-ons.load-balancer", "5:3"),
            ("add-ons.load-balancer.addresses", "7:5"),
            ("add-ons.load-balancer.addresses[0]", "8:9"),
            ("nodes[0].hostname", "10:5"),
            ("nodes[1]", "13:5"),
            ("nodes[1].labels", "14:5"),
        ] {
            assert_eq!(position(setting, HOME), expected, "{setting}");
        }
    }

    #[test]
    fn a_setting_that_is_not_there_is_told_at_the_nearest_around_it() {
        for (setting, expected) in [
            ("nodes[0].swap", "10:5"),
            ("nodes[1].mounts[3].source", "13:5"),
            ("nodes[7].hostname", "9:1"),
            ("add-ons.load-balancer.range.first", "5:3"),
            ("lan.gateway.name", "2:8"),
            ("lan.dns[0][1]", "2:36"),
            ("nodes.hostname", "9:1"),
            ("lan[0]", "2:1"),
        ] {
            assert_eq!(position(setting, HOME), expected, "{setting}");
        }
    }

    #[test]
    fn of_a_setting_with_nothing_around_it_only_the_file_is_known() {
        for setting in ["endpoint", "images.etcd", "[0]", "", "..", "nodes[x"] {
            assert_eq!(position(setting, HOME).is_empty(), setting != "nodes[x", "{setting}");
        }
        let place = Place::of("endpoint", Path::new("home.yaml"), HOME);
        assert_eq!(place.to_string(), "home.yaml");
        let place = Place::of("lan", Path::new("home.yaml"), HOME);
        assert_eq!(place.to_string(), "home.yaml:2:1");
    }

    #[test]
    fn what_an_anchor_stands_for_is_told_where_it_is_written() {
        let text = "users: [&me { name: Ops }]\nnodes:\n  - users:\n      - *me\n      - { name: b }\n";
        assert_eq!(position("nodes[0].users[0].name", text), "1:15");
        assert_eq!(position("nodes[0].users[1].name", text), "5:11");
    }

    #[test]
    fn unusual_documents_are_walked_as_far_as_possible() {
        for (text, setting, expected) in [
            ("1: a\n? [b]\n: c\nd: e\n", "d", ""),
            ("1: a\nd: e\n", "d", "2:1"),
            ("a: !t {b: c}\n", "a.b", "1:1"),
            ("a: 1\n---\nb: 2\n", "a", "1:1"),
            ("a: 1\n---\nb: 2\n", "b", ""),
            ("a: &x [*x]\n", "a[0][0][0]", "1:4"),
            ("%YAML 1.2\n---\n\"a\\x62\": c\n", "ab", "3:1"),
            ("", "a", ""),
            ("a: [", "a", "1:1"),
        ] {
            assert_eq!(position(setting, text), expected, "{text:?} {setting}");
        }
    }

    #[test]
    fn neither_deep_texts_nor_long_paths_overflow() {
        let deep = "[".repeat(10_000);
        assert_eq!(position(&"[0]".repeat(100_000), &deep), "1:129", "no deeper than is read");
        let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(position(&format!("a{}", "[0]".repeat(100_000)), &deep), "1:103");
        let bomb: String =
            (1..30).map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(9))).collect();
        assert_eq!(position("a29[8]", &format!("a0: &a0 x\n{bomb}z: 1\n")), "29:6");
    }

    proptest! {
        /// The path comes from the same text, so that some of it is there.
        #[test]
        fn any_text_and_any_path_end_in_a_position_in_the_text_or_in_none(
            edits in prop::collection::vec((any::<prop::sample::Index>(), "[{}:,&*!|>'\"% \n\t#a0-]|\\[|\\]"), 0..12),
            setting in "([a-z.-]{0,6}|lan|nodes|add-ons|addresses|hostname|labels)(\\[[0-9x]{0,3}\\]?|\\.[a-z-]{1,9}){0,4}",
        ) {
            let mut text: Vec<char> = HOME.chars().collect();
            for (at, with) in edits {
                let at = at.index(text.len());
                text.splice(at..=at, with.chars());
            }
            let text: String = text.into_iter().collect();
            if let Some(Position { line, column }) = Position::of(&setting, &text) {
                prop_assert!((1..=text.lines().count()).contains(&line) && column > 0);
            }
        }
    }
}
