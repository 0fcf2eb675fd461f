//! A zip archive that holds one image.

use std::io::BufReader;

use ::zip::{ZipArchive, result::ZipError};

use super::{
    CHUNK, Foreign, Format,
    members::{Source, failed, fill},
};
use crate::{
    content::FileContent,
    error::{Error, Result},
};

/// Endings of names that make a file in an archive an image, whatever else lies beside it.
const IMAGE_ENDINGS: [&str; 3] = [".img", ".raw", ".wic"];

type Archive<'a> = ZipArchive<BufReader<Source<'a>>>;

/// Decodes the one image of the archive; `give` gets the data piece by piece.
pub(super) fn decode(source: &FileContent, mut give: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let (mut archive, index) = open(source)?;
    let mut image = archive.by_index(index).map_err(|error| damaged(source, error))?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let filled = fill(&mut image, &mut chunk).map_err(|error| failed(source, Format::Zip, 0, error))?;
        give(filled)?;
        if filled.len() < CHUNK {
            return Ok(());
        }
    }
}

/// Size of the one image of the archive in bytes, as the archive says.
pub(super) fn image_size(source: &FileContent) -> Option<u64> {
    let (mut archive, index) = open(source).ok()?;
    Some(archive.by_index_raw(index).ok()?.size())
}

/// The archive and the index of its one image.
fn open(source: &FileContent) -> Result<(Archive<'_>, usize)> {
    let reader = BufReader::with_capacity(CHUNK, Source { file: source, at: 0 });
    let archive = ZipArchive::new(reader).map_err(|error| damaged(source, error))?;
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let name = archive.name_for_index(index).transpose().map_err(|error| damaged(source, error))?;
        let name = name.unwrap_or_default();
        // macOS packs what it knows of a file as another file.
        if !name.ends_with('/') && !name.starts_with("__MACOSX/") {
            files.push((index, name.into_owned()));
        }
    }
    let is_image = |name: &str| IMAGE_ENDINGS.iter().any(|ending| name.to_lowercase().ends_with(ending));
    let images: Vec<_> = files.iter().filter(|(_, name)| is_image(name)).collect();
    match (images.as_slice(), files.as_slice()) {
        ([(index, _)], _) | ([], [(index, _)]) => Ok((archive, *index)),
        ([], _) => Err(not_one(files.iter())),
        _ => Err(not_one(images.into_iter())),
    }
}

fn damaged(source: &FileContent, error: ZipError) -> Error {
    let error = match error {
        ZipError::Io(error) => error,
        other => std::io::Error::other(other),
    };
    failed(source, Format::Zip, 0, error)
}

fn not_one<'a>(files: impl Iterator<Item = &'a (usize, String)>) -> Error {
    Error::unsupported(Foreign::ZipImages(files.map(|(_, name)| name.clone()).collect()))
}
