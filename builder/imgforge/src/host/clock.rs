//! The one look at the machine's clock: whether keys and signatures are in force. No output depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; `None` on a machine that believes to be before it.
#[expect(clippy::disallowed_methods, reason = "a signature is valid at a time")]
pub fn now() -> Option<u64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}
