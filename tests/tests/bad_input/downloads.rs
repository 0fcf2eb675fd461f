//! Servers that lie, break off, refuse, or have something else.

use crate::bench::sha256;
use crate::published::{IMAGE, ON_MIRROR, Published};
use imgforge_tests::{Fault, succeeds};

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
            "hint: a mirror can be named in config.yaml, or the image given with --base FILE",
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
