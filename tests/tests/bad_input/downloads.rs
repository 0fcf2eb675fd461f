//! Servers that lie, break off, refuse, or have something else.

use std::fs::{self, File};

use crate::{
    bench::{Bench, PROFILE},
    published::{IMAGE, ON_MIRROR, Published},
};
use imgforge_tests::{Fault, sha256, succeeds};

#[test]
fn after_a_mirror_that_lies_the_next_one_is_asked() {
    let published = Published::new();
    published.lies(ON_MIRROR);
    succeeds(&mut published.build());
    assert_eq!(published.server.requests(), [format!("GET {ON_MIRROR}"), format!("GET {IMAGE}")]);
}

#[test]
fn when_all_lie_the_two_hashes_are_told() {
    let published = Published::new();
    published.lies(ON_MIRROR);
    published.lies(IMAGE);
    let (lie, truth) = (sha256(&published.bench.path("lie")), sha256(&published.file));
    let url = published.server.url(IMAGE);
    published.refuses(
        4,
        &[
            &format!("error: {url} has SHA-256 {lie}, but {truth} is pinned"),
            "hint: the vendor replaced the file, or a mirror lies: compare with the vendor's signed checksum",
        ],
    );
}

#[test]
fn a_broken_transfer_goes_on_where_it_broke_off() {
    let published = Published::new();
    published.server.misbehave(ON_MIRROR, &[Fault::CutAfter(1000)]);
    succeeds(&mut published.build());
    assert_eq!(
        published.server.requests(),
        [format!("GET {ON_MIRROR}"), format!("GET {ON_MIRROR} bytes=1000-")]
    );
}

#[test]
fn a_server_that_begins_again_is_followed() {
    let published = Published::new();
    published.server.misbehave(ON_MIRROR, &[Fault::CutAfter(1000), Fault::IgnoreRange]);
    succeeds(&mut published.build());
}

#[test]
fn what_a_lying_mirror_began_is_not_gone_on_with() {
    let published = Published::new();
    published.lies(ON_MIRROR);
    // The mirror breaks off each time it is asked; what came from it is no beginning of the right file.
    published.server.misbehave(ON_MIRROR, &[Fault::CutAfter(4), Fault::CutAfter(4), Fault::CutAfter(4)]);
    published.server.misbehave(ON_MIRROR, &[Fault::CutAfter(0)]);
    succeeds(&mut published.build());
    let asked = published.server.requests();
    assert_eq!(asked[4..], [format!("GET {IMAGE} bytes=12-"), format!("GET {IMAGE}")]);
}

#[test]
fn what_a_killed_build_left_is_gone_on_with_or_thrown_away() {
    let image = |published: &Published| fs::read(&published.file).expect("the published file");
    for (left, asked) in [
        ((|image| image[..1000].to_vec()) as fn(Vec<u8>) -> Vec<u8>, &["bytes=1000-"][..]),
        (|_| vec![b'x'; 1000], &["bytes=1000-", ""]),
        (|image| [image, vec![b'x'; 1000]].concat(), &["bytes=", ""]),
    ] {
        let published = Published::new();
        fs::create_dir_all(published.bench.path("store/blobs")).expect("a folder");
        let partial = format!("store/blobs/{}.partial", sha256(&published.file));
        published.bench.write(&partial, &left(image(&published)));
        succeeds(&mut published.build());
        let requests = published.server.requests();
        let matches = |(request, range): (&String, &&str)| {
            request.starts_with(format!("GET {ON_MIRROR} {range}").trim_end())
        };
        assert!(requests.len() == asked.len() && requests.iter().zip(asked).all(matches), "{requests:?}");
    }
}

