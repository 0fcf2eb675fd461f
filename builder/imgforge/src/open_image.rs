//! Opening any image for reading: raw as it lies there, compressed by way of a temporary file.

use std::{env, path::Path, sync::Arc};

use imgforge_disk::{
    Content, FileContent,
    decode::Format,
    partition::{Partition, Table},
};

use crate::{
    console::Console,
    error::Error,
    image::{self, Partitions},
    manifest, store,
};

/// An image, open for reading.
#[derive(Debug)]
pub struct OpenImage {
    /// Its bytes, decompressed.
    pub content: Arc<dyn Content>,
    /// Their SHA-256, where decoding has computed it.
    sha256: Option<String>,
    /// Its partition table.
    pub table: Table,
}

impl OpenImage {
    /// Opens the image `path`.
    pub fn open(path: &Path, console: &Console) -> Result<Self, Error> {
        let failed = |source| Error::Open { path: path.to_owned(), source };
        let unusable = |error: image::Error| Error::from(error).of_image(path.display());
        let file = FileContent::open(path).map_err(failed)?;
        if Format::of(&file).map_err(failed)? == Format::Raw {
            let content: Arc<dyn Content> = Arc::new(file);
            let table = image::table_of(&content).map_err(unusable)?;
            return Ok(Self { content, sha256: None, table });
        }
        let bar = console.progress(&format!("decoding {}", path.display()), None);
        let folder = env::temp_dir();
        let (decoded, content) =
            store::decode_nameless(path, &folder, &|at| bar.set(at, None)).map_err(failed)?;
        let sha256 = Some(decoded.image_sha256.to_string());
        let content: Arc<dyn Content> = Arc::new(content);
        let table = image::table_of(&content).map_err(unusable)?;
        Ok(Self { content, sha256, table })
    }

    /// SHA-256 of the whole image.
    pub fn sha256(&self) -> Result<String, Error> {
        if let Some(sha256) = &self.sha256 {
            return Ok(sha256.clone());
        }
        let failed = |source| Error::Io { what: "read the image".into(), source };
        manifest::sha256_of(&*self.content).map_err(failed)
    }

    /// The file system in `partition`, by its signature.
    pub fn file_system(&self, partition: &Partition) -> FileSystem {
        let mut start = [0; 2048];
        let range = partition.range();
        if range.end - range.start < start.len() as u64
            || self.content.read_at(range.start, &mut start).is_err()
        {
            return FileSystem::Unknown;
        }
        // ext4: s_magic at byte 0x38 of the superblock at 1024. FAT: the type's name in the boot sector.
        match (&start[1080..1082], &start[54..57], &start[82..87]) {
            (b"\x53\xef", _, _) => FileSystem::Ext4,
            (_, b"FAT", _) | (_, _, b"FAT32") => FileSystem::Fat,
            _ => FileSystem::Unknown,
        }
    }

    /// The root file system (the last ext4) and the boot partition (the first FAT), where nothing says which they are.
    pub fn guess_partitions(&self) -> Option<Partitions> {
        let of = |kind| {
            self.table.partitions().iter().filter(move |partition| self.file_system(partition) == kind)
        };
        Some(Partitions {
            root: of(FileSystem::Ext4).next_back()?.clone(),
            boot: of(FileSystem::Fat).next().cloned(),
        })
    }
}

/// A file system as its signature tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// ext2, ext3 or ext4.
    Ext4,
    /// FAT12, FAT16 or FAT32.
    Fat,
    /// Anything else, or nothing.
    Unknown,
}
