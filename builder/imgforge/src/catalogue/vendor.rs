//! Vendors: what all images of one have in common, as data.

use std::collections::BTreeMap;

use imgforge_debian::Fingerprint;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use imgforge_spec::ImagePath;

/// What all images of a vendor have in common.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vendor {
    /// Name used in profiles; the file's name without `.yaml`.
    pub vendor: String,
    /// Full name.
    pub name: String,
    /// Files that are in all of its images; of several vendors that have all of theirs in one image, the one with the most is taken
    /// for its vendor. Nothing but `boards new` asks.
    #[serde(default)]
    pub(crate) recognised_by: Vec<ImagePath>,
    /// Files that none of its images has: those of systems that others make from it.
    #[serde(default)]
    pub(crate) not_recognised_by: Vec<ImagePath>,
    /// What its images call their system: `ID=` of os-release(5). Without any, it does not matter.
    #[serde(default)]
    pub(crate) os_ids: Vec<String>,
    /// Where the kernel's command line is written.
    pub(crate) command_line: CommandLine,
    /// Words taken out of it, if its images have them; `*` stands for any run of characters.
    #[serde(default)]
    pub(crate) remove_kernel_arguments: Vec<String>,
    /// Words added to it where the node runs Kubernetes.
    #[serde(default)]
    pub(crate) kubernetes_kernel_arguments: Vec<String>,
    /// Where the firmware or the boot loader is told what it is to do, if it is.
    #[serde(default)]
    pub(crate) firmware: Option<Firmware>,
    /// Whose signatures on images count.
    #[serde(default)]
    pub(crate) image_signers: Vec<Signer>,
}

/// A file with settings of the firmware or the boot loader, a line `key=value` each.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Firmware {
    /// The file system it is in.
    pub volume: BootVolume,
    /// Its path.
    pub file: String,
    /// The key of device-tree overlays.
    pub overlays: String,
    /// How they, and other settings, stand in it.
    pub form: OverlayForm,
    /// The file system that the overlays are in.
    pub overlay_volume: BootVolume,
    /// The files of the overlays; each component may hold `*`.
    pub overlay_files: Vec<String>,
    /// How many characters of a line are read, if not all.
    #[serde(default)]
    pub longest_line: Option<usize>,
    /// Keys that are not a node's to set, each with what to do instead.
    #[serde(default)]
    pub reserved: BTreeMap<String, String>,
}

/// How settings stand in a file of the firmware's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum OverlayForm {
    /// A line for each overlay; the file has sections, of which one is for every board, and later lines count: Raspberry Pi's
    /// `config.txt`.
    Section {
        /// The line that begins it.
        header: String,
    },
    /// All overlays are words of one line, and a key has one line: Armbian's `armbianEnv.txt`.
    Words,
}

/// Somebody whose signature on an image counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Signer {
    /// Who it is.
    pub name: String,
    /// The primary key's fingerprint: 40 hexadecimal digits. It alone decides; where the key comes from does not matter.
    #[serde(deserialize_with = "fingerprint")]
    #[schemars(with = "String")]
    pub(crate) fingerprint: Fingerprint,
    /// Where the key can be had, unless it lies in `keys/` beside the profiles.
    #[serde(default)]
    pub(crate) key_url: Option<String>,
}

/// A file that holds the kernel's command line.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CommandLine {
    /// The file system it is in.
    pub volume: BootVolume,
    /// Its path; the last component may hold `*` for "each file that fits".
    pub file: String,
    /// How the words stand in it.
    pub(crate) form: CommandLineForm,
}

/// The file system a boot file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BootVolume {
    /// The FAT boot partition.
    Boot,
    /// The root file system.
    Root,
}

/// How the words of the command line stand in their file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum CommandLineForm {
    /// The file is the command line, on one line: Raspberry Pi's `cmdline.txt`.
    Line,
    /// The value of a key, `key=words`: `extraargs` in Armbian's `armbianEnv.txt`.
    Assignment {
        /// The key.
        key: String,
    },
    /// The rest of a line that begins with a word, as `options` in a boot loader entry.
    Field {
        /// The word.
        key: String,
    },
}

/// Reads the fingerprint of a key.
fn fingerprint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fingerprint, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}
