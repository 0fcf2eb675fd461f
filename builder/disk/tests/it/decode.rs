//! Images as vendors pack them, packed by the tools the vendors use.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use imgforge_disk::{
    Content, Error, FileContent,
    decode::{Decoded, Format, Options, decode, decode_nameless, image_size},
};

use crate::tools::{Scratch, image, run, sha256sum, threads, try_run};

const SIZE: usize = 5_000_000;

fn options() -> Options {
    Options { threads: threads(2), limit: None }
}

fn decoded(scratch: &Scratch, source: &Path) -> Result<Decoded, Error> {
    decode(source, &scratch.path("decoded"), &options(), &|_| {})
}

fn message(scratch: &Scratch, source: &Path) -> String {
    let error = decoded(scratch, source).unwrap_err();
    assert!(matches!(error, Error::Corrupt(_) | Error::Unsupported(_)), "{error:?}");
    error.to_string()
}

/// A scratch directory with `base.img` and a packed form of it.
fn packed(program: &str, arguments: &[&str], name: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("base.img", &image(SIZE));
    let base = scratch.arg("base.img");
    run(program, &[arguments, &[base.as_str()]].concat());
    assert!(scratch.path(name).exists(), "{program} makes {name}");
    scratch
}

fn check(program: &str, arguments: &[&str], name: &str, format: Format) {
    let scratch = packed(program, arguments, name);
    let result = decoded(&scratch, &scratch.path(name)).unwrap();
    let image = image(SIZE);
    assert!(fs::read(scratch.path("decoded")).unwrap() == image, "{program} {arguments:?}");
    assert_eq!(result.format, format);
    assert_eq!(result.image_size, SIZE as u64);
    assert_eq!(result.source_size, fs::metadata(scratch.path(name)).unwrap().len());
    assert_eq!(result.source_sha256.to_string(), sha256sum(&scratch.path(name)));
    assert_eq!(result.image_sha256.to_string(), sha256sum(&scratch.path("decoded")));
}

#[test]
fn formats_of_vendors_decode_to_the_image() {
    check("xz", &["-k", "-6"], "base.img.xz", Format::Xz);
    check("xz", &["-k", "-0", "-T2", "--block-size=300000"], "base.img.xz", Format::Xz);
    check("xz", &["-k", "-1", "-T2", "--block-size=1MiB", "-Csha256"], "base.img.xz", Format::Xz);
    check("xz", &["-k", "-1", "--block-size=1MiB", "-Cnone"], "base.img.xz", Format::Xz);
    check("gzip", &["-k"], "base.img.gz", Format::Gzip);
    check("zstd", &["-q", "-3"], "base.img.zst", Format::Zstandard);
    check("touch", &[], "base.img", Format::Raw);
}

#[test]
fn the_format_is_told_by_content_not_by_name() {
    let scratch = packed("xz", &["-k", "-0"], "base.img.xz");
    fs::rename(scratch.path("base.img.xz"), scratch.path("download")).unwrap();
    assert_eq!(decoded(&scratch, &scratch.path("download")).unwrap().format, Format::Xz);
}

#[test]
fn streams_after_each_other_are_one_image() {
    for (program, arguments, ending) in [
        ("xz", ["-k", "-0"].as_slice(), "xz"),
        ("xz", ["-k", "-0", "--block-size=100000", "-T2"].as_slice(), "xz"),
        ("gzip", ["-k"].as_slice(), "gz"),
        ("zstd", ["-q"].as_slice(), "zst"),
    ] {
        let scratch = packed(program, arguments, &format!("base.img.{ending}"));
        let once = fs::read(scratch.path(&format!("base.img.{ending}"))).unwrap();
        let twice = scratch.write("twice", &[once.clone(), once].concat());
        decoded(&scratch, &twice).unwrap();
        assert!(
            fs::read(scratch.path("decoded")).unwrap() == image(SIZE).repeat(2),
            "{program} {arguments:?}"
        );
    }
}

