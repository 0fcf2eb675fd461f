#![no_main]

#[path = "../mutate.rs"]
mod mutate;
#[path = "../targets/disk_seal.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod seal;
#[path = "../targets/disk.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    targets::table(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let places = seal::table_places(&data[..size]);
    let size = mutate::in_place(data, size, max_size, seed, &places);
    if mutate::is_sealed(seed) {
        seal::seal_table(&mut data[..size]);
    }
    size
});
