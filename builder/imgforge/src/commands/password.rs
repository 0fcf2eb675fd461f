//! `imgforge password`: the hash of a password, which is what `password-hash` of a user takes.

use std::{
    io::{self, BufRead, Read},
    sync::PoisonError,
    thread,
    time::Duration,
};

use sha_crypt::{PasswordHasher, ShaCrypt};
use zeroize::Zeroizing;

use crate::{
    build::error::Error,
    host::{console::Console, interrupt},
};

/// Bytes of a salt: 16 characters, as many as crypt(5) reads.
const SALT: usize = 12;

/// More is no password; crypt(5) of glibc takes as many.
const MOST: usize = 511;
const LONG: &str = "it has more than 511 bytes";

/// Runs the command.
pub fn run(console: &Console) -> Result<(), Error> {
    let password = if console.can_ask() { asked()? } else { piped()? };
    let problem = match password.len() {
        0 => Some("it is empty"),
        1..=MOST if password.chars().any(char::is_control) => {
            Some("it has a control character, which nobody can type")
        }
        1..=MOST => None,
        _ => Some(LONG),
    };
    if let Some(problem) = problem {
        return Err(Error::Password { problem });
    }
    let mut salt = [0; SALT];
    let no_randomness = |error: getrandom::Error| failed("get randomness", io::Error::other(error));
    getrandom::fill(&mut salt).map_err(no_randomness)?;
    super::print(console, &format!("{}\n", hash(&password, &salt)?))
}

/// SHA-512, which every system reads whose passwords are in shadow(5).
fn hash(password: &str, salt: &[u8; SALT]) -> Result<String, Error> {
    let hashed = ShaCrypt::SHA512.hash_password_with_salt(password.as_bytes(), salt);
    Ok(hashed.map_err(|error| failed("hash the password", io::Error::other(error)))?.to_string())
}

/// A person types it twice, and sees nothing of it.
fn asked() -> Result<Zeroizing<String>, Error> {
    let ask = |question: &str| {
        let hidden = interrupt::TERMINAL.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = rpassword::prompt_password(question).map(Zeroizing::new);
        drop(hidden);
        answer.map_err(|source| {
            if source.kind() == io::ErrorKind::Interrupted {
                // Ctrl-C: the terminal is as it was, and whoever watches for signals ends the process.
                thread::sleep(Duration::from_secs(2));
            }
            failed("read the password", source)
        })
    };
    let password = ask("Password: ")?;
    if password != ask("Once more: ")? {
        return Err(Error::Password { problem: "the two are not the same" });
    }
    Ok(password)
}

/// The only line of standard input.
fn piped() -> Result<Zeroizing<String>, Error> {
    let mut line = Zeroizing::new(Vec::new());
    let most = MOST as u64 + 3;
    let read = io::stdin().lock().take(most).read_until(b'\n', &mut line);
    read.map_err(|source| failed("read the password from standard input", source))?;
    let more = io::stdin().lock().fill_buf().map_or(0, <[u8]>::len);
    if line.ends_with(b"\n") && more > 0 {
        return Err(Error::Password { problem: "standard input has more than one line" });
    }
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // A long one may be cut in the midst of a character.
    let is_long = line.len() > MOST;
    match String::from_utf8(line.to_vec()) {
        Ok(password) => Ok(Zeroizing::new(password)),
        Err(_) => Err(Error::Password { problem: if is_long { LONG } else { "it is no text in UTF-8" } }),
    }
}

fn failed(what: &str, source: io::Error) -> Error {
    Error::Io { what: what.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl passwd -6 -salt 'rounds=5000$............'` and crypt(3) of glibc say the same.
    #[test]
    fn it_is_the_hash_that_crypt_makes() {
        let hash = hash("correct horse", &[0; SALT]).unwrap();
        assert_eq!(hash.split('$').collect::<Vec<_>>()[..4], ["", "6", "rounds=5000", "................"]);
    }
}
