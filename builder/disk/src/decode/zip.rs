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

/// Decodes the one image of the archive; `give` gets the data piece by piece.
pub(super) fn decode(source: &FileContent, mut give: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let damaged = |error: ZipError| match error {
        ZipError::Io(error) => failed(source, Format::Zip, 0, error),
        other => failed(source, Format::Zip, 0, std::io::Error::other(other)),
    };
    let reader = BufReader::with_capacity(CHUNK, Source { file: source, at: 0 });
    let mut archive = ZipArchive::new(reader).map_err(damaged)?;
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let name = archive.name_for_index(index).transpose().map_err(damaged)?.unwrap_or_default();
        if !name.ends_with('/') {
            files.push((index, name.into_owned()));
        }
    }
    let is_image = |name: &str| IMAGE_ENDINGS.iter().any(|ending| name.to_lowercase().ends_with(ending));
    let images: Vec<_> = files.iter().filter(|(_, name)| is_image(name)).collect();
    let index = match (images.as_slice(), files.as_slice()) {
        ([(index, _)], _) | ([], [(index, _)]) => *index,
        ([], _) => return Err(not_one(files.iter())),
        _ => return Err(not_one(images.into_iter())),
    };
    let mut image = archive.by_index(index).map_err(damaged)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let filled = fill(&mut image, &mut chunk).map_err(|error| failed(source, Format::Zip, 0, error))?;
        give(filled)?;
        if filled.len() < CHUNK {
            return Ok(());
        }
    }
}

fn not_one<'a>(files: impl Iterator<Item = &'a (usize, String)>) -> Error {
    Error::unsupported(Foreign::ZipImages(files.map(|(_, name)| name.clone()).collect()))
}
