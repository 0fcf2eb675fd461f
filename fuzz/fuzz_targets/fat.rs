#![no_main]

#[path = "../mutate.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod mutate;
#[path = "../targets/disk.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    targets::fat(bytes);
});

// The boot sector, or the size of a directory's entry in what follows it: tables and the root.
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let chosen = seed as usize / 8;
    let at = if seed % 8 == 1 { chosen % 2 * 32 } else { chosen % (size.min(40_000) / 32).max(1) * 32 };
    mutate::in_place(data, size, max_size, seed, &[at..at + 32])
});
