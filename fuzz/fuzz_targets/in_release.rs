#![no_main]

#[path = "../targets/debian.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod targets;

/// An armoured keyring, and after it the file.
const START: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(at) = bytes.windows(START.len()).position(|window| window == START) {
        let (keyring, file) = bytes.split_at(at);
        targets::in_release(keyring, file, 1_700_001_000);
    }
});
