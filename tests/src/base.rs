//! The base images that `make base` leaves in `out/bases`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

use crate::repository;

/// A base image in a vendor's layout; `tests/bases/README.md` says what is in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// GPT, EFI system partition, ext4 root; 64-bit.
    VirtArm64,
    /// The same, 32-bit.
    VirtArmhf,
    /// Armbian's rockchip64 layout.
    RenegadeLike,
    /// Armbian's sunxi layout, 32-bit.
    BananapiLike,
    /// Armbian's meson64 layout.
    Odroidc2Like,
    /// Raspberry Pi OS Lite's layout.
    RaspiosLike,
}

impl Base {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::VirtArm64,
        Self::VirtArmhf,
        Self::RenegadeLike,
        Self::BananapiLike,
        Self::Odroidc2Like,
        Self::RaspiosLike,
    ];

    /// The name of the folder that describes it, and of the image.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtArm64 => "virt-arm64",
            Self::VirtArmhf => "virt-armhf",
            Self::RenegadeLike => "renegade-like",
            Self::BananapiLike => "bananapi-like",
            Self::Odroidc2Like => "odroidc2-like",
            Self::RaspiosLike => "raspios-like",
        }
    }

    /// The path under which the vendor's server, whose host name comes first, has the image of `board-profiles/`.
    pub fn vendor_path(self) -> Option<&'static str> {
        match self {
            Self::VirtArm64 | Self::VirtArmhf => None,
            Self::RenegadeLike => Some(
                "/dl.armbian.com/renegade/archive/Armbian_26.2.1_Renegade_trixie_current_6.18.8_minimal.img.xz",
            ),
            Self::BananapiLike => Some(
                "/dl.armbian.com/bananapi/archive/Armbian_26.2.1_Bananapi_trixie_current_6.12.68_minimal.img.xz",
            ),
            Self::Odroidc2Like => Some(
                "/dl.armbian.com/odroidc2/archive/Armbian_26.5.1_Odroidc2_trixie_current_6.18.33_minimal.img.xz",
            ),
            Self::RaspiosLike => Some(
                "/downloads.raspberrypi.com/raspios_lite_arm64/images/raspios_lite_arm64-2026-09-15/\
                 2026-09-15-raspios-trixie-arm64-lite.img.xz",
            ),
        }
    }

    /// Whether its partition table is a GPT.
    pub fn has_gpt(self) -> bool {
        matches!(self, Self::VirtArm64 | Self::VirtArmhf)
    }

    /// Whether it stands for an image of Armbian's, which is pinned by checksum file and signature.
    pub fn is_armbian(self) -> bool {
        matches!(self, Self::RenegadeLike | Self::BananapiLike | Self::Odroidc2Like)
    }

    /// The compressed image, made first when it is missing or its recipe has changed.
    pub fn compressed(self) -> PathBuf {
        make_all();
        repository().join(format!("out/bases/{}.img.xz", self.name()))
    }

    /// The file beside [`Base::compressed`] with its sha256, named as the vendor names it.
    pub fn checksum_file(self) -> PathBuf {
        let suffix = if self.is_armbian() { "sha" } else { "sha256" };
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
