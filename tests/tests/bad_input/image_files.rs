//! Files that are no image, or only a part of one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::bench::{Bench, Case, refused};

const GET_AGAIN: &str = "hint: get the image again; the file is damaged";
const UNPACK: &str = "hint: unpack the image and give it with --base FILE";

/// The base, compressed by `tool` with `options`, and then changed by `damage`.
fn compressed(bench: &Bench, tool: &str, options: &[&str], damage: fn(Vec<u8>) -> Vec<u8>) -> Command {
    let output = Command::new(tool).args(options).arg("-c").arg(bench.base()).output();
    let bytes = output.unwrap_or_else(|error| panic!("{tool}: {error}")).stdout;
    bench.build_on(&bench.write(&format!("base.img.{tool}"), &damage(bytes)))
}

fn cut(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn scratched(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16].iter_mut().for_each(|byte| *byte = !*byte);
    bytes
}

fn followed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend_from_slice(b"<html>");
    bytes
}

/// A zip file with these names in it.
fn zip(bench: &Bench, names: &[&str]) -> PathBuf {
    let path = bench.path("base.zip");
    for name in names {
        fs::hard_link(bench.base(), bench.path(name)).expect("another name of the base");
    }
    let status =
        Command::new("zip").arg("-q1j").arg(&path).args(names.iter().map(|name| bench.path(name))).status();
    assert!(status.expect("zip can be run").success());
    path
}

#[test]
fn a_damaged_image_file_is_named_with_the_place_of_the_damage() {
    refused(&[
        Case {
            name: "an .xz file of one block, cut off",
            input: |bench| compressed(bench, "xz", &["-0"], cut),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.xz",
                "  caused by: the .xz file ends early, at byte ",
                GET_AGAIN,
            ],
        },
        Case {
            name: "an .xz file of many blocks, cut off",
            input: |bench| compressed(bench, "xz", &["-0", "--block-size=4MiB"], cut),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.xz",
                "  caused by: the .xz file ends early, at byte ",
                GET_AGAIN,
            ],
        },
        Case {
            name: "an .xz file of one block, scratched",
            input: |bench| compressed(bench, "xz", &["-0"], scratched),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.xz",
                "  caused by: the .xz file is damaged near byte ",
                GET_AGAIN,
            ],
        },
        Case {
            name: "an .xz file of many blocks, scratched",
            input: |bench| compressed(bench, "xz", &["-0", "--block-size=4MiB"], scratched),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.xz",
                "  caused by: the .xz file is damaged in the block at byte ",
                GET_AGAIN,
            ],
        },
        Case {
            name: "an .xz file with something behind it",
            input: |bench| compressed(bench, "xz", &["-0"], followed),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.xz",
                "  caused by: the .xz file has other data behind it, from byte ",
                GET_AGAIN,
            ],
        },
        Case {
            name: "a .gz file, cut off",
            input: |bench| compressed(bench, "gzip", &["-1"], cut),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.gzip",
                "  caused by: the .gz file ends early, at byte ",
                GET_AGAIN,
            ],
        },
        Case {
            name: "a .gz file, scratched",
            input: |bench| compressed(bench, "gzip", &["-1"], scratched),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.gzip",
                "  caused by: the .gz file is damaged near byte ",
                GET_AGAIN,
            ],
        },
        Case {
            name: "a .zst file, cut off",
            input: |bench| compressed(bench, "zstd", &["-1"], cut),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.zstd",
                "  caused by: the .zst file ends early, at byte ",
                GET_AGAIN,
            ],
        },
        Case {
            name: "a .zst file, scratched",
            input: |bench| compressed(bench, "zstd", &["-1"], scratched),
            code: 3,
            answer: &[
                "error: cannot decode ~/base.img.zstd",
                "  caused by: the .zst file is damaged near byte ",
                GET_AGAIN,
            ],
        },
    ]);
}

#[test]
fn a_file_that_is_no_image_is_called_what_it_is() {
    refused(&[
        Case {
            name: "a zip file with two images",
            input: |bench| bench.build_on(&zip(bench, &["one.img", "two.img"])),
            code: 1,
            answer: &[
                "error: cannot decode ~/base.zip",
                "  caused by: the zip file must hold one image, but holds one.img, two.img",
                UNPACK,
            ],
        },
        Case {
            name: "an empty file",
            input: |bench| bench.build_on(&bench.write("empty.img", b"")),
            code: 3,
            answer: &["error: cannot decode ~/empty.img", "  caused by: the image is empty", GET_AGAIN],
        },
        Case {
            name: "no file",
            input: |bench| bench.build_on(Path::new("/nowhere/base.img")),
            code: 1,
            answer: &["error: cannot read /nowhere/base.img", "  caused by: No such file or directory"],
        },
        Case {
            name: "a folder",
            input: |bench| bench.build_on(&bench.path("out")),
            code: 1,
            answer: &["error: cannot read ~/out", "  caused by: Is a directory"],
        },
        Case {
            name: "an error page of a web server",
            input: |bench| bench.build_on(&bench.write("page.img", b"<!DOCTYPE html><title>404</title>")),
            code: 1,
            answer: &[
                "error: cannot decode ~/page.img",
                "  caused by: this is a web page, not an image; ",
                UNPACK,
            ],
        },
    ]);
}
