//! Growth.
use crate::{Device, Editor, Error, Result};

impl<D: Device> Editor<D> {
    /// Grows the file system to `size` bytes.
    pub fn grow(&mut self, _size: u64) -> Result<()> {
        Err(Error::Unsupported("not written yet".into()))
    }
}
