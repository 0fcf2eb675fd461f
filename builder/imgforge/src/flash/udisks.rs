//! UDisks, the service of desktops that opens a device for whoever sits at the machine, after a question for the password
//! (<https://storaged.org/doc/udisks2-api/latest/gdbus-org.freedesktop.UDisks2.Block.html>).

use std::{fs::File, io, path::Path};

use rustix::fs::OFlags;

use super::dbus::{Answer, Body, Bus, Method};

/// Has it open `device` for reading and writing, with `flags` besides.
///
/// # Errors
/// Why not, in its words; nothing where it does not run.
pub(super) fn open(device: &Path, flags: OFlags) -> Result<File, Option<String>> {
    let name = device.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or(None)?;
    match ask(&name, flags) {
        Ok(Answer::Done(Some(descriptor))) => Ok(File::from(descriptor)),
        Ok(Answer::Refused(reason)) => Err(Some(reason)),
        Ok(Answer::Done(None)) => Err(Some("it answered without the device".into())),
        Err(_) => Err(None),
    }
}

fn ask(name: &str, flags: OFlags) -> io::Result<Answer> {
    let mut bus = Bus::system()?;
    let path = format!("/org/freedesktop/UDisks2/block_devices/{}", escaped(name));
    let method = Method {
        service: "org.freedesktop.UDisks2",
        path: &path,
        interface: "org.freedesktop.UDisks2.Block",
        name: "OpenDevice",
    };
    bus.call(method, &Body::text_and_number("rw", ("flags", flags.bits().cast_signed())))
}

/// `name` in a path of D-Bus, which has letters, digits and underscores only.
fn escaped(name: &str) -> String {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes()
        .map(|byte| if is_kept(byte) { char::from(byte).to_string() } else { format!("_{byte:02x}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices_are_those_that_udisks_gives_them() {
        assert_eq!(escaped("sdb"), "sdb");
        assert_eq!(escaped("mmcblk0"), "mmcblk0");
        assert_eq!(escaped("dm-0"), "dm_2d0");
    }
}