/// What `zstd -dc` makes of `bytes` and what we do; they must be the same.
fn as_zstd_does(scratch: &Scratch, bytes: &[u8]) {
    let source = scratch.write("parts.zst", bytes);
    let result = decoded(scratch, &source).unwrap();
    assert_eq!(result.format, Format::Zstandard);
    run("zstd", &["-dqf", &scratch.arg("parts.zst"), "-o", &scratch.arg("oracle")]);
    let oracle = fs::read(scratch.path("oracle")).unwrap();
    assert!(!oracle.is_empty() && fs::read(scratch.path("decoded")).unwrap() == oracle);
    let said = image_size(&FileContent::open(&source).unwrap());
    assert_eq!(said, Some(oracle.len() as u64));
}

#[test]
fn frames_that_zstd_skips_are_skipped() {
    let scratch = packed("zstd", &["-q", "--check"], "base.img.zst");
    let frame = fs::read(scratch.path("base.img.zst")).unwrap();
    let skipped = [b"\x5E\x2A\x4D\x18\x04\0\0\0abcd".as_slice(), b"\x50\x2A\x4D\x18\0\0\0\0"].concat();
    as_zstd_does(&scratch, &[skipped.as_slice(), &frame].concat());
    as_zstd_does(&scratch, &[frame.as_slice(), &skipped].concat());
    as_zstd_does(&scratch, &[frame.as_slice(), &skipped, &frame, &frame].concat());
    as_zstd_does(&scratch, &[skipped.repeat(20).as_slice(), &frame].concat());

    run("pzstd", &["-q", "-p2", "-1", &scratch.arg("base.img"), "-o", &scratch.arg("parallel.zst")]);
    let parallel = fs::read(scratch.path("parallel.zst")).unwrap();
    assert!(zstd_skips(&parallel), "pzstd writes skippable frames");
    let result = decoded(&scratch, &scratch.path("parallel.zst")).unwrap();
    assert!(fs::read(scratch.path("decoded")).unwrap() == image(SIZE));
    assert_eq!(result.image_size, SIZE as u64);

    // Longer than the file: cut off. Nothing but skippable frames: no image.
    let cut = [frame.as_slice(), &skipped[..10]].concat();
    assert!(message(&scratch, &scratch.write("cut", &cut)).contains("cut off"));
    assert!(message(&scratch, &scratch.write("none", &skipped)).contains("empty"));
}

fn zstd_skips(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x50\x2A\x4D\x18")
}

#[test]
fn padding_between_streams_is_passed_over() {
    let xz = fs::read(packed("xz", &["-k", "-0"], "base.img.xz").path("base.img.xz")).unwrap();
    let gz = fs::read(packed("gzip", &["-k"], "base.img.gz").path("base.img.gz")).unwrap();
    let scratch = Scratch::new();
    for (tool, bytes) in [
        ("xz", [xz.as_slice(), &[0; 8], &xz, &[0; 400]].concat()),
        ("gzip", [gz.as_slice(), &gz, &[0; 1000]].concat()),
    ] {
        let path = scratch.write("parts", &bytes);
        decoded(&scratch, &path).unwrap();
        let command = format!("{tool} -dc < '{}' > '{}'", path.display(), scratch.arg("oracle"));
        run("sh", &["-c", &command]);
        assert!(fs::read(scratch.path("decoded")).unwrap() == fs::read(scratch.path("oracle")).unwrap());
        assert_eq!(fs::metadata(scratch.path("oracle")).unwrap().len(), 2 * SIZE as u64, "{tool}");
    }
}

