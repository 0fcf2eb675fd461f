//! Words for the kernel's command line that people give.

/// Words that the boot loader or the image decides, or with which nothing is started, by their names.
const UNFIT: [(&str, &str); 15] = [
    ("root", "the image says where its root file system is"),
    ("rootfstype", "the image says what its root file system is"),
    ("init", "another program than systemd would be started"),
    ("rdinit", "another program than the initramfs' would be started"),
    ("break", "the start would stop in the initramfs"),
    ("--", "everything behind it would be for systemd alone"),
    ("systemd.hostname", "the host name is a setting of its own"),
    ("rd.break", "the start would stop in the initramfs"),
    ("systemd.unit", "another target than the node's would be started"),
    ("rd.systemd.unit", "another target than the initramfs' would be started"),
    ("systemd.volatile", FORGETFUL),
    ("overlayroot", FORGETFUL),
    ("single", SHELL),
    ("emergency", SHELL),
    ("rescue", SHELL),
];

const FORGETFUL: &str = "the node would forget at each start what it has become";
const SHELL: &str = "nothing but a shell would be started";

/// Why a node with `argument` on its kernel's command line would not start as it should, if so.
///
/// ```
/// use imgforge_spec::unfit_kernel_argument;
///
/// assert!(unfit_kernel_argument("root=/dev/sda1").is_some());
/// assert_eq!(unfit_kernel_argument("cgroup_enable=memory"), None);
/// ```
pub fn unfit_kernel_argument(argument: &str) -> Option<&'static str> {
    let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
    match (name, value) {
        ("1" | "s" | "S", "") => Some(SHELL),
        _ if argument.is_empty() || argument.contains(char::is_control) => Some("this is no argument"),
        _ if argument.contains(char::is_whitespace) => Some("each argument is an item of its own"),
        _ => UNFIT.iter().find(|(bad, _)| *bad == name).map(|(_, reason)| *reason),
    }
}
