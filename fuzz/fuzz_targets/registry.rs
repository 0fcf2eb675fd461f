#![no_main]

#[path = "../targets/documents.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    targets::registry(bytes);
});
