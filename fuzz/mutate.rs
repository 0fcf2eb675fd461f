//! Mutations that leave what is not damaged in its place: bytes that came or went would move every structure behind them.

use std::ops::Range;

/// Damages one of `places`, chosen by `seed`; one time in eight, or if there is none, any of the input, whose size may
/// change then. Gives the new size.
pub fn in_place(data: &mut [u8], size: usize, max_size: usize, seed: u32, places: &[Range<usize>]) -> usize {
    let seed = seed as usize;
    match places.get(seed / 8 % places.len().max(1)) {
        Some(place) if seed % 8 != 0 && place.end <= size => {
            libfuzzer_sys::fuzzer_mutate(&mut data[place.clone()], place.len(), place.len());
            size
        }
        _ => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}

/// Whether wrong checksums are to be put right after the mutation of `seed`: one time in four they are left, for what
/// finds them.
pub fn is_sealed(seed: u32) -> bool {
    seed % 4 != 3
}
