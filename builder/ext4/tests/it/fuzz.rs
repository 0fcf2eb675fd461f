//! The fuzz target on mutations of real images, for a bounded time, from fixed seeds.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    disk::{Disk, PAGE},
    fixture::{
        ARMBIAN, BLOCK_MAPS, BLOCKS_2K, Format, MIB, NO_CHECKSUMS, NO_JOURNAL, SMALL_GROUPS, SMALL_INODES,
        altered_by, debugged, vendor_tree,
    },
};

#[path = "../../../../fuzz/targets/ext4_seal.rs"]
mod seal;
#[path = "../../../../fuzz/targets/ext4.rs"]
mod target;

/// How long one image may keep the editor busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// SplitMix64: small, seeded, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Damages a few of the pages in `metadata`: single bits, whole fields with values that are apt to go wrong, pages
/// taken from elsewhere.
fn mutate(disk: &mut Disk, metadata: &[u64], random: &mut Random) {
    for _ in 0..1 + random.below(6) {
        let page = random.pick(metadata) * PAGE as u64;
        // Most structures lie at the beginning of a page or of the superblock.
        let within = match random.below(3) {
            0 => random.below(128),
            1 => 1024 + random.below(640),
            _ => random.below(PAGE),
        };
        let at = page + (within & !3) as u64;
        match random.below(5) {
            0 => disk.alter(page + within as u64, |byte| byte ^ (1 << random.below(8))),
            1 => disk.alter(page + within as u64, |_| random.next() as u8),
            2 => {
                let value = random.pick(&[0, 1, 2, 7, 11, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, u32::MAX]);
                imgforge_ext4::Device::write_at(disk, at, &value.to_le_bytes()).unwrap();
            }
            3 => {
                // A number from the same page, so that block and inode numbers lead to other structures.
                let field = disk.bytes(page + (random.below(PAGE) & !3) as u64, 4);
                imgforge_ext4::Device::write_at(disk, at, &field).unwrap();
            }
            _ => {
                let copied = disk.bytes(random.pick(metadata) * PAGE as u64, PAGE);
                imgforge_ext4::Device::write_at(disk, page, &copied).unwrap();
            }
        }
    }
}

/// Pages with structures in them: file data of the fixtures is the one thing without any zero byte.
fn metadata(disk: &Disk) -> Vec<u64> {
    disk.pages().filter(|page| disk.bytes(page * PAGE as u64, PAGE).contains(&0)).collect()
}

/// Images with indexed directories, deep extents, block maps, extended attributes in and outside of inodes.
fn bases(formats: &[Format]) -> Vec<Disk> {
    let rich = |format: &Format| {
        let disk = format.make_from(vendor_tree().path());
        let disk = altered_by(&disk, "e2fsck", &["-fyD"]);
        let value = "v".repeat(600);
        let script = format!(
            "ea_set /etc/hostname user.small small\nea_set /etc/hostname user.large {value}\n\
             cd /etc\nmknod fifo p\nmknod device c 4 64\n"
        );
        let disk = debugged(&disk, &script);
        let size = format.size + 3 * MIB;
        disk.enlarged(size)
    };
    formats.iter().map(rich).collect()
}

/// A sealed image is already as it should be: otherwise the damage behind checksums is never met.
#[test]
fn sealing_an_image_that_is_whole_changes_nothing() {
    for base in bases(&[NO_JOURNAL, SMALL_GROUPS, SMALL_INODES, ARMBIAN, BLOCKS_2K]) {
        let mut sealed = base.clone();
        seal::reseal(&mut sealed);
        assert_eq!(sealed.differences(&base), [0; 0]);
    }
}

/// Without damage the target meets none: it would look at nothing else.
#[test]
fn what_is_not_damaged_is_walked_through() {
    for base in bases(&[NO_CHECKSUMS, BLOCK_MAPS, NO_JOURNAL, SMALL_GROUPS, SMALL_INODES, ARMBIAN]) {
        let seen = target::exercise(base);
        assert!(seen.names > 200 && seen.error.is_none(), "{seen:?}");
    }
}

/// Damages copies of the bases until the time is up, one seed after the other. `FUZZ_SECONDS` asks for more time,
/// `FUZZ_SEED` for another first seed.
fn fuzz(formats: &[Format], usual: u64) {
    let asked = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (seconds, first) = (asked("FUZZ_SECONDS").unwrap_or(usual), asked("FUZZ_SEED").unwrap_or(0));
    let (report, reports) = mpsc::channel();
    let bases = bases(formats);
    let worker = thread::spawn(move || {
        let metadata: Vec<Vec<u64>> = bases.iter().map(metadata).collect();
        let end = Instant::now() + Duration::from_secs(seconds);
        for seed in first.. {
            if Instant::now() > end {
                return seed;
            }
            let mut random = Random(seed);
            let which = random.below(bases.len());
            let mut disk = bases[which].clone();
            mutate(&mut disk, &metadata[which], &mut random);
            // One time in four a wrong checksum is left, for what finds it.
            if random.below(4) != 0 {
                seal::reseal(&mut disk);
            }
            report.send(seed).unwrap();
            target::exercise(disk);
        }
        unreachable!("seeds end after the time")
    });
    let mut last = None;
    loop {
        match reports.recv_timeout(PATIENCE) {
            Ok(seed) => last = Some(seed),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("seed {last:?} keeps the editor busy for {PATIENCE:?}")
            }
        }
    }
    match worker.join() {
        Ok(next) => println!("{} images", next - first),
        Err(panic) => {
            eprintln!("seed {last:?} of {formats:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn damage_that_no_checksum_hides() {
    fuzz(
        &[
            NO_CHECKSUMS,
            BLOCK_MAPS.sized(8 * MIB),
            Format { features: "^metadata_csum,^has_journal", ..ARMBIAN },
        ],
        5,
    );
}

#[test]
fn damage_under_checksums() {
    fuzz(&[NO_JOURNAL, SMALL_GROUPS, SMALL_INODES], 3);
}
