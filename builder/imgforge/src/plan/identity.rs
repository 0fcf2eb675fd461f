//! Who the node is: its host name, in the two files that say it; and what the image is.

use imgforge_spec::{Hostname, ImagePath};

use super::{Draft, Error, Pinned};
use crate::{
    image::change::{Access, Origin, Volume},
    plan::record::{self, Record},
};

/// Writes what the image was made as.
pub(crate) fn leave_record(draft: &mut Draft<'_>, pinned: &Pinned) -> Result<(), Error> {
    let path = ImagePath::new(record::PATH)?;
    let json = Record::new(pinned)?.to_json();
    let json = json.map_err(|error| Error::Content { path: path.clone(), source: error.into() })?;
    draft.write(Volume::Root, &path, json, Some(Access::root(0o644)), Origin::Record)
}

/// Writes `/etc/hostname`, and the name's line in `/etc/hosts` as Debian has it: 127.0.1.1, in place of the vendor's.
pub(crate) fn set_hostname(draft: &mut Draft<'_>, hostname: &Hostname) -> Result<(), Error> {
    let origin = Origin::Node("hostname");
    let short = hostname.short();
    let hosts_path = draft.edited(Volume::Root, &ImagePath::new("/etc/hosts")?)?;
    let hosts =
        draft.read_text(Volume::Root, &hosts_path)?.unwrap_or_else(|| "127.0.0.1\tlocalhost\n".into());
    let names = if short == hostname.as_str() { short.to_owned() } else { format!("{hostname} {short}") };
    let hosts = with_own_address(&hosts, &names);
    draft.write(
        Volume::Root,
        &ImagePath::new("/etc/hostname")?,
        format!("{short}\n"),
        None,
        origin.clone(),
    )?;
    draft.write(Volume::Root, &hosts_path, hosts, None, origin)
}

/// `hosts` with exactly one line for 127.0.1.1, where the first such line or else the one for 127.0.0.1 was.
fn with_own_address(hosts: &str, names: &str) -> String {
    let address = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let is = |line: &&str, wanted: &str| address(line).as_deref() == Some(wanted);
    let own = format!("127.0.1.1\t{names}");
    let mut lines: Vec<&str> = hosts.lines().collect();
    let place = lines.iter().position(|line| is(line, "127.0.1.1"));
    let place =
        place.or_else(|| lines.iter().position(|line| is(line, "127.0.0.1")).map(|at| at + 1)).unwrap_or(0);
    lines.retain(|line| !is(line, "127.0.1.1"));
    lines.insert(place.min(lines.len()), &own);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_own_name_gives_way() {
        let hosts = "127.0.0.1\tlocalhost\n::1 localhost\n127.0.1.1 renegade\n";
        assert_eq!(
            with_own_address(hosts, "k8s-1"),
            "127.0.0.1\tlocalhost\n::1 localhost\n127.0.1.1\tk8s-1\n"
        );
    }

    #[test]
    fn a_file_without_such_a_line_gets_one_after_localhost() {
        assert_eq!(
            with_own_address("127.0.0.1 localhost\n::1 x\n", "a"),
            "127.0.0.1 localhost\n127.0.1.1\ta\n::1 x\n"
        );
        assert_eq!(with_own_address("", "a"), "127.0.1.1\ta\n");
    }
}
