//! A snapshot of etcd, as it comes from a member: pieces of the database in base64, then its SHA-256, which stays at the end of
//! the file as etcd's own tools have it (`etcdctl snapshot save`) and want it (`etcdutl snapshot restore`).

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Write},
};

use base64ct::{Base64, Encoding};
use imgforge_spec::{Hasher, Sha256};
use serde::Deserialize;

use super::{Error, connection::Server, etcd::Etcd};

/// etcd's hash.
const HASH: usize = 32;
/// Pages of the database are a multiple of this, so that what is beyond is the hash.
const SECTOR: u64 = 512;
/// etcd itself takes no more than 8 GiB.
const MOST: u64 = 9 << 30;
/// A piece has 32 KiB.
const MOST_PIECE: u64 = 8 << 20;

/// What has been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes of the database.
    pub size: u64,
    /// Their hash, as etcd says it and as it has been found.
    pub sha256: Sha256,
}

/// Why a stream of pieces is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It ends before the end.
    #[error("it ends early: {missing} bytes of the database are missing")]
    Short {
        /// As many, by the last piece.
        missing: u64,
    },
    /// Something other than a piece.
    #[error("{0}")]
    Piece(String),
    /// It is longer than any.
    #[error("it has more than {MOST} bytes")]
    Long,
    /// There is no hash at its end.
    #[error("its length, {0} bytes, is not that of a database with its hash")]
    Length(u64),
    /// It is not what the member read.
    #[error("its SHA-256 is {found}, and etcd says {said}")]
    Hash {
        /// Of what came.
        found: Sha256,
        /// What etcd says at the end.
        said: String,
    },
    /// The network, or the disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Deserialize)]
struct Line {
    result: Option<Piece>,
    error: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece {
    remaining_bytes: String,
    blob: String,
}

/// Writes what the member `server` has into `output`; `progress` is told of bytes that have come, and of all.
pub(crate) fn fetch(
    etcd: &Etcd,
    server: &Server,
    output: &mut dyn Write,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<Snapshot, Error> {
    let response = etcd.snapshot(server)?;
    copy(response, output, progress).map_err(|unfit| Error::Answer {
        server: server.to_string(),
        request: "POST /v3/maintenance/snapshot".into(),
        problem: unfit.to_string(),
    })
}

fn copy(
    stream: impl Read,
    output: &mut dyn Write,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<Snapshot, Unfit> {
    let mut lines = BufReader::with_capacity(64 << 10, stream);
    let mut hasher = Hasher::default();
    // The last bytes that have come may be the hash, which is not hashed.
    let mut tail: VecDeque<u8> = VecDeque::new();
    let (mut length, mut missing, mut line) = (0u64, 0u64, Vec::new());
    loop {
        line.clear();
        (&mut lines).take(MOST_PIECE + 1).read_until(b'\n', &mut line)?;
        if line.len() as u64 > MOST_PIECE {
            return Err(Unfit::Piece(format!("a piece has more than {MOST_PIECE} bytes")));
        }
        if line.is_empty() {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let piece =
            match serde_json::from_slice::<Line>(&line).map_err(|error| Unfit::Piece(error.to_string()))? {
                Line { error: Some(error), .. } => return Err(Unfit::Piece(error.to_string())),
                Line { result, .. } => result.unwrap_or_default(),
            };
        let bytes = Base64::decode_vec(&piece.blob).map_err(|error| Unfit::Piece(error.to_string()))?;
        missing = match piece.remaining_bytes.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| Unfit::Piece(format!("`{text}` is no number of bytes")))?,
        };
        length += bytes.len() as u64;
        if length > MOST {
            return Err(Unfit::Long);
        }
        output.write_all(&bytes)?;
        tail.extend(bytes);
        let done: Vec<u8> = tail.drain(..tail.len().saturating_sub(HASH)).collect();
        hasher.update(&done);
        progress(length, length.checked_add(missing).filter(|_| missing > 0));
    }
    if missing > 0 {
        return Err(Unfit::Short { missing });
    }
    if length % SECTOR != HASH as u64 {
        return Err(Unfit::Length(length));
    }
    let (found, said) = (hasher.finish(), tail.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    if found.to_string() != said {
        return Err(Unfit::Hash { found, said });
    }
    Ok(Snapshot { size: length - HASH as u64, sha256: found })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream as etcd's gateway writes it.
    fn stream(database: &[u8], hash: &[u8], pieces: usize) -> String {
        let mut text = String::new();
        let mut left = database.len();
        for piece in database.chunks(database.len().div_ceil(pieces)) {
            left -= piece.len();
            let blob = Base64::encode_string(piece);
            text += &format!("{{\"result\":{{\"remaining_bytes\":\"{left}\",\"blob\":\"{blob}\"}}}}\n");
        }
        text + &format!("{{\"result\":{{\"blob\":\"{}\"}}}}\n", Base64::encode_string(hash))
    }

    fn hash_of(database: &[u8]) -> Vec<u8> {
        let text = Sha256::of(database).to_string();
        (0..32).map(|i| u8::from_str_radix(&text[i * 2..i * 2 + 2], 16).unwrap()).collect()
    }

    fn copied(text: &str) -> Result<(Snapshot, Vec<u8>), Unfit> {
        let mut output = Vec::new();
        copy(text.as_bytes(), &mut output, &|_, _| {}).map(|snapshot| (snapshot, output))
    }

    #[test]
    fn a_whole_snapshot_is_the_database_with_its_hash() {
        let database: Vec<u8> = (0..40_960u32).map(|i| (i * 7) as u8).collect();
        for pieces in [1, 3, 4096] {
            let (snapshot, bytes) = copied(&stream(&database, &hash_of(&database), pieces)).unwrap();
            assert_eq!((snapshot.size, bytes.len()), (40_960, 40_992));
            assert_eq!((&bytes[..40_960], &bytes[40_960..]), (&database[..], &hash_of(&database)[..]));
        }
    }

    #[test]
    fn half_a_snapshot_is_none() {
        let database = vec![7u8; 4096];
        let whole = stream(&database, &hash_of(&database), 4);
        for line in 0..4 {
            let cut: String = whole.lines().take(line).map(|line| format!("{line}\n")).collect();
            assert!(copied(&cut).is_err(), "{line} lines");
        }
        // The pieces without the hash, which have a whole number of pages.
        let cut: String = whole.lines().take(4).map(|line| format!("{line}\n")).collect();
        assert!(matches!(copied(&cut), Err(Unfit::Length(4096))));
        assert!(matches!(copied(&whole[..whole.len() - 20]), Err(Unfit::Piece(_))));
    }

    #[test]
    fn a_changed_snapshot_is_none() {
        let database = vec![7u8; 4096];
        let other = stream(&vec![8u8; 4096], &hash_of(&database), 4);
        assert!(matches!(copied(&other), Err(Unfit::Hash { .. })));
        for bad in
            ["x\n", "{\"error\":{\"message\":\"no leader\"}}\n", "{\"result\":{\"blob\":\"*\"}}\n", "[]\n"]
        {
            assert!(matches!(copied(bad), Err(Unfit::Piece(_))), "{bad}");
        }
        let long = format!("{{\"result\":{{\"blob\":\"{}\"}}}}", "A".repeat(9 << 20));
        assert!(matches!(copied(&long), Err(Unfit::Piece(_))));
    }
}
