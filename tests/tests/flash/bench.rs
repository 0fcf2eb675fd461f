//! An image and a card, and `imgforge flash` between them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use imgforge_tests::{Home, LoopDevice, card_image, has_no_table, succeeds, used_card};

pub(crate) const MIB: u64 = 1 << 20;

/// A home with an image and a card that was used before.
pub(crate) struct Bench {
    pub(crate) home: Home,
    pub(crate) image: PathBuf,
    pub(crate) card: PathBuf,
}

impl Bench {
    /// An image of so many bytes, and a card of so many.
    pub(crate) fn new(image_size: u64, card_size: u64) -> Self {
        let home = Home::new();
        let (image, card) = (home.path().join("k1.img"), home.path().join("card"));
        card_image(&image, image_size);
        used_card(&card, card_size);
        Self { home, image, card }
    }

    /// `imgforge flash` with these words.
    pub(crate) fn flash(&self, words: &[&Path]) -> Command {
        let mut command = self.home.imgforge();
        command.arg("flash").args(words);
        command
    }

    /// The image onto the card, without a question.
    pub(crate) fn flashed(&self) -> Command {
        self.flash(&[&self.image, &self.card, Path::new("--yes")])
    }

    /// The image onto `device`, which no program takes for a card by itself.
    pub(crate) fn forced(&self, device: &Path) -> Command {
        let mut command = self.flash(&[&self.image, device, Path::new("--yes")]);
        command.arg("--force-device").arg(device);
        command
    }

    /// The same text for every home.
    pub(crate) fn plain(&self, said: &str) -> String {
        said.replace(&self.home.path().display().to_string(), "~")
    }

    pub(crate) fn loop_device(&self, options: &[&str]) -> Option<LoopDevice> {
        LoopDevice::over(&self.card, options)
    }
}

/// Waits until `is_so`.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Starts `command` and halts it as soon as it has begun with `card`.
pub(crate) fn halted(command: &mut Command, card: &Path) -> Child {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the flash does not begin", || has_no_table(card));
    signal(&child, "STOP");
    child
}

pub(crate) fn signal(child: &Child, name: &str) {
    succeeds(Command::new("kill").args(["-s", name, &child.id().to_string()]));
}

/// bmaptool, which checks every digest of `map` as it reads, takes `card` for an image that the map is of.
pub(crate) fn as_its_map_says(card: &Path, map: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    fs::write(&path, map).unwrap();
    let mut copy = Command::new("bmaptool");
    succeeds(copy.arg("copy").arg("--bmap").arg(path).arg(card).arg(folder.path().join("copy")));
}

/// The last block that the map beside `image` has, in bytes.
pub(crate) fn last_of_map(image: &Path) -> u64 {
    let map = fs::read_to_string(format!("{}.bmap", image.display())).unwrap();
    let blocks = map.lines().rfind(|line| line.contains("<Range")).unwrap();
    let blocks = blocks.split_once('>').unwrap().1.split_once('<').unwrap().0.trim();
    let last: u64 = blocks.rsplit('-').next().unwrap().parse().unwrap();
    last * 4096
}
