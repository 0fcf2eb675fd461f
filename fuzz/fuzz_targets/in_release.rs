#![no_main]

#[path = "../targets/debian.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod targets;

const START: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const NOW: u64 = 1_700_001_000;

// An armoured keyring, and after it the file. No damage is signed: its text is read in any case.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((keyring, file)) = split(bytes, START) else { return };
    targets::in_release(keyring, file, NOW);
    if let Some((_, text)) = split(file, b"\n\n") {
        let text = &text[2..];
        targets::release(split(text, SIGNATURE).map_or(text, |(text, _)| text), NOW);
    }
});

/// What is before `mark`, and what begins with it.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some(bytes.split_at(at))
}
