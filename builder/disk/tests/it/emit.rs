//! Images emitted in every format, read back by the formats' own tools.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use imgforge_disk::{
    Access, AtomicFile, Device, Disk, FileContent,
    bmap::{Digests, Map},
    decode::{Options, decode},
    emit::{self, ChunkOptions, Origin, RawOptions, Written, XzOptions},
    xz::XzFile,
};

use crate::tools::{Scratch, bytes_of, disk_over, image, run, sha256sum, threads, try_run};

const SIZE: usize = 6 << 20;
const VENDOR_BLOCK: u64 = 1 << 20;

/// A vendor's .img.xz of six blocks, its decoded base, and a disk over it with changes in two blocks and growth.
struct Job {
    scratch: Scratch,
    disk: Disk,
}

impl Job {
    fn new(xz_arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        let mut bytes = image(SIZE);
        bytes[3 << 20..4 << 20].fill(0);
        scratch.write("base.img", &bytes);
        run(
            "xz",
            &[["-k", "-1", "-T2", "--block-size=1MiB"].as_slice(), xz_arguments, &[&scratch.arg("base.img")]]
                .concat(),
        );
        let options = Options { threads: threads(2), limit: None };
        decode(&scratch.path("base.img.xz"), &scratch.path("decoded.img"), &options, &|_| {}).unwrap();
        let mut disk = disk_over(&scratch.path("decoded.img"));
        disk.resize(9 << 20);
        disk.write_at(100, b"patched").unwrap();
        disk.write_at((4 << 20) + 5, &[1; 10_000]).unwrap();
        disk.zero((4 << 20) + 50_000, 9_000).unwrap();
        let placed: std::sync::Arc<dyn imgforge_disk::Content> = std::sync::Arc::new(image(700_000));
        disk.place(7 << 20, &placed, 10_000, 600_001).unwrap();
        Self { scratch, disk }
    }

    fn emit(
        &self,
        name: &str,
        write: impl FnOnce(&Disk, &AtomicFile) -> imgforge_disk::Result<Written>,
    ) -> (Written, PathBuf) {
        let destination = AtomicFile::create(&self.scratch.path(name), Access::Public).unwrap();
        let written = write(&self.disk, &destination).unwrap();
        destination.commit().unwrap();
        let path = self.scratch.path(name);
        assert_eq!(fs::metadata(&path).unwrap().len(), written.size);
        assert_eq!(written.sha256.unwrap().to_string(), sha256sum(&path));
        self.scratch.write("expected", &bytes_of(&self.disk));
        assert_eq!(written.image_sha256.unwrap().to_string(), sha256sum(&self.scratch.path("expected")));
        (written, path)
    }

    fn raw(&self, name: &str, count: usize) -> PathBuf {
        let base = FileContent::open(&self.scratch.path("decoded.img")).unwrap();
        let options = RawOptions { threads: threads(count), origin: Some(Origin::Base(&base)), digest: true };
        self.emit(name, |disk, to| emit::raw(disk, to, &options, &|_| {})).1
    }

    fn xz(&self, name: &str, count: usize, reuse: bool) -> PathBuf {
        let vendor = XzFile::open(FileContent::open(&self.scratch.path("base.img.xz")).unwrap()).unwrap();
        let reuse = reuse.then_some(&vendor);
        let options = XzOptions { threads: threads(count), preset: 1, block_size: VENDOR_BLOCK, reuse };
        self.emit(name, |disk, to| emit::xz(disk, to, &options, &|_| {})).1
    }
}

#[test]
fn a_raw_image_is_the_disk_with_holes() {
    let job = Job::new(&[]);
    let expected = bytes_of(&job.disk);
    assert!(fs::read(job.raw("out.img", 2)).unwrap() == expected);
    let metadata = fs::metadata(job.scratch.path("out.img")).unwrap();
    let zeros = 3 << 20;
    assert!(metadata.blocks() * 512 <= metadata.len() - zeros, "{} blocks", metadata.blocks());

    let options = RawOptions { threads: threads(1), origin: None, digest: true };
    let (_, path) = job.emit("other.img", |disk, to| emit::raw(disk, to, &options, &|_| {}));
    assert!(fs::read(path).unwrap() == expected);
    let destination = AtomicFile::create(&job.scratch.path("quick.img"), Access::Public).unwrap();
    let options = RawOptions { digest: false, ..options };
    assert_eq!(emit::raw(&job.disk, &destination, &options, &|_| {}).unwrap().sha256, None);
    assert!(fs::read(destination.path()).unwrap() == expected);
}

