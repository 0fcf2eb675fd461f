//! This machine's time zone, as its user sees it: where a new cluster's nodes most likely stand, too.

use std::{env, fs, path::Path};

use imgforge_spec::System;

/// Where the tz database lies, in whatever folder; what follows is the zone's name.
const DATABASE: &str = "zoneinfo/";

/// The zone's name in the tz database, by the variable `TZ` or by what localtime(5) links to; `None` for UTC, which nodes have
/// anyway, and where nobody tells.
pub(crate) fn of_this_machine() -> Option<String> {
    let linked = || fs::read_link("/etc/localtime").ok().and_then(|target| of_link(&target));
    let zone =
        env::var("TZ").ok().map_or_else(linked, |zone| Some(zone.trim_start_matches(':').to_owned()))?;
    let is_utc =
        ["", "UTC", "UCT", "Zulu", "Universal"].contains(&zone.strip_prefix("Etc/").unwrap_or(&zone));
    let known = System { time_zone: Some(zone), ..System::default() };
    known.time_zone.clone().filter(|zone| !is_utc && zone.contains('/') && known.check().is_ok())
}

fn of_link(target: &Path) -> Option<String> {
    let target = target.to_str()?;
    target.rfind(DATABASE).and_then(|at| target.get(at + DATABASE.len()..)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_its_zone() {
        let of = |target: &str| of_link(Path::new(target));
        assert_eq!(of("/usr/share/zoneinfo/Europe/Berlin").as_deref(), Some("Europe/Berlin"));
        assert_eq!(
            of("../usr/share/zoneinfo/America/Argentina/Salta").as_deref(),
            Some("America/Argentina/Salta")
        );
        assert_eq!(of("/etc/localtime.mine"), None);
    }
}
