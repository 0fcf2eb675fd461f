//! How long a node's packages take to resolve, as a ratio to `apt-get install --simulate` with warm metadata: reading the
//! decompressed index counts, fetching and verifying it do not.
//!
//! Needs the network, once: `cargo run --release --package imgforge-debian --example resolve_speed`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the program")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use imgforge_debian::{Database, Resolver, parse_relations};
use support::apt::{Apt, NODE};
use support::root::Root;

const RUNS: usize = 9;

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn resolve(apt: &Apt) -> [Duration; 3] {
    let (mut candidates, mut resolver, mut chosen) = (Vec::new(), None, Vec::new());
    let reading = timed(|| candidates = apt.candidates());
    let database = Database::load(&Root(apt.base())).unwrap();
    let building = timed(|| resolver = Some(Resolver::new(&database, &candidates, false).unwrap()));
    let wanted = parse_relations(&NODE.replace(' ', ",")).unwrap();
    let solving = timed(|| chosen = resolver.as_ref().unwrap().resolve(&wanted).unwrap());
    assert!(!chosen.is_empty());
    [reading, building, solving]
}

fn main() {
    let apt = Apt::new();
    let packages: Vec<&str> = NODE.split_whitespace().collect();
    let (mut ours, mut theirs, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        theirs.push(timed(|| drop(apt.simulate(&packages).unwrap())));
        ours.push(timed(|| parts.push(resolve(&apt))));
    }
    let [reading, building, solving] =
        std::array::from_fn(|part| median(parts.iter().map(|times| times[part]).collect()));
    let (ours, theirs) = (median(ours), median(theirs));
    println!("apt-get install --simulate  {theirs:?}");
    println!("read, build, resolve        {ours:?} ({reading:?} + {building:?} + {solving:?})");
    println!("ratio                       {:.2}", ours.as_secs_f64() / theirs.as_secs_f64());
}
