//! The block map beside an image, as imgforge and bmaptool write it (version 2.0). Pure over its text.

use std::ops::Range;

use imgforge_disk::{
    Sha256,
    bmap::{BLOCK, Digests},
};

/// Which bytes of an image a card must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map {
    /// Size of the image in bytes.
    pub image_size: u64,
    /// The bytes, in order and apart from each other, with their digests.
    pub ranges: Vec<(Range<u64>, Sha256)>,
}

impl Map {
    /// The map in `text`; what is wrong with it, as the end of a sentence, if it is none.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let field = |name: &str| {
            // bmaptool speaks of the elements in a comment before them.
            let (_, rest) = text.rsplit_once(&format!("<{name}>"))?;
            Some(rest.split_once('<')?.0.trim())
        };
        let image_size = field("ImageSize").ok_or("is no block map")?;
        let image_size: u64 = image_size.parse().map_err(|_| "names no size of an image")?;
        if field("ChecksumType") != Some("sha256") || field("BlockSize") != Some("4096") {
            return Err("is not of the kind that is known: blocks of 4096 bytes with SHA-256");
        }
        let digests = Digests::of_map(text).ok_or("was changed: it has not the checksum that it names")?;
        // bmaptool also writes ranges without one, which nobody could hold the card to.
        if text.matches("<Range").count() != digests.len() {
            return Err("has ranges without a digest: make it anew, without --no-checksum");
        }
        let mut ranges = Vec::new();
        let mut free_from = 0;
        for (blocks, sha256) in digests.ranges() {
            let last = blocks.end.checked_mul(BLOCK).filter(|end| end - BLOCK < image_size);
            let range = blocks.start.saturating_mul(BLOCK)
                ..last.ok_or("names blocks that the image has not")?.min(image_size);
            if range.start < free_from || range.is_empty() {
                return Err("names blocks twice, or none at all");
            }
            free_from = range.end;
            ranges.push((range, sha256));
        }
        let blocks: u64 = digests.ranges().map(|(blocks, _)| blocks.end.saturating_sub(blocks.start)).sum();
        if digests.is_empty() || field("MappedBlocksCount").is_some_and(|count| count.parse() != Ok(blocks)) {
            return Err("names other blocks than it says");
        }
        Ok(Self { image_size, ranges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map that bmaptool made, with its comments.
    fn of_bmaptool(image: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), image).unwrap();
        let made = std::process::Command::new("bmaptool").arg("create").arg(file.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    }

    /// A map with these elements in place of ours, with the right checksum.
    fn map(size: &str, ranges: &[&str]) -> String {
        const PLACE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
        let digest = Sha256::of("x");
        let ranges: String =
            ranges.iter().map(|blocks| format!("<Range chksum=\"{digest}\"> {blocks} </Range>\n")).collect();
        let text = format!(
            "<bmap version=\"2.0\">\n<ImageSize> {size} </ImageSize>\n<BlockSize> 4096 </BlockSize>\n\
             <ChecksumType> sha256 </ChecksumType>\n<BmapFileChecksum> {PLACE} </BmapFileChecksum>\n{ranges}</bmap>\n"
        );
        text.replacen(PLACE, &Sha256::of(&text).to_string(), 1)
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_in_it_it_is_a_map_or_not(size in ".{0,20}", blocks in proptest::collection::vec("[0-9-]{0,24}", 0..4)) {
            let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
            if let Ok(map) = Map::parse(&map(&size, &blocks)) {
                let ends = map.ranges.iter().flat_map(|(range, _)| [range.start, range.end]);
                assert!(ends.is_sorted() && map.ranges.iter().all(|(range, _)| range.end <= map.image_size));
            }
        }
    }

    #[test]
    fn maps_of_bmaptool_are_read() {
        let image = vec![7; 3 * 4096 + 512];
        let map = Map::parse(&of_bmaptool(&image)).unwrap();
        assert_eq!(map.image_size, image.len() as u64);
        assert_eq!(map.ranges, [(0..image.len() as u64, Sha256::of(&image))]);
    }

    #[test]
    fn a_map_that_leaves_blocks_out_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7; 8192]).unwrap();
        let made = std::process::Command::new("bmaptool")
            .args(["create", "--no-checksum"])
            .arg(file.path())
            .output();
        let unsealed = String::from_utf8(made.unwrap().stdout).unwrap();
        let sealed = |text: String| {
            let checksum =
                text.split_once("<BmapFileChecksum>").unwrap().1.split_once('<').unwrap().0.trim().to_owned();
            let zeros = text.replacen(&checksum, &"0".repeat(64), 1);
            zeros.replacen(&"0".repeat(64), &Sha256::of(&zeros).to_string(), 1)
        };
        assert!(Map::parse(&unsealed).unwrap_err().starts_with("has ranges without a digest"));
        let whole = of_bmaptool(&[7; 8192]);
        let line = whole.lines().find(|line| line.trim_start().starts_with("<Range")).unwrap();
        assert_eq!(Map::parse(&sealed(whole.replace(line, ""))), Err("names other blocks than it says"));
        let other = sealed(whole.replace("0-1", "0"));
        assert_eq!(Map::parse(&other), Err("names other blocks than it says"));
        assert!(Map::parse(&sealed(whole)).is_ok());
    }

    #[test]
    fn ranges_end_with_the_image() {
        let parsed = Map::parse(&map("9000", &["0", "2-2"])).unwrap();
        let ranges: Vec<_> = parsed.ranges.into_iter().map(|(range, _)| range).collect();
        assert_eq!(ranges, [0..4096, 8192..9000]);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let most = u64::MAX.to_string();
        let beyond = (u64::MAX / 4096).to_string();
        for (text, fault) in [
            (String::new(), "is no block map"),
            (map("many", &[]), "names no size of an image"),
            (
                map("9000", &["0"]).replace("9000", "9001"),
                "was changed: it has not the checksum that it names",
            ),
            (map("9000", &["x"]), "was changed: it has not the checksum that it names"),
            (map("9000", &["0-1", "1"]), "names blocks twice, or none at all"),
            (map("9000", &["0", "2-1"]), "names blocks twice, or none at all"),
            (map("9000", &["0-3"]), "names blocks that the image has not"),
            (map(&most, &[beyond.as_str()]), "names blocks that the image has not"),
            (
                map("9000", &["0"]).replace(" 4096 ", " 512 "),
                "is not of the kind that is known: blocks of 4096 bytes with SHA-256",
            ),
        ] {
            assert_eq!(Map::parse(&text), Err(fault), "{text}");
        }
    }
}
