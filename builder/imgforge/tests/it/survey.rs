//! What is seen of a system: whose image it is, and what it starts.

use imgforge::{
    catalogue::Catalogue,
    image::{
        recognise::vendor_of,
        survey::{Manager, Survey},
    },
};

use crate::{plan::repository, tree::MemoryTree};

/// The vendor of an image with these files, by the repository's own descriptions.
fn vendor(files: &[(&str, &str)]) -> Option<String> {
    let vendors = Catalogue::load(vec![repository().join("board-profiles")]).unwrap().vendors().unwrap();
    let root = MemoryTree::of(&[&[("/etc/debian_version", "13.1\n")], files].concat());
    let survey = Survey::of_trees(&root, None).unwrap();
    vendor_of(&root, survey.os.as_deref(), &vendors).unwrap()
}

#[test]
fn vendors_are_known_by_their_files_and_what_the_system_calls_itself() {
    let named = |id| ("/etc/os-release", id);
    assert_eq!(vendor(&[named("ID=debian\n")]).as_deref(), Some("debian"));
    assert_eq!(vendor(&[named("ID=debian\n"), ("/etc/rpi-issue", "")]).as_deref(), Some("raspberrypi"));
    assert_eq!(vendor(&[named("ID=raspbian\n"), ("/etc/rpi-issue", "")]).as_deref(), Some("raspberrypi"));
    assert_eq!(vendor(&[named("ID=ubuntu\n"), ("/etc/armbian-release", "")]).as_deref(), Some("armbian"));
}

#[test]
fn what_is_made_from_debian_is_not_debian() {
    assert_eq!(vendor(&[("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\n")]), None);
    assert_eq!(vendor(&[("/usr/lib/os-release", "ID=\"ubuntu\"\n")]), None);
    assert_eq!(vendor(&[("/etc/os-release", "ID=debian\n"), ("/boot/dietpi/.version", "")]), None);
}

#[test]
fn a_unit_starts_if_it_is_there_wanted_and_not_masked() {
    let unit = ("/usr/lib/systemd/system/systemd-networkd.service", "[Unit]\n");
    let wants = "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service";
    let wanted = || MemoryTree::of(&[unit]).with_link(wants, unit.0);
    let managers = |tree: MemoryTree| Survey::of_trees(&tree, None).unwrap().network.managers;
    assert_eq!(managers(wanted()), [Manager::Networkd]);
    assert!(managers(MemoryTree::of(&[unit])).is_empty(), "not wanted");
    assert!(managers(MemoryTree::of(&[]).with_link(wants, unit.0)).is_empty(), "the unit is gone");
    let masked = wanted().with_link("/etc/systemd/system/systemd-networkd.service", "/dev/null");
    assert!(managers(masked).is_empty(), "masked");
}

#[test]
fn a_file_of_the_image_cannot_write_on_the_terminal() {
    let root = MemoryTree::of(&[("/etc/os-release", "PRETTY_NAME=\"Good \u{1b}[2J\"\n")]);
    assert_eq!(Survey::of_trees(&root, None).unwrap().name.as_deref(), Some("Good \\x1b[2J"));
}
