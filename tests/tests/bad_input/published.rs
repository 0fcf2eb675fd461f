//! A vendor who publishes the small base, a mirror of him that is asked first, and a board whose profile names it.

use std::{path::PathBuf, process::Command};

use crate::bench::{Bench, PROFILE};
use imgforge_tests::{VendorServer, sha256};

/// Where the vendor has the image.
pub const IMAGE: &str = "/vendor/tiny.img.xz";
/// Where a mirror has it.
pub const ON_MIRROR: &str = "/mirror/tiny.img.xz";

/// A vendor and a mirror of it, which is asked first.
pub struct Published {
    /// The bench with the profile.
    pub bench: Bench,
    /// Vendor and mirror.
    pub server: VendorServer,
    /// The image, as published.
    pub file: PathBuf,
}

impl Published {
    /// Both have the base; the profile says what it is.
    pub fn new() -> Self {
        let bench = Bench::new();
        let xz = Command::new("xz").args(["-0", "-c"]).arg(bench.base()).output().expect("xz can be run");
        let file = bench.write("tiny.img.xz", &xz.stdout);
        let server = VendorServer::start();
        for path in [IMAGE, ON_MIRROR] {
            server.add(path, &file);
        }
        let published = Self { bench, server, file };
        published.pin(&format!("sha256: {}", sha256(&published.file)));
        published
    }

    /// Says in the profile what the published file is.
    pub fn pin(&self, pins: &str) {
        let base = format!("base: {{ url: '{}', {pins} }}", self.server.url(IMAGE));
        let lines = PROFILE.lines().map(|line| if line.starts_with("base:") { &base } else { line });
        self.bench.profile(&(lines.collect::<Vec<_>>().join("\n") + "\n"));
    }

    /// A build that may ask the mirror, too.
    pub fn build(&self) -> Command {
        let command = self.bench.build_published();
        let (vendor, mirror) = (self.server.url("/vendor/"), self.server.url("/mirror/"));
        self.bench.write("config.yaml", format!("mirrors: {{ '{vendor}': ['{mirror}'] }}\n").as_bytes());
        command
    }

    /// A file of a server that is not what it should be.
    pub fn lies(&self, path: &str) {
        self.server.add(path, &self.bench.write("lie", b"something else"));
    }

    /// The build refuses, with this exit code and these lines, as [`Bench::verdict`] has it.
    pub fn refuses(&self, code: i32, answer: &[&str]) {
        if let Err(verdict) = self.bench.verdict(self.build(), code, answer) {
            panic!("{verdict}");
        }
    }
}
