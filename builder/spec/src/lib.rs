//! What all rooms speak of: values with one type and one rule each, wherever they are read, kept or written.
//!
//! - [`Sha256`] and [`Hex`]: what bytes are known by.
//! - [`Architecture`] and [`BoardFacts`]: what a board can run.
//! - [`Role`], [`Hostname`]: what a node does and what it is called; [`is_dns_name`], [`is_broken_address`]: other names.
//! - [`ImagePath`]: a place in an image's file system, never one of the build machine; [`Octets`]: names there, which
//!   are bytes.
//! - [`User`], [`Mount`], [`Bind`], [`ExtraFile`], [`RunOnce`], [`System`], [`Certificates`], [`Repository`], [`Firmware`], [`Proxy`], [`Wifi`]: what people say of a node, alike in a node's file and in a cluster's.
//! - [`check_authorized_key`]: whether sshd takes a line with a public key; [`KeySource`]: where such lines are published.
//! - [`unfit_kernel_argument`], [`unfit_file`]: what must not be on a kernel's command line, and where no file of a user's can be.
//! - [`plain_path`], [`is_path_in`], [`is_absolute_path`]: what a path's text alone says.
//! - [`Diagnose`]: what an error tells whoever ran into it.
//!
//! ```
//! use imgforge_spec::{Hostname, ImagePath, Sha256};
//!
//! let etcd = ImagePath::new("/var/lib/etcd")?;
//! assert!(etcd.is_below(&ImagePath::new("/var")?));
//! assert_eq!("k8s-master-1".parse::<Hostname>()?.as_str(), "k8s-master-1");
//! assert!(Sha256::of(b"abc").to_string().starts_with("ba7816bf"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod board;
mod certificate;
mod diagnose;
mod extra_file;
mod firmware;
mod hex;
mod hostname;
mod image_path;
mod invalid;
mod kernel_argument;
mod key_source;
mod lexical;
mod mount;
mod octets;
mod proxy;
mod repository;
mod role;
mod run_once;
mod sha256;
mod ssh_key;
mod system;
mod text;
mod user;
mod wifi;

pub use board::{Architecture, BoardFacts, BoardName, InvalidBoardName};
pub use certificate::Certificates;
pub use diagnose::{Class, Diagnose};
pub use extra_file::{ExtraFile, folder_of_ours, unfit_file};
pub use firmware::Firmware;
pub use hex::Hex;
pub use hostname::{Hostname, InvalidHostname, is_broken_address, is_dns_name};
pub use image_path::{ImagePath, InvalidPath};
pub use invalid::Invalid;
pub use kernel_argument::unfit_kernel_argument;
pub use key_source::KeySource;
pub use lexical::{is_absolute_path, is_path_in, plain_path};
pub use mount::{Bind, Layer, Medium, Mount};
pub use octets::Octets;
pub use proxy::{Proxy, host_of, is_url};
pub use repository::Repository;
pub use role::{Role, UnknownRole};
pub use run_once::{RunOnce, check_script, interpreter};
pub use sha256::{Hasher, InvalidSha256, Sha256};
pub use ssh_key::{InvalidKey, check_authorized_key};
pub use system::{Keyboard, System};
pub use user::User;
pub use wifi::Wifi;
