//! Where tar archives and packages have their headers, and how the checksums of these are put right: they protect nothing.

use std::ops::Range;

const BLOCK: usize = 512;

/// Where a header has its fields, in bytes: name, mode, uid, gid, size, mtime, typeflag, linkname, magic and version,
/// uname, gname, devmajor, devminor, prefix.
const FIELDS: [Range<usize>; 14] = [
    0..100,
    100..108,
    108..116,
    116..124,
    124..136,
    136..148,
    156..157,
    157..257,
    257..265,
    265..297,
    297..329,
    329..337,
    337..345,
    345..500,
];

/// The fields of every header of an archive, and what is written behind the headers of a longer name.
pub fn tar_places(bytes: &[u8]) -> Vec<Range<usize>> {
    archive_places(bytes, 0..bytes.len())
}

/// Seals every header of an archive.
pub fn seal_tar(bytes: &mut [u8]) {
    for at in headers(bytes, 0..bytes.len()) {
        seal_header(&mut bytes[at..at + BLOCK]);
    }
}

/// The members' headers of a package, and the places of those archives in it that are not packed.
pub fn deb_places(bytes: &[u8]) -> Vec<Range<usize>> {
    let members = ar_members(bytes);
    let mut places: Vec<_> = members.iter().map(|member| member.start - 60..member.start).collect();
    places.extend(members.into_iter().flat_map(|member| archive_places(bytes, member)));
    places
}

/// Seals every header of the archives in a package.
pub fn seal_deb(bytes: &mut [u8]) {
    for member in ar_members(bytes) {
        for at in headers(bytes, member) {
            seal_header(&mut bytes[at..at + BLOCK]);
        }
    }
}

/// Puts the checksum of a tar header right.
pub fn seal_header(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn archive_places(bytes: &[u8], archive: Range<usize>) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for at in headers(bytes, archive.clone()) {
        places.extend(FIELDS.iter().map(|field| at + field.start..at + field.end));
        let is_meta = matches!(bytes[at + 156], b'x' | b'g' | b'L' | b'K');
        if is_meta && at + 2 * BLOCK <= archive.end {
            places.push(at + BLOCK..at + 2 * BLOCK);
        }
    }
    places
}

/// The blocks of `archive` that have the magic of a header.
fn headers(bytes: &[u8], archive: Range<usize>) -> Vec<usize> {
    let blocks = archive.clone().step_by(BLOCK).filter(|at| at + BLOCK <= archive.end);
    blocks.filter(|at| bytes[at + 257..].starts_with(b"ustar")).collect()
}

/// The contents of the members of an ar archive.
fn ar_members(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut members, mut at) = (Vec::new(), 8);
    while let Some(header) = bytes.get(at..at + 60) {
        let size =
            std::str::from_utf8(&header[48..58]).ok().and_then(|size| size.trim().parse::<usize>().ok());
        let start = at + 60;
        let Some(end) = size.and_then(|size| start.checked_add(size)).filter(|end| *end <= bytes.len())
        else {
            break;
        };
        members.push(start..end);
        at = end.next_multiple_of(2);
    }
    members
}
