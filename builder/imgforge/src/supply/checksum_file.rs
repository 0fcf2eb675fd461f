//! Checksum files beside an image: a lone `<hash>`, or lines `<hash> [*]<name>` as sha256sum(1) writes them.

use imgforge_spec::Sha256;

/// The hash for the file `name` in the `text` of a checksum file.
pub fn find(text: &str, name: &str) -> Option<Sha256> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let hash = words.next()?.parse().ok()?;
        let file =
            words.next().map(|word| word.trim_start_matches('*').rsplit('/').next().unwrap_or_default());
        file.is_none_or(|file| file == name).then_some(hash)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_files_come_in_two_forms() {
        let hash = Sha256::of(b"image");
        assert_eq!(find(&format!("{hash}\n"), "a.img.xz"), Some(hash));
        assert_eq!(find(&format!("{hash} *./a.img.xz\n"), "a.img.xz"), Some(hash));
        assert_eq!(find(&format!("{hash}  b.img.xz\n"), "a.img.xz"), None);
        assert_eq!(find("<html>not found</html>", "a.img.xz"), None);
    }
}