#[test]
fn a_file_of_another_size_than_the_pinned_one_is_refused() {
    let published = Published::new();
    let (sha256, size) = (sha256(&published.file), fs::metadata(&published.file).expect("a file").len());
    let first = format!("error: cannot fetch {}", published.server.url(IMAGE));
    let hint = "hint: a mirror can be named in config.yaml; without a cluster an image that is here can be given with --base FILE";
    for pinned in [size - 1, size + 1] {
        published.pin(&format!("sha256: {sha256}, size: {pinned}"));
        let reason = format!("  caused by: the server has {size} bytes, but {pinned} are expected");
        published.refuses(4, &[&first, &reason, hint]);
    }
}

#[test]
fn a_server_that_promises_more_than_it_has_is_asked_again() {
    let published = Published::new();
    let size = fs::metadata(&published.file).expect("a file").len();
    published.server.misbehave(ON_MIRROR, &[Fault::Length(size + 1)]);
    succeeds(&mut published.build());
    let asked = published.server.requests();
    assert_eq!(asked.first(), Some(&format!("GET {ON_MIRROR}")));
    assert_eq!(asked.last(), Some(&format!("GET {ON_MIRROR}")));
}

#[test]
fn a_checksum_file_without_end_is_not_read_to_its_end() {
    let published = Published::new();
    published.pin("checksum-file: .sha");
    let large = published.bench.path("large");
    File::create(&large).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    for path in [IMAGE, ON_MIRROR] {
        published.server.add(&format!("{path}.sha"), &large);
    }
    let output = published.build().output().expect("imgforge can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("the server sends more than the expected 1048576 bytes"), "{said}");
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let published = Published::new();
    published.server.misbehave(ON_MIRROR, &[Fault::Status(500), Fault::Status(503)]);
    succeeds(&mut published.build());
    assert_eq!(published.server.requests(), vec![format!("GET {ON_MIRROR}"); 3]);
}

#[test]
fn a_file_that_nobody_has_is_asked_for_once_on_each_server() {
    let published = Published::new();
    published.server.misbehave(ON_MIRROR, &[Fault::Status(404)]);
    published.server.misbehave(IMAGE, &[Fault::Status(404)]);
    published.refuses(
        4,
        &[
            &format!("error: cannot fetch {}", published.server.url(IMAGE)),
            "  caused by: the server answered 404 Not Found",
            "hint: a mirror can be named in config.yaml; without a cluster an image that is here can be given with --base FILE",
        ],
    );
    assert_eq!(published.server.requests(), [format!("GET {ON_MIRROR}"), format!("GET {IMAGE}")]);
}

#[test]
fn the_image_in_the_right_file_has_to_be_right_too() {
    let published = Published::new();
    let (image, zeros) = (sha256(&published.bench.base()), "0".repeat(64));
    published.pin(&format!("sha256: {}, image-sha256: {zeros}", sha256(&published.file)));
    let url = published.server.url(IMAGE);
    published.refuses(
        1,
        &[
            &format!("error: the image in {url} has SHA-256 {image}, but {zeros} is pinned"),
            "hint: one of the two hashes in the profile is not of this image",
        ],
    );
}

#[test]
fn what_anybody_on_the_way_could_change_is_not_pinned() {
    let bench = Bench::new();
    bench.profile(&PROFILE.replace("https://", "http://"));
    let verdict = bench.verdict(
        bench.build_published(),
        1,
        &[
            "error: nothing protects http://vendor.invalid/tiny.img.xz on its way: what it says cannot be pinned",
            "hint: write https:// in the board's profile or name a mirror that has it in config.yaml; or pin the image",
        ],
    );
    assert_eq!(verdict, Ok(()));
}

#[test]
fn a_checksum_file_without_a_checksum_pins_nothing() {
    let published = Published::new();
    published.pin("checksum-file: .sha");
    for path in [IMAGE, ON_MIRROR] {
        published.lies(&format!("{path}.sha"));
    }
    published.refuses(
        4,
        &[
            &format!("error: {}.sha holds no SHA-256 for tiny.img.xz", published.server.url(ON_MIRROR)),
            "hint: pin the image with `sha256` in the board's profile",
        ],
    );
}
