#![no_main]

#[path = "../targets/ext4.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|image: &[u8]| {
    target::exercise(image.to_vec());
});
