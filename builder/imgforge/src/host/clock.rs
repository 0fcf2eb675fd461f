//! The one look at the machine's clock: whether keys and signatures are in force. No output depends on it. And the time
//! that a build is asked to have.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use imgforge_spec::Diagnose;

/// An environment variable with a value of no use.
#[derive(Debug, thiserror::Error)]
#[error("{NAME}=`{value}` is no number of seconds since 1970")]
pub struct BadEpoch {
    value: String,
}

/// The variable of <https://reproducible-builds.org/specs/source-date-epoch/>.
const NAME: &str = "SOURCE_DATE_EPOCH";

impl Diagnose for BadEpoch {
    fn hint(&self) -> Option<String> {
        Some(format!("unset {NAME}, or give it a number"))
    }
}

/// The time that the environment asks a build to have, in seconds since 1970.
pub(crate) fn source_date_epoch() -> Result<Option<i64>, BadEpoch> {
    let Some(value) = env::var_os(NAME) else { return Ok(None) };
    let value = value.to_string_lossy().into_owned();
    match value.parse::<u32>() {
        Ok(epoch) => Ok(Some(i64::from(epoch))),
        Err(_) => Err(BadEpoch { value }),
    }
}

/// Seconds since 1970; `None` on a machine that believes to be before it.
#[expect(clippy::disallowed_methods, reason = "a signature is valid at a time")]
pub fn now() -> Option<u64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}