#[test]
fn the_size_of_the_image_is_told_before_it_is_decoded() {
    let said = |program: &str, arguments: &[&str], name: &str| {
        let scratch = packed(program, arguments, name);
        image_size(&FileContent::open(&scratch.path(name)).unwrap())
    };
    assert_eq!(said("touch", &[], "base.img"), Some(SIZE as u64));
    assert_eq!(said("xz", &["-k", "-0", "-T2", "--block-size=1MiB"], "base.img.xz"), Some(SIZE as u64));
    for arguments in [["-q", "-1"], ["-q", "--no-check"], ["-q", "--ultra"]] {
        assert_eq!(said("zstd", &arguments, "base.img.zst"), Some(SIZE as u64));
    }
    assert_eq!(said("zstd", &["-q", "--no-content-size"], "base.img.zst"), None);
    assert_eq!(said("gzip", &["-k"], "base.img.gz"), None);

    // A limit is held against it before work is done.
    let scratch = packed("zstd", &["-q"], "base.img.zst");
    let mut cut = fs::read(scratch.path("base.img.zst")).unwrap();
    cut.truncate(cut.len() - 1);
    cut.push(0);
    let options = Options { limit: Some(1000), ..options() };
    let source = scratch.write("base.img.zst", &cut);
    let error = decode(&source, &scratch.path("decoded"), &options, &|_| {}).unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 1000 }), "{error}");
    assert_eq!(fs::metadata(scratch.path("decoded")).unwrap().len(), 0);
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let scratch = packed("xz", &["-k", "-0", "-T2", "--block-size=200000"], "base.img.xz");
    let results = [1, 2, 5].map(|count| {
        let options = Options { threads: threads(count), limit: None };
        decode(&scratch.path("base.img.xz"), &scratch.path("decoded"), &options, &|_| {}).unwrap()
    });
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn zeros_are_holes() {
    let scratch = Scratch::new();
    let mut image = vec![0; 64 << 20];
    image[40 << 20] = 1;
    scratch.write("base.img", &image);
    run("xz", &["-k", "-0", "-T2", "--block-size=8MiB", &scratch.arg("base.img")]);
    for source in ["base.img", "base.img.xz"] {
        assert_eq!(decoded(&scratch, &scratch.path(source)).unwrap().image_size, 64 << 20);
        let metadata = fs::metadata(scratch.path("decoded")).unwrap();
        assert_eq!(metadata.len(), 64 << 20);
        assert!(metadata.blocks() * 512 < 1 << 20, "{source}: {} blocks", metadata.blocks());
    }
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    for (program, arguments, ending) in [
        ("xz", ["-k", "-0"].as_slice(), "xz"),
        ("xz", ["-k", "-0", "--block-size=100000", "-T2"].as_slice(), "xz"),
        ("gzip", ["-k"].as_slice(), "gz"),
        ("zstd", ["-q"].as_slice(), "zst"),
    ] {
        let scratch = packed(program, arguments, &format!("base.img.{ending}"));
        let whole = fs::read(scratch.path(&format!("base.img.{ending}"))).unwrap();
        for length in [whole.len() / 2, whole.len() - 3] {
            let cut = scratch.write("cut", &whole[..length]);
            let message = message(&scratch, &cut);
            assert!(
                message.contains("cut off") && message.contains(&length.to_string()),
                "{ending}: {message}"
            );
        }
    }
}

#[test]
fn a_file_with_something_behind_it_says_so() {
    for (program, arguments, ending) in [
        ("xz", ["-k", "-0"].as_slice(), "xz"),
        ("xz", ["-k", "-0", "--block-size=100000", "-T2"].as_slice(), "xz"),
        ("gzip", ["-k"].as_slice(), "gz"),
        ("zstd", ["-q"].as_slice(), "zst"),
    ] {
        let scratch = packed(program, arguments, &format!("base.img.{ending}"));
        let mut bytes = fs::read(scratch.path(&format!("base.img.{ending}"))).unwrap();
        let length = bytes.len();
        bytes.extend(b"<html>quota exceeded</html>");
        let message = message(&scratch, &scratch.write("more", &bytes));
        assert!(message.contains("other data behind it"), "{ending}: {message}");
        assert!(message.contains(&length.to_string()), "{ending}: {message}");
    }
}

#[test]
fn one_wrong_byte_is_found() {
    for (program, arguments, ending) in [
        ("xz", ["-k", "-0"].as_slice(), "xz"),
        ("xz", ["-k", "-0", "--block-size=100000", "-T2"].as_slice(), "xz"),
        ("gzip", ["-k"].as_slice(), "gz"),
        ("zstd", ["-q", "--check"].as_slice(), "zst"),
    ] {
        let scratch = packed(program, arguments, &format!("base.img.{ending}"));
        let whole = fs::read(scratch.path(&format!("base.img.{ending}"))).unwrap();
        for at in [whole.len() / 5, whole.len() / 2, whole.len() - 30] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            let damaged = scratch.write("damaged", &bytes);
            assert!(matches!(decoded(&scratch, &damaged), Err(Error::Corrupt(_))), "{ending} at {at}");
        }
    }
}

