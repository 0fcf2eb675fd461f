#![no_main]

#[path = "../mutate.rs"]
mod mutate;
#[path = "../targets/ext4_seal.rs"]
mod seal;
#[path = "../targets/ext4.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|image: &[u8]| {
    target::exercise(image.to_vec());
});

// The superblock, or a stretch of some block's beginning.
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let chosen = seed as usize / 8;
    let at = if seed % 8 == 1 { 1024 } else { chosen % (size / 1024).max(1) * 1024 };
    let place = at..at + [4, 16, 128, 512][chosen / 128 % 4];
    let size = mutate::in_place(data, size, max_size, seed, &[place]);
    if mutate::is_sealed(seed) {
        let mut image = data[..size].to_vec();
        seal::reseal(&mut image);
        data[..size].copy_from_slice(&image);
    }
    size
});
