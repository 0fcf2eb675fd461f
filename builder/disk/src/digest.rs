//! SHA-256 digests.

use std::io;

use imgforge_ext4::Content;
pub use imgforge_spec::Sha256;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A digest in the making, and the number of bytes it has seen.
#[derive(Clone, Default)]
pub(crate) struct Hasher {
    state: imgforge_spec::Hasher,
    length: u64,
}

impl Hasher {
    /// As [`update`](Self::update) with `count` zeros, which need not be read from anywhere.
    pub(crate) fn zeros(&mut self, mut count: u64) {
        while count > 0 {
            let part = ZEROS.split_at(count.min(ZEROS.len() as u64) as usize).0;
            self.update(part);
            count -= part.len() as u64;
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.length += bytes.len() as u64;
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn finish(self) -> Sha256 {
        self.state.finish()
    }
}

/// The digest of all of `content`, read in pieces of 1 MiB.
///
/// # Errors
/// What reading it fails with.
pub fn sha256_of(content: &dyn Content) -> io::Result<Sha256> {
    let mut hasher = imgforge_spec::Hasher::default();
    let mut piece = vec![0; (1 << 20).min(content.len() as usize)];
    let mut at = 0;
    while at < content.len() {
        let length = (content.len() - at).min(piece.len() as u64) as usize;
        let part = piece.get_mut(..length).unwrap_or_default();
        content.read_at(at, part)?;
        hasher.update(&*part);
        at += length as u64;
    }
    Ok(hasher.finish())
}
