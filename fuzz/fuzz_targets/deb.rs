#![no_main]

#[path = "../mutate.rs"]
mod mutate;
#[path = "../targets/debian_seal.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod seal;
#[path = "../targets/debian.rs"]
#[allow(dead_code, reason = "each program uses its own part")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    targets::deb(bytes);
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let places = seal::deb_places(&data[..size]);
    let size = mutate::in_place(data, size, max_size, seed, &places);
    if mutate::is_sealed(seed) {
        seal::seal_deb(&mut data[..size]);
    }
    size
});