#[test]
fn an_image_larger_than_expected_is_stopped() {
    for (program, arguments, name) in [
        ("xz", ["-k", "-0"].as_slice(), "base.img.xz"),
        ("xz", ["-k", "-0", "--block-size=100000", "-T2"].as_slice(), "base.img.xz"),
        ("gzip", ["-k"].as_slice(), "base.img.gz"),
    ] {
        let scratch = packed(program, arguments, name);
        let limit = |limit| Options { threads: threads(2), limit: Some(limit) };
        let decode_to = |options| decode(&scratch.path(name), &scratch.path("decoded"), &options, &|_| {});
        assert!(decode_to(limit(SIZE as u64)).is_ok());
        assert!(matches!(decode_to(limit(SIZE as u64 - 1)), Err(Error::TooLarge { .. })), "{name}");
    }
}

#[test]
fn a_zip_gives_its_one_image() {
    let scratch = Scratch::new();
    scratch.write("base.img", &image(SIZE));
    scratch.write("readme.txt", b"hello");
    scratch.write("second.img", b"two");
    let zip = |name: &str, files: &[&str]| {
        let files: Vec<_> = files.iter().map(|file| scratch.arg(file)).collect();
        let arguments: Vec<_> = files.iter().map(String::as_str).collect();
        run("zip", &[["-qj", &scratch.arg(name)].as_slice(), &arguments].concat());
        scratch.path(name)
    };
    let one = zip("one.zip", &["base.img", "readme.txt"]);
    let result = decoded(&scratch, &one).unwrap();
    assert_eq!(result.format, Format::Zip);
    assert!(fs::read(scratch.path("decoded")).unwrap() == image(SIZE));

    let two = message(&scratch, &zip("two.zip", &["base.img", "readme.txt", "second.img"]));
    assert!(two.contains("base.img, second.img") && !two.contains("readme"), "{two}");
    scratch.write("other.txt", b"hello");
    let none = message(&scratch, &zip("none.zip", &["readme.txt", "other.txt"]));
    assert!(none.contains("readme.txt, other.txt"), "{none}");

    let mut bytes = fs::read(&one).unwrap();
    let entry = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[entry + 24] ^= 1;
    let text = message(&scratch, &scratch.write("lies.zip", &bytes));
    assert!(text.contains("says its image has 5000001 bytes"), "{text}");

    let mut bytes = fs::read(&one).unwrap();
    bytes[2000] ^= 1;
    assert!(matches!(decoded(&scratch, &scratch.write("bad.zip", &bytes)), Err(Error::Corrupt(_))));
}

#[test]
fn what_is_no_image_is_named() {
    let scratch = Scratch::new();
    let page = scratch.write("base.img.xz", b"<!DOCTYPE html><p>Not found");
    assert!(message(&scratch, &page).contains("web page"));
    assert!(message(&scratch, &scratch.write("empty.img", b"")).contains("empty"));
    let missing = decoded(&scratch, &scratch.path("missing.img")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }) && missing.to_string().contains("missing.img"), "{missing}");
}

