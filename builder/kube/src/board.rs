//! What the rules need to know of a board. Profiles have more; `imgforge` hands over this much.

use std::fmt;

/// Instruction set a board runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// 64-bit, ARMv8-A or newer.
    Arm64,
    /// 32-bit ARMv7-A with hard float: Debian's armhf.
    Armv7,
    /// 32-bit ARMv6 with VFPv2: Raspberry Pi 1 and Zero.
    Armv6,
}

impl Architecture {
    /// Whether registers are 32 bits wide.
    pub fn is_32_bit(self) -> bool {
        self != Architecture::Arm64
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Architecture::Arm64 => "arm64",
            Architecture::Armv7 => "armv7",
            Architecture::Armv6 => "armv6",
        })
    }
}

/// The hardware of a board, as far as Kubernetes is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardFacts {
    /// Instruction set.
    pub architecture: Architecture,
    /// CPU cores.
    pub cores: u32,
    /// Memory in MiB.
    pub memory: u32,
}
