//! A snapshot of etcd, as it comes from a member: pieces of the database, then its SHA-256, which stays at the end of
//! the file as etcd's own tools have it (`etcdctl snapshot save`) and want it (`etcdutl snapshot restore`).

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
};

use imgforge_spec::{Hasher, Sha256};

use super::{
    Error,
    connection::Server,
    etcd::{Etcd, Piece, SNAPSHOT},
    grpc,
};

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
    /// The network.
    #[error(transparent)]
    Stream(#[from] grpc::Unfit),
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
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
        request: SNAPSHOT.into(),
        problem: unfit.to_string(),
    })
}

fn copy(
    mut stream: impl Read,
    output: &mut dyn Write,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<Snapshot, Unfit> {
    let mut hasher = Hasher::default();
    // The last bytes that have come may be the hash, which is not hashed.
    let mut tail: VecDeque<u8> = VecDeque::new();
    let (mut length, mut missing) = (0u64, 0u64);
    while let Some(message) = grpc::next(&mut stream, MOST_PIECE)? {
        let piece = Piece::decode(&message).map_err(|malformed| Unfit::Piece(malformed.to_string()))?;
        let bytes = piece.blob;
        if bytes.is_empty() {
            return Err(Unfit::Piece("a piece has no bytes".into()));
        }
        missing = piece.remaining;
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
    use crate::running::protobuf;

    /// A stream as etcd sends it.
    fn stream(database: &[u8], hash: &[u8], pieces: usize) -> Vec<Vec<u8>> {
        let mut left = database.len();
        let mut messages: Vec<Vec<u8>> = database
            .chunks(database.len().div_ceil(pieces))
            .map(|piece| {
                left -= piece.len();
                message(left as u64, piece)
            })
            .collect();
        messages.push(message(0, hash));
        messages
    }

    /// A message in its frame; its lengths are such that two bytes hold them.
    fn message(remaining: u64, blob: &[u8]) -> Vec<u8> {
        let mut body = protobuf::with_number(2, remaining);
        let length = protobuf::with_number(0, blob.len() as u64);
        body.push(3 << 3 | 2);
        body.extend(&length[1..]);
        body.extend(blob);
        [&[0][..], &(body.len() as u32).to_be_bytes(), &body].concat()
    }

    fn hash_of(database: &[u8]) -> Vec<u8> {
        let text = Sha256::of(database).to_string();
        (0..32).map(|i| u8::from_str_radix(&text[i * 2..i * 2 + 2], 16).unwrap()).collect()
    }

    fn copied(messages: &[Vec<u8>]) -> Result<(Snapshot, Vec<u8>), Unfit> {
        copied_bytes(&messages.concat())
    }

    fn copied_bytes(stream: &[u8]) -> Result<(Snapshot, Vec<u8>), Unfit> {
        let mut output = Vec::new();
        copy(stream, &mut output, &|_, _| {}).map(|snapshot| (snapshot, output))
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
        for messages in 0..4 {
            assert!(copied(&whole[..messages]).is_err(), "{messages} messages");
        }
        // The pieces without the hash, which have a whole number of pages.
        assert!(matches!(copied(&whole[..4]), Err(Unfit::Length(4096))));
        let whole = whole.concat();
        assert!(matches!(copied_bytes(&whole[..whole.len() - 20]), Err(Unfit::Stream(_))));
    }

    #[test]
    fn a_changed_snapshot_is_none() {
        let database = vec![7u8; 4096];
        let other = stream(&vec![8u8; 4096], &hash_of(&database), 4);
        assert!(matches!(copied(&other), Err(Unfit::Hash { .. })));
        assert!(matches!(copied_bytes(&[0, 0, 0, 0, 1, 0x1a]), Err(Unfit::Piece(_))));
        assert!(matches!(copied(&[message(0, &vec![0; 9 << 20])]), Err(Unfit::Stream(_))));
        // A stream of these would have no end.
        assert!(matches!(copied(&[message(4096, &[])]), Err(Unfit::Piece(_))));
    }
}
