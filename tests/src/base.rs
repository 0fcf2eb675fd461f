//! The base images that `make base` leaves in `out/bases`.

use std::fs;
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
    /// The same for ARMv6, of Debian's soft-float packages: for boots outside CI.
    RaspiosArmv6Like,
    /// Raspberry Pi OS with NetworkManager and cloud-init, outside CI, too.
    RaspiosFullLike,
    /// Armbian with netplan, outside CI, too.
    RenegadeFullLike,
    /// Armbian's sunxi layout with the boot loader of a machine that QEMU has: for boots outside CI.
    OrangepipcLike,
    /// The same for another machine.
    CubieboardLike,
    /// Armbian's rockchip64 layout with a GPT, outside CI, too.
    RenegadeGptLike,
}

impl Base {
    /// Those that `make base` makes.
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
            Self::RaspiosArmv6Like => "raspios-armv6-like",
            Self::RaspiosFullLike => "raspios-full-like",
            Self::RenegadeFullLike => "renegade-full-like",
            Self::OrangepipcLike => "orangepipc-like",
            Self::CubieboardLike => "cubieboard-like",
            Self::RenegadeGptLike => "renegade-gpt-like",
        }
    }

    /// The base that has the layout of the image for `board`, a name of `board-profiles/`.
    pub fn of(board: &str) -> Option<Self> {
        match board {
            "rk3328" | "rock64" => Some(Self::RenegadeLike),
            "bananapi-m1" | "cubieboard1" | "cubieboard2" | "orangepi-pc" => Some(Self::BananapiLike),
            "odroid-c2" | "odroid-c4" => Some(Self::Odroidc2Like),
            "nanopi-k1-plus" => Some(Self::RenegadeLike),
            "rpi1" | "rpi3" | "rpi4" | "rpi5" | "rpi-zero2w" => Some(Self::RaspiosLike),
            "virt-arm64" => Some(Self::VirtArm64),
            "virt-armhf" => Some(Self::VirtArmhf),
            _ => None,
        }
    }

    /// Whether its partition table is a GPT.
    pub fn has_gpt(self) -> bool {
        matches!(self, Self::VirtArm64 | Self::VirtArmhf | Self::RenegadeGptLike)
    }

    /// Whether it stands for an image of Armbian's, which is pinned by checksum file and signature.
    pub fn is_armbian(self) -> bool {
        !matches!(
            self,
            Self::VirtArm64
                | Self::VirtArmhf
                | Self::RaspiosLike
                | Self::RaspiosArmv6Like
                | Self::RaspiosFullLike
        )
    }

    /// The compressed image, made first when it is missing or its recipe has changed.
    pub fn compressed(self) -> PathBuf {
        self.made("img.xz")
    }

    /// The file beside [`Base::compressed`] with its sha256, named as the vendor names it.
    pub fn checksum_file(self) -> PathBuf {
        self.made(if self.is_armbian() { "img.xz.sha" } else { "img.xz.sha256" })
    }

    /// The sha256 of [`Base::compressed`], as that file has it.
    pub fn sha256(self) -> String {
        let line = fs::read_to_string(self.checksum_file()).expect("a base has its checksum beside it");
        line.split(' ').next().expect("a digest").to_owned()
    }

    /// The image itself, sparse; not to be written to.
    pub fn image(self) -> PathBuf {
        self.made("img")
    }

    /// The file with this ending, after making it if that is due.
    fn made(self, ending: &str) -> PathBuf {
        static ALL_MADE: Once = Once::new();
        if Self::ALL.contains(&self) {
            ALL_MADE.call_once(|| make(&[]));
        } else {
            make(&[self.name()]);
        }
        repository().join(format!("out/bases/{}.{ending}", self.name()))
    }
}

/// Makes the bases of these names, or those of [`Base::ALL`]; the script itself keeps other processes out.
fn make(names: &[&str]) {
    let status = Command::new(repository().join("scripts/make-base"))
        .args(names)
        .status()
        .expect("scripts/make-base can be run");
    assert!(status.success(), "scripts/make-base: {status}");
}