#[test]
fn an_image_is_made_from_another_of_the_same_base() {
    let job = Job::new(&[]);
    let sibling = FileContent::open(&job.raw("sibling.img", 2)).unwrap();
    let mut disk = job.disk.fork();
    // Over data, over a hole, zeros over data, over what only the sibling has; and it grows.
    disk.write_at(70_000, &[5; 100]).unwrap();
    disk.write_at(3 << 20, &[6; 9000]).unwrap();
    disk.zero((1 << 20) + 10, 300_000).unwrap();
    disk.zero((7 << 20) + 4096, 8192).unwrap();
    disk.resize(10 << 20);
    let differs: Vec<_> = disk.touched().collect();
    let other = Job { disk, ..job };
    let origin = Origin::Image { file: &sibling, differs: &differs };
    for origin in [Some(origin), None] {
        let options = RawOptions { threads: threads(2), origin, digest: true };
        let (_, path) = other.emit("other.img", |disk, to| emit::raw(disk, to, &options, &|_| {}));
        assert!(fs::read(path).unwrap() == bytes_of(&other.disk));
    }
}

#[test]
fn an_odd_size_is_padded_to_a_block() {
    let scratch = Scratch::new();
    let disk = Disk::new(std::sync::Arc::new(vec![3; 5000]));
    for (name, format) in [("out.img", 0), ("out.zst", 1), ("out.gz", 2), ("out.xz", 3)] {
        let to = AtomicFile::create(&scratch.path(name), Access::Public).unwrap();
        let chunks = ChunkOptions { threads: threads(2), level: 3 };
        let written = match format {
            0 => emit::raw(
                &disk,
                &to,
                &RawOptions { threads: threads(2), origin: None, digest: true },
                &|_| {},
            ),
            1 => emit::zstd(&disk, &to, &chunks, &|_| {}),
            2 => emit::gzip(&disk, &to, &chunks, &|_| {}),
            _ => emit::xz(
                &disk,
                &to,
                &XzOptions { threads: threads(2), preset: 0, block_size: 1 << 16, reuse: None },
                &|_| {},
            ),
        }
        .unwrap();
        assert_eq!(written.image_size, 8192, "{name}");
    }
}

