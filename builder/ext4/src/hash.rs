//! The hashes by which directories are indexed: legacy, half MD4 and TEA, over signed or unsigned bytes.
//!
//! <https://docs.kernel.org/filesystems/ext4/directory.html#hash-tree-directories>

/// Values from here on are reserved for the end of a directory.
const END_OF_DIRECTORY: u32 = 0xffff_fffe;

/// The algorithm, by the number that superblock and index root hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Legacy,
    HalfMd4,
    Tea,
}

impl Algorithm {
    /// `s_def_hash_version`: 3 to 5 are the unsigned forms of 0 to 2.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Legacy, Self::HalfMd4, Self::Tea].get(usize::from(number % 3)).copied().filter(|_| number < 6)
    }

    /// What the index root holds, which never tells signedness.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Legacy => 0,
            Self::HalfMd4 => 1,
            Self::Tea => 2,
        }
    }
}

/// How names are hashed in one file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hasher {
    pub(crate) algorithm: Algorithm,
    pub(crate) unsigned: bool,
    /// `s_hash_seed`; all zero stands for the default.
    pub(crate) seed: [u32; 4],
}

/// The initial state of MD4.
const DEFAULT_SEED: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

impl Hasher {
    /// Major hash (lowest bit clear: it marks continued hashes in an index) and minor hash of `name`.
    pub(crate) fn hash(&self, name: &[u8]) -> (u32, u32) {
        let seed = if self.seed == [0; 4] { DEFAULT_SEED } else { self.seed };
        let (major, minor) = match self.algorithm {
            Algorithm::Legacy => (self.legacy(name), 0),
            Algorithm::HalfMd4 => {
                let state = chunks(name, 32)
                    .fold(seed, |state, (part, left)| half_md4(state, &self.words::<8>(part, left)));
                (state[1], state[2])
            }
            Algorithm::Tea => {
                let state = chunks(name, 16)
                    .fold(seed, |state, (part, left)| tea(state, &self.words::<4>(part, left)));
                (state[0], state[1])
            }
        };
        let major = major & !1;
        (if major == END_OF_DIRECTORY { END_OF_DIRECTORY - 2 } else { major }, minor)
    }

    fn byte(&self, byte: u8) -> u32 {
        if self.unsigned { byte.into() } else { i32::from(byte as i8) as u32 }
    }

    fn legacy(&self, name: &[u8]) -> u32 {
        let (mut hash, mut previous) = (0x12a3_fe2du32, 0x37ab_e8f9u32);
        for byte in name {
            let mut next = previous.wrapping_add(hash ^ self.byte(*byte).wrapping_mul(7_152_373));
            if next & 0x8000_0000 != 0 {
                next = next.wrapping_sub(0x7fff_ffff);
            }
            (previous, hash) = (hash, next);
        }
        hash << 1
    }

    /// The next `N` words of input: four bytes each, big end first, filled up with the length of what is `left`.
    fn words<const N: usize>(&self, part: &[u8], left: usize) -> [u32; N] {
        let pad = (left as u32 & 0xff) * 0x0101_0101;
        let mut words = [pad; N];
        for (word, bytes) in words.iter_mut().zip(part.chunks(4)) {
            *word = bytes.iter().fold(pad, |value, byte| self.byte(*byte).wrapping_add(value << 8));
        }
        words
    }
}

/// Parts of `size` bytes, each with the count of bytes from its beginning to the end of the name.
fn chunks(name: &[u8], size: usize) -> impl Iterator<Item = (&[u8], usize)> {
    name.chunks(size).enumerate().map(move |(i, part)| (part, name.len() - i * size))
}

fn tea(state: [u32; 4], key: &[u32; 4]) -> [u32; 4] {
    let [mut left, mut right, ..] = state;
    let mut sum = 0u32;
    let half = |word: u32, sum: u32, a: u32, b: u32| {
        (word << 4).wrapping_add(a) ^ word.wrapping_add(sum) ^ (word >> 5).wrapping_add(b)
    };
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9e37_79b9);
        left = left.wrapping_add(half(right, sum, key[0], key[1]));
        right = right.wrapping_add(half(left, sum, key[2], key[3]));
    }
    [state[0].wrapping_add(left), state[1].wrapping_add(right), state[2], state[3]]
}

/// The rounds of MD4 cut to eight steps each: mixing function, constant, order of input words, rotations.
type Mix = fn(u32, u32, u32) -> u32;
const ROUNDS: [(Mix, u32, [usize; 8], [u32; 4]); 3] = [
    (|x, y, z| z ^ (x & (y ^ z)), 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]),
    (|x, y, z| (x & y).wrapping_add((x ^ y) & z), 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]),
    (|x, y, z| x ^ y ^ z, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]),
];

fn half_md4(state: [u32; 4], input: &[u32; 8]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    for (mix, constant, order, rotations) in ROUNDS {
        for (word, rotation) in order.into_iter().zip(rotations.into_iter().cycle()) {
            let sum = a.wrapping_add(mix(b, c, d)).wrapping_add(input[word]).wrapping_add(constant);
            (a, b, c, d) = (d, sum.rotate_left(rotation), b, c);
        }
    }
    [state[0].wrapping_add(a), state[1].wrapping_add(b), state[2].wrapping_add(c), state[3].wrapping_add(d)]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const SEED: &str = "01234567-89ab-cdef-0123-456789abcdef";
    const SEED_WORDS: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x6745_2301, 0xefcd_ab89];

    /// What debugfs makes of a name: "Hash of x is 0xmajor (minor 0xminor)".
    fn debugfs_hash(algorithm: &str, name: &str) -> (u32, u32) {
        let request = format!("dx_hash -h {algorithm} -s {SEED} {name}");
        let output = Command::new("debugfs").args(["-R", &request]).output().expect("debugfs is installed");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut numbers = text.rsplit("0x").map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_hexdigit).collect();
            u32::from_str_radix(&digits, 16).unwrap()
        });
        let minor = numbers.next().unwrap();
        (numbers.next().unwrap(), minor)
    }

    #[test]
    fn signedness_matters_beyond_ascii_only() {
        for algorithm in [Algorithm::Legacy, Algorithm::HalfMd4, Algorithm::Tea] {
            let [signed, unsigned] =
                [false, true].map(|unsigned| Hasher { algorithm, unsigned, seed: SEED_WORDS });
            assert_eq!(signed.hash(b"bash"), unsigned.hash(b"bash"));
            assert_ne!(signed.hash(b"\xff\x80bash"), unsigned.hash(b"\xff\x80bash"));
        }
    }

    #[test]
    fn hashes_are_those_of_debugfs() {
        let long = "a-name-of-more-than-thirty-two-bytes-which-takes-two-rounds-of-half-md4".to_owned();
        let names = ["a", "bash", "libc.so.6", "exactly-sixteen-", "grüße", &long];
        let algorithms =
            [("legacy", Algorithm::Legacy), ("half_md4", Algorithm::HalfMd4), ("tea", Algorithm::Tea)];
        for (number, algorithm) in algorithms {
            let hasher = Hasher { algorithm, unsigned: false, seed: SEED_WORDS };
            for name in names {
                assert_eq!(hasher.hash(name.as_bytes()), debugfs_hash(number, name), "{number} {name}");
            }
        }
    }
}