#[test]
fn archives_and_images_of_other_kinds_are_named_with_what_to_do() {
    let scratch = packed("touch", &[], "base.img");
    run("tar", &["-C", &scratch.arg(""), "-cf", &scratch.arg("base.tar"), "base.img"]);
    // The other tools are not everywhere; these are the marks in the formats' specifications.
    scratch.write("base.img.bz2", b"BZh91AY&SY");
    scratch.write("base.img.lz4", b"\x04\x22\x4D\x18\x64\x40\xA7");
    scratch.write("skippable.lz4", b"\x5A\x2A\x4D\x18\x01\0\0\0a\x04\x22\x4D\x18\x64\x40\xA7");
    scratch.write("base.7z", b"7z\xBC\xAF\x27\x1C\0\x04");
    scratch.write("base.rar", b"Rar!\x1A\x07\x01\0");
    scratch.write("base.qcow2", b"QFI\xFB\0\0\0\x03");
    scratch.write("base.vmdk", b"KDMV\x01\0\0\0");
    for (name, kind, advice) in [
        ("base.img.bz2", "bzip2", "bunzip2"),
        ("base.img.lz4", "LZ4", "unlz4"),
        ("skippable.lz4", "LZ4", "unlz4"),
        ("base.tar", "tar archive", "take the image in it"),
        ("base.7z", "7-Zip", "take the image in it"),
        ("base.rar", "RAR", "take the image in it"),
        ("base.qcow2", "qcow", "qemu-img convert -O raw"),
        ("base.vmdk", "VMDK", "qemu-img convert -O raw"),
    ] {
        let error = decoded(&scratch, &scratch.path(name)).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{name}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(kind) && text.contains(advice), "{name}: {text}");
    }
}

#[test]
fn an_image_that_is_packed_twice_is_named() {
    let scratch = packed("xz", &["-k", "-0"], "base.img.xz");
    run("zip", &["-qj", &scratch.arg("twice.zip"), &scratch.arg("base.img.xz")]);
    run("tar", &["-C", &scratch.arg(""), "-cJf", &scratch.arg("base.tar.xz"), "base.img"]);
    for (name, expected) in [("twice.zip", "in the .zip file is a .xz file"), ("base.tar.xz", "tar archive")]
    {
        let error = decoded(&scratch, &scratch.path(name)).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{name}: {error:?}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}

#[test]
fn a_zst_file_that_wants_more_memory_than_zstd_gives_is_unsupported() {
    let scratch = Scratch::new();
    let base = scratch.write("base.img", &image(SIZE));
    let command = format!("zstd -q --long=28 < '{}' > '{}'", base.display(), scratch.arg("long.zst"));
    run("sh", &["-c", &command]);
    assert!(!try_run("zstd", &["-tq", &scratch.arg("long.zst")]).0, "zstd itself refuses it");
    let error = decoded(&scratch, &scratch.path("long.zst")).unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)) && error.to_string().contains("memory"), "{error}");
}

#[test]
fn xz_files_of_the_highest_preset_are_read_and_larger_dictionaries_are_unsupported() {
    // One block and many, so that both ways of decoding see it.
    for block_size in ["--block-size=192MiB", "--block-size=1MiB"] {
        check("xz", &["-k", "-9e", "-T1", block_size], "base.img.xz", Format::Xz);
        let scratch = packed("xz", &["-k", "-T1", "--lzma2=preset=0,dict=96MiB", block_size], "base.img.xz");
        let error = decoded(&scratch, &scratch.path("base.img.xz")).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)) && error.to_string().contains("memory"), "{error}");
    }
}

#[test]
fn an_image_decoded_without_a_name_leaves_nothing_behind() {
    let scratch = packed("xz", &["-k", "-0"], "base.img.xz");
    let folder = scratch.path("folder");
    fs::create_dir(&folder).unwrap();
    let source = scratch.path("base.img.xz");
    let (decoded, content) = decode_nameless(&source, &folder, &options(), &|_| {}).unwrap();
    assert_eq!(decoded.image_size, content.len());
    let mut bytes = vec![0; SIZE];
    content.read_at(0, &mut bytes).unwrap();
    assert!(bytes == image(SIZE));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "while it is read, too");
    let error = decode_nameless(&source, &scratch.path("missing"), &options(), &|_| {}).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn progress_counts_up_to_the_image() {
    let scratch = packed("xz", &["-k", "-0", "-T2", "--block-size=300000"], "base.img.xz");
    let seen = std::cell::RefCell::new(Vec::new());
    let progress = |bytes| seen.borrow_mut().push(bytes);
    decode(&scratch.path("base.img.xz"), &scratch.path("decoded"), &options(), &progress).unwrap();
    let seen = seen.into_inner();
    assert!(seen.is_sorted() && seen.len() > 5);
    assert_eq!(seen.last(), Some(&(SIZE as u64)));
}
