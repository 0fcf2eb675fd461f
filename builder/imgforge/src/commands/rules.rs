//! `imgforge rules`: what is asked of a cluster file and of a node's plan, by name.

use imgforge_kube::check;
use serde::Serialize;

use crate::{build::error::Error, cli::RulesArgs, host::console::Console, rules};

/// A rule as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: &'static str,
    severity: String,
    /// What it is asked of: `cluster`, the file by itself, or `plan`, a node's plan over its base.
    of: &'static str,
    about: &'static str,
}

/// Runs the command.
pub fn run(args: &RulesArgs, console: &Console) -> Result<(), Error> {
    let rows: Vec<Row> = rows().collect();
    if args.json {
        return super::print_json(console, &rows);
    }
    let cells = |Row { name, severity, of, about }| {
        [String::from(name), severity, String::from(of), String::from(about)]
    };
    super::print(console, &super::table(rows.into_iter().map(cells).collect()))
}

fn rows() -> impl Iterator<Item = Row> {
    let of_cluster = check::rules().map(|rule| (rule.name, rule.severity, "cluster", rule.about));
    let of_plan = rules::all().map(|rule| (rule.name, rule.severity, "plan", rule.about));
    let row = |(name, severity, of, about): (_, check::Severity, _, _)| Row {
        name,
        severity: severity.to_string(),
        of,
        about,
    };
    of_cluster.chain(of_plan).map(row)
}

const INTRODUCTION: &str = "\
# Rules

A card that imgforge makes is a node that works, or imgforge says beforehand why not. Each rule looks at one thing. What it
finds is an *error*, which stops the command, or a *notice*, which is said. A finding ends with its rule's name in brackets;
where you know better, that name overrules it, in the settings of a node (`--node`), in a cluster file, or at one node there:

    allow: [known-password]

An overruled error is still said, as a notice. `imgforge rules` prints these lists.
";

const OF_PLANS: &str = "
## Of a node's plan

Asked by `plan`, `build` and `personalize`, of the node as it will be: its settings, all changes, and its system with them.

";

const OF_CLUSTERS: &str = "
## Of a cluster file

Asked by `cluster check`, and before anything is done with the file.

";

const OF_LONE_NODES: &str =
    "Of a node that is in no cluster file these are asked there, too, of those below:";

/// `docs/rules.md`.
pub fn rules_page() -> String {
    let alone: Vec<String> = rules::OF_LONE_NODES.iter().map(|name| format!("`{name}`")).collect();
    let alone = format!("\n{OF_LONE_NODES} {}.\n", alone.join(", "));
    INTRODUCTION.to_owned() + OF_PLANS + &markdown("plan") + &alone + OF_CLUSTERS + &markdown("cluster")
}

/// The rules that are asked `of` something, as a table.
fn markdown(of: &str) -> String {
    let line = |row: Row| format!("| `{}` | {} | {} |\n", row.name, row.severity, row.about);
    let lines: String = rows().filter(|row| row.of == of).map(line).collect();
    format!("| rule | severity | what is asked |\n| --- | --- | --- |\n{lines}")
}
