//! Cards that work, and cards that do not.

use std::{fs, sync::Mutex};

use super::*;

const MIB: usize = 1 << 20;

/// What a card does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It fails at the write with this number.
    Write(usize),
    /// The same, and it is gone.
    Pulled(usize),
    /// It reads another byte at this place than was written.
    Reads(u64),
    /// What is written behind this many bytes lands at the beginning again: a card that is smaller than it says.
    Smaller(u64),
}

/// A card in memory.
struct Card {
    bytes: Mutex<Vec<u8>>,
    fault: Fault,
    /// Every write: where, and how much.
    writes: Mutex<Vec<(u64, usize)>>,
}

impl Card {
    fn of(size: usize, fault: Fault) -> Self {
        // What a card has that was used before.
        Self { bytes: Mutex::new(vec![0xA5; size]), fault, writes: Mutex::default() }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    fn place(&self, at: u64) -> usize {
        match self.fault {
            Fault::Smaller(size) => (at % size) as usize,
            _ => at as usize,
        }
    }
}

impl Medium for Card {
    fn path(&self) -> &Path {
        Path::new("/dev/sdb")
    }

    fn size(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut writes = self.writes.lock().unwrap();
        writes.push((at, bytes.len()));
        if matches!(self.fault, Fault::Write(number) | Fault::Pulled(number) if number < writes.len()) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let place = self.place(at);
        self.bytes.lock().unwrap()[place..place + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let place = self.place(at);
        bytes.copy_from_slice(&self.bytes.lock().unwrap()[place..place + bytes.len()]);
        match self.fault {
            Fault::Reads(wrong) if (at..at + bytes.len() as u64).contains(&wrong) => {
                bytes[(wrong - at) as usize] ^= 1
            }
            _ => {}
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn is_gone(&self) -> bool {
        matches!(self.fault, Fault::Pulled(number) if number < self.writes.lock().unwrap().len())
    }
}

/// An image of 10 MiB whose bytes differ everywhere.
fn image() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..10 * MIB).map(|at| (at / 4096 + at % 251) as u8 | 1).collect();
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes
}

/// The bytes of [`image`] that a card must have: not all, and not a multiple of what is written at once.
const NEEDED: [Range<u64>; 2] = [0..5 * MIB as u64 + 4096, 7 * MIB as u64..10 * MIB as u64];

fn flash(card: &Card) -> Result<u64, Error> {
    let source = Source::disk("k8s-worker-2".into(), std::sync::Arc::new(image()), &NEEDED);
    write(&source, card, &Console::new(true))
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[test]
fn what_is_needed_is_written_and_nothing_else_but_the_end() {
    let card = Card::of(32 * MIB, Fault::None);
    assert_eq!(flash(&card).unwrap(), 8 * MIB as u64 + 4096);
    let (bytes, image) = (card.bytes(), image());
    for range in NEEDED.map(|range| range.start as usize..range.end as usize) {
        assert!(bytes[range.clone()] == image[range]);
    }
    assert!(bytes[5 * MIB + 4096..7 * MIB].iter().all(|byte| *byte == 0xA5), "not needed, so left");
    assert!(bytes[10 * MIB..28 * MIB].iter().all(|byte| *byte == 0xA5), "behind the image");
    assert!(is_zero(&bytes[28 * MIB..]), "where an old backup of a GPT would lie");
}

#[test]
fn the_first_block_is_zeroed_first_and_written_last() {
    let card = Card::of(32 * MIB, Fault::None);
    flash(&card).unwrap();
    let writes = card.writes.lock().unwrap();
    assert_eq!((writes.first(), writes.last()), (Some(&(0, FIRST)), Some(&(0, FIRST))));
    let starts: Vec<u64> = writes[2..writes.len() - 1].iter().map(|(at, _)| *at).collect();
    assert!(starts.is_sorted(), "in order between: {starts:?}");
}

#[test]
fn cut_off_at_any_write_there_is_no_partition_table() {
    let whole = Card::of(32 * MIB, Fault::None);
    flash(&whole).unwrap();
    let writes = whole.writes.lock().unwrap().len();
    for number in 1..writes {
        let card = Card::of(32 * MIB, Fault::Write(number));
        let error = flash(&card).unwrap_err();
        assert!(matches!(error, Error::Unfinished { .. }), "{error:?}");
        assert!(is_zero(&card.bytes()[..FIRST]), "after {number} of {writes} writes");
        // The same card again, whole.
        let again = Card { bytes: Mutex::new(card.bytes()), ..Card::of(0, Fault::None) };
        flash(&again).unwrap();
        assert!(again.bytes()[..5 * MIB] == image()[..5 * MIB]);
    }
}

#[test]
fn a_card_that_was_pulled_out_is_told_from_one_that_fails() {
    let said = |fault| crate::host::console::render(&flash(&Card::of(32 * MIB, fault)).unwrap_err(), None);
    let unfinished =
        "error: /dev/sdb is unfinished: it has no partition table, so nothing boots from it by half\n";
    let cause = "  caused by: Input/output error (os error 5)\n";
    assert_eq!(said(Fault::Write(3)), format!("{unfinished}  caused by: cannot write to /dev/sdb\n{cause}"));
    assert_eq!(
        said(Fault::Pulled(3)),
        format!(
            "{unfinished}  caused by: /dev/sdb went away while it was written: was it pulled out?\n{cause}"
        )
    );
}

#[test]
fn a_byte_that_reads_back_otherwise_is_found_wherever_it_is() {
    for wrong in [0, 4095, 4096, 5 * MIB as u64 + 4095, 10 * MIB as u64 - 1] {
        let card = Card::of(32 * MIB, Fault::Reads(wrong));
        let error = flash(&card).unwrap_err();
        let Error::Unfinished { source, .. } = &error else { panic!("{error:?}") };
        assert!(matches!(&**source, Error::ReadsBack { range, .. } if range.contains(&wrong)), "{source}");
        assert!(is_zero(&card.bytes()[..FIRST]), "{wrong}");
    }
    flash(&Card::of(32 * MIB, Fault::Reads(6 * MIB as u64))).unwrap();
}

#[test]
fn a_card_that_is_smaller_than_it_says_is_found_out() {
    let card = Card::of(32 * MIB, Fault::Smaller(8 * MIB as u64));
    let error = flash(&card).unwrap_err();
    assert!(
        matches!(&error, Error::Unfinished { source, .. } if matches!(**source, Error::ReadsBack { .. }))
    );
}

#[test]
fn a_card_that_is_too_small_is_left_as_it_is() {
    let card = Card::of(10 * MIB - 512, Fault::None);
    let error = flash(&card).unwrap_err();
    assert_eq!(error.to_string(), "/dev/sdb is too small: it has 10485248 bytes, and the image 10485760");
    assert!(card.writes.lock().unwrap().is_empty());
    flash(&Card::of(10 * MIB, Fault::None)).unwrap();
}

/// A file in `folder` with the gzip of `bytes`, whose size it does not say.
fn gzipped(folder: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join("k1.img.gz");
    let raw = folder.join("k1.raw");
    fs::write(&raw, bytes).unwrap();
    let packed = std::process::Command::new("gzip").args(["-1", "-c"]).arg(&raw).output().unwrap();
    fs::write(&path, packed.stdout).unwrap();
    path
}

#[test]
fn an_image_of_unknown_size_goes_onto_a_card_that_is_large_enough() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::file(&gzipped(folder.path(), &image())).unwrap();
    assert_eq!(source.size, None);
    let card = Card::of(10 * MIB, Fault::None);
    write(&source, &card, &Console::new(true)).unwrap();
    assert!(card.bytes() == image());
    let card = Card::of(9 * MIB, Fault::None);
    let error = write(&source, &card, &Console::new(true)).unwrap_err();
    assert!(
        matches!(&error, Error::Unfinished { source, .. } if matches!(**source, Error::Overflow { .. })),
        "{error:?}"
    );
    assert!(is_zero(&card.bytes()[..FIRST]));
}

#[test]
fn an_image_that_is_not_the_one_of_its_map_is_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k1.img");
    fs::write(&path, image()).unwrap();
    let made = std::process::Command::new("bmaptool").arg("create").arg(&path).output().unwrap();
    fs::write(folder.path().join("k1.img.bmap"), made.stdout).unwrap();
    let card = Card::of(32 * MIB, Fault::None);
    write(&Source::file(&path).unwrap(), &card, &Console::new(true)).unwrap();
    assert!(card.bytes()[..10 * MIB] == image());

    let mut altered = image();
    altered[9 * MIB] ^= 1;
    fs::write(&path, &altered).unwrap();
    let card = Card::of(32 * MIB, Fault::None);
    let error = write(&Source::file(&path).unwrap(), &card, &Console::new(true)).unwrap_err();
    assert!(
        matches!(&error, Error::Unfinished { source, .. } if matches!(**source, Error::Altered { .. })),
        "{error:?}"
    );
    assert!(is_zero(&card.bytes()[..FIRST]));

    fs::write(&path, &altered[..10 * MIB - 4096]).unwrap();
    let error = Source::file(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("k1.img has 10481664 bytes, and its block map is of an image of 10485760"),
        "{error}"
    );
    // The same in a compressed file that does not say its size is found in the end.
    fs::remove_file(&path).unwrap();
    let source = Source::file(&gzipped(folder.path(), &image()[..MIB])).unwrap();
    let error = write(&source, &card, &Console::new(true)).unwrap_err();
    assert!(
        matches!(&error, Error::Unfinished { source, .. } if matches!(**source, Error::Size { .. })),
        "{error:?}"
    );
}
