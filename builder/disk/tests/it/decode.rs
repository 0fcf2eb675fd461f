//! Images as vendors pack them, packed by the tools the vendors use.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use imgforge_disk::{
    Error,
    decode::{Decoded, Format, Options, decode},
};

use crate::tools::{Scratch, image, run, sha256sum, threads};

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
fn progress_counts_up_to_the_image() {
    let scratch = packed("xz", &["-k", "-0", "-T2", "--block-size=300000"], "base.img.xz");
    let seen = std::cell::RefCell::new(Vec::new());
    let progress = |bytes| seen.borrow_mut().push(bytes);
    decode(&scratch.path("base.img.xz"), &scratch.path("decoded"), &options(), &progress).unwrap();
    let seen = seen.into_inner();
    assert!(seen.is_sorted() && seen.len() > 5);
    assert_eq!(seen.last(), Some(&(SIZE as u64)));
}
