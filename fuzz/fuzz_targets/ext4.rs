#![no_main]

#[path = "../targets/ext4_seal.rs"]
mod seal;
#[path = "../targets/ext4.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|image: &[u8]| {
    target::exercise(image.to_vec());
});

// Most damage stays in its place, since bytes that came or went would move every structure behind them. One time in four
// a wrong checksum is left, for what finds it.
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let seed = seed as usize;
    let size = if seed % 8 == 0 || size < 4096 {
        libfuzzer_sys::fuzzer_mutate(data, size, max_size)
    } else {
        // The superblock, or a stretch of some block's beginning.
        let at = if seed % 8 == 1 { 1024 } else { seed / 8 % (size / 1024) * 1024 };
        let length = [4, 16, 128, 512][seed / 1024 % 4];
        libfuzzer_sys::fuzzer_mutate(&mut data[at..at + length], length, length);
        size
    };
    if seed % 4 != 3 {
        let mut image = data[..size].to_vec();
        seal::reseal(&mut image);
        data[..size].copy_from_slice(&image);
    }
    size
});
