//! The base images that `make base` leaves in `out/bases`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

use crate::repository;

/// A base image in a vendor's layout; `tests/bases/README.md` says what is in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// GPT, EFI system partition, ext4 root.
    VirtArm64,
    /// Armbian's rockchip64 layout.
    RenegadeLike,
    /// Raspberry Pi OS Lite's layout.
    RaspiosLike,
}

impl Base {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::VirtArm64, Self::RenegadeLike, Self::RaspiosLike];

    /// The name of the recipe and of the image.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtArm64 => "virt-arm64",
            Self::RenegadeLike => "renegade-like",
            Self::RaspiosLike => "raspios-like",
        }
    }

    /// The path under which the vendor's server, whose host name comes first, has the image of `board-profiles/`.
    pub fn vendor_path(self) -> Option<&'static str> {
        match self {
            Self::VirtArm64 => None,
            Self::RenegadeLike => Some(
                "/dl.armbian.com/renegade/archive/Armbian_26.2.1_Renegade_trixie_current_6.18.8_minimal.img.xz",
            ),
            Self::RaspiosLike => Some(
                "/downloads.raspberrypi.com/raspios_lite_arm64/images/raspios_lite_arm64-2026-09-15/\
                 2026-09-15-raspios-trixie-arm64-lite.img.xz",
            ),
        }
    }

    /// The compressed image, made first when it is missing or its recipe has changed.
    pub fn compressed(self) -> PathBuf {
        make_all();
        repository().join(format!("out/bases/{}.img.xz", self.name()))
    }

    /// The file beside [`Base::compressed`] with its sha256, named as the vendor names it.
    pub fn checksum_file(self) -> PathBuf {
        let suffix = if self == Self::RenegadeLike { "sha" } else { "sha256" };
        let mut path = self.compressed().into_os_string();
        path.push(format!(".{suffix}"));
        path.into()
    }

    /// The image itself, sparse; not to be written to.
    pub fn image(self) -> PathBuf {
        make_all();
        repository().join(format!("out/bases/{}.img", self.name()))
    }
}

/// Makes the bases once per process; the script itself keeps other processes out.
fn make_all() {
    static MADE: Once = Once::new();
    MADE.call_once(|| {
        let status = Command::new(repository().join("scripts/make-base"))
            .status()
            .expect("scripts/make-base can be run");
        assert!(status.success(), "scripts/make-base: {status}");
    });
}
