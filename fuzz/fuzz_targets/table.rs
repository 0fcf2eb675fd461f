#![no_main]

#[path = "../targets/disk.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    targets::table(bytes);
});