#[test]
fn an_xz_image_keeps_the_vendors_unchanged_blocks() {
    for check in ["crc32", "crc64", "sha256", "none"] {
        let job = Job::new(&[&format!("-C{check}")]);
        let path = job.xz("out.img.xz", 2, true);
        let out = path.to_str().unwrap();
        run("xz", &["-t", "-T2", out]);
        run("xz", &["-dk", out]);
        assert!(fs::read(job.scratch.path("out.img")).unwrap() == bytes_of(&job.disk), "{check}");

        let open = |name: &str| XzFile::open(FileContent::open(&job.scratch.path(name)).unwrap()).unwrap();
        let (vendor, ours) = (open("base.img.xz"), open("out.img.xz"));
        let bytes = |name: &str, file: &XzFile, block: usize| {
            let range = file.blocks()[block].file_range();
            fs::read(job.scratch.path(name)).unwrap()[range.start as usize..range.end as usize].to_vec()
        };
        let same: Vec<_> = (0..6)
            .filter(|block| bytes("base.img.xz", &vendor, *block) == bytes("out.img.xz", &ours, *block))
            .collect();
        assert!([1, 2, 3, 5].iter().all(|block| same.contains(block)), "{check}: {same:?}");
        assert!(!same.contains(&0) && !same.contains(&4), "{check}: {same:?}");
        // Every block tells its sizes, or xz could not decode in parallel.
        let listed = run("xz", &["-lvv", out]);
        assert_eq!(listed.lines().filter(|line| line.contains("--lzma2")).count(), 9, "{listed}");
        assert!(listed.contains("Sizes in headers:  Yes"), "{listed}");
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let job = Job::new(&[]);
    let chunks = |count| ChunkOptions { threads: threads(count), level: 3 };
    let all = |count: usize| {
        let zst =
            job.emit(&format!("{count}.zst"), |disk, to| emit::zstd(disk, to, &chunks(count), &|_| {})).1;
        let gz = job.emit(&format!("{count}.gz"), |disk, to| emit::gzip(disk, to, &chunks(count), &|_| {})).1;
        let xz = [true, false].map(|reuse| job.xz(&format!("{count}{reuse}.xz"), count, reuse));
        let raw = job.raw(&format!("{count}.img"), count);
        [vec![zst, gz, raw], xz.to_vec()]
            .concat()
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect::<Vec<_>>()
    };
    let one = all(1);
    assert!(all(2) == one);
    assert!(all(5) == one);
}

#[test]
fn zst_and_gz_images_are_read_by_their_tools() {
    let job = Job::new(&[]);
    let options = ChunkOptions { threads: threads(2), level: 3 };
    let (_, zst) = job.emit("out.img.zst", |disk, to| emit::zstd(disk, to, &options, &|_| {}));
    run("zstd", &["-tq", zst.to_str().unwrap()]);
    run("zstd", &["-dq", zst.to_str().unwrap(), "-o", &job.scratch.arg("from-zst")]);
    let (_, gz) = job.emit("out.img.gz", |disk, to| emit::gzip(disk, to, &options, &|_| {}));
    run("gzip", &["-t", gz.to_str().unwrap()]);
    run("gzip", &["-dk", gz.to_str().unwrap()]);
    for name in ["from-zst", "out.img"] {
        assert!(fs::read(job.scratch.path(name)).unwrap() == bytes_of(&job.disk), "{name}");
    }
}

#[test]
fn a_gz_image_is_one_member_that_tells_its_size() {
    // More than one piece, so that pieces are joined.
    let scratch = Scratch::new();
    scratch.write("image", &image(20 << 20));
    let disk = disk_over(&scratch.path("image"));
    let to = AtomicFile::create(&scratch.path("out.img.gz"), Access::Public).unwrap();
    let written = emit::gzip(&disk, &to, &ChunkOptions { threads: threads(2), level: 6 }, &|_| {}).unwrap();
    to.commit().unwrap();
    let out = scratch.arg("out.img.gz");
    run("gzip", &["-t", &out]);
    let listed = run("gzip", &["-lv", &out]);
    assert!(listed.contains(&format!(" {} ", 20 << 20)), "{listed}");

    // Python says where a member ends; nothing may follow it.
    let program = "import sys, zlib\n\
        d = zlib.decompressobj(31)\n\
        image = d.decompress(open(sys.argv[1], 'rb').read())\n\
        assert d.eof and not d.unused_data, 'more than one member'\n\
        assert image == open(sys.argv[2], 'rb').read()\n";
    run("python3", &["-c", program, &out, &scratch.arg("image")]);

    run("gzip", &["-k6n", &scratch.arg("image")]);
    let theirs = fs::metadata(scratch.path("image.gz")).unwrap().len();
    assert!(written.size <= theirs + theirs / 100, "{} bytes, gzip: {theirs}", written.size);
}

#[test]
fn an_image_without_bytes_is_a_gz_file_all_the_same() {
    let scratch = Scratch::new();
    let to = AtomicFile::create(&scratch.path("out.gz"), Access::Public).unwrap();
    let disk = Disk::new(std::sync::Arc::new(Vec::new()));
    emit::gzip(&disk, &to, &ChunkOptions { threads: threads(1), level: 6 }, &|_| {}).unwrap();
    to.commit().unwrap();
    run("gzip", &["-t", &scratch.arg("out.gz")]);
}

#[test]
fn an_image_decodes_to_what_was_emitted() {
    let job = Job::new(&[]);
    let path = job.xz("out.img.xz", 2, true);
    let options = Options { threads: threads(2), limit: None };
    let decoded = decode(&path, &job.scratch.path("again.img"), &options, &|_| {}).unwrap();
    assert_eq!(decoded.image_sha256.to_string(), sha256sum(&job.raw("out.img", 2)));
}

#[test]
fn bmaptool_copies_by_our_map() {
    let job = Job::new(&[]);
    let image = job.raw("out.img", 2);
    let needed = [0..3 << 20, (3 << 20) + 5..(7 << 20) + 4097, (8 << 20)..(8 << 20) + 1];
    let content = FileContent::open(&image).unwrap();
    let map = Map::of(&content, &needed, &Digests::default(), threads(2)).unwrap();
    job.scratch.write("out.img.bmap", map.text.as_bytes());

    let arguments = [
        "copy",
        "--bmap",
        &job.scratch.arg("out.img.bmap"),
        image.to_str().unwrap(),
        &job.scratch.arg("card"),
    ];
    run("bmaptool", &arguments);
    // bmaptool empties a file first, but not a card: there, what the map leaves out stays.
    let mapped = fs::read(job.scratch.path("card")).unwrap();
    let text = fs::read_to_string(job.scratch.path("out.img.bmap")).unwrap();
    let used = copy_by(&text, &fs::read(&image).unwrap(), vec![0xEE; 9 << 20]);
    let expected = bytes_of(&job.disk);
    for range in &needed {
        let range = range.start as usize..range.end as usize;
        assert!(mapped[range.clone()] == expected[range.clone()], "{range:?}");
        assert!(used[range.clone()] == expected[range.clone()], "{range:?}");
    }
    let left_out = (7 << 20) + 8192..8 << 20;
    assert!(used[left_out.clone()].iter().all(|byte| *byte == 0xEE));
    assert!(mapped[left_out].iter().all(|byte| *byte == 0));

    // A map that was tampered with, or an image that does not fit it, is noticed.
    job.scratch.write("out.img.bmap", text.replace("<BlockSize> 4096", "<BlockSize> 8192").as_bytes());
    assert!(!try_run("bmaptool", &arguments).0);
    let mut other = fs::read(&image).unwrap();
    other[200] ^= 1;
    job.scratch.write("out.img", &other);
    job.scratch.write("out.img.bmap", text.as_bytes());
    assert!(!try_run("bmaptool", &arguments).0);
}

/// Writes the ranges of a map over what a card holds.
fn copy_by(map: &str, image: &[u8], mut card: Vec<u8>) -> Vec<u8> {
    for line in map.lines().filter(|line| line.contains("<Range")) {
        let blocks = line.split(['>', '<']).nth(2).unwrap().trim();
        let (first, last) = blocks.split_once('-').unwrap_or((blocks, blocks));
        let range = first.parse::<usize>().unwrap() * 4096..(last.parse::<usize>().unwrap() + 1) * 4096;
        card[range.clone()].copy_from_slice(&image[range]);
    }
    card
}

#[test]
fn every_emitter_tells_how_far_it_has_come() {
    let scratch = Scratch::new();
    let size = 20 << 20;
    scratch.write("image", &image(size));
    let disk = disk_over(&scratch.path("image"));
    let (chunks, xz) = (
        ChunkOptions { threads: threads(2), level: 1 },
        XzOptions { threads: threads(2), preset: 0, block_size: 8 << 20, reuse: None },
    );
    let raw = RawOptions { threads: threads(2), origin: None, digest: true };
    type Emit<'a> = &'a dyn Fn(&AtomicFile, &dyn Fn(u64)) -> imgforge_disk::Result<emit::Written>;
    let emitters: [Emit<'_>; 4] = [
        &|to, progress| emit::raw(&disk, to, &raw, progress),
        &|to, progress| emit::xz(&disk, to, &xz, progress),
        &|to, progress| emit::zstd(&disk, to, &chunks, progress),
        &|to, progress| emit::gzip(&disk, to, &chunks, progress),
    ];
    for emit in emitters {
        let told = std::cell::RefCell::new(Vec::new());
        let to = AtomicFile::create(&scratch.path("out"), Access::Public).unwrap();
        emit(&to, &|at| told.borrow_mut().push(at)).unwrap();
        let told = told.into_inner();
        assert!(told.len() > 2 && told.is_sorted() && told.last() == Some(&(size as u64)), "{told:?}");
    }
}
