//! What of a device is the operating system's own: its number, and how its bytes go past the kernel's memory. Cards are written on Linux;
//! elsewhere files are, which stand for them.

#[cfg(target_os = "linux")]
pub(super) use linux::{DIRECT, forget, number};
#[cfg(not(target_os = "linux"))]
pub(super) use others::{DIRECT, forget, number};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;

    use rustix::fs::{Advice, OFlags, fadvise, major, minor};

    /// Bytes go to the device and come from it without the kernel keeping them (open(2)).
    pub(in crate::flash) const DIRECT: OFlags = OFlags::DIRECT;

    /// The number of a device, as the kernel's files have it.
    pub(in crate::flash) fn number(device: u64) -> String {
        format!("{}:{}", major(device), minor(device))
    }

    /// What is read from now on comes from the device. Who cannot forget reads what it has kept.
    pub(in crate::flash) fn forget(file: &File) {
        let _ = fadvise(file, 0, None, Advice::DontNeed);
    }
}

#[cfg(not(target_os = "linux"))]
mod others {
    use std::fs::File;

    use rustix::fs::OFlags;

    pub(in crate::flash) const DIRECT: OFlags = OFlags::empty();

    pub(in crate::flash) fn number(device: u64) -> String {
        device.to_string()
    }

    pub(in crate::flash) fn forget(_file: &File) {}
}
