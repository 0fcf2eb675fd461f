//! The payload: the text in chunks of 64 KiB, each authenticated with its place and whether it is the last.

use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit};
use zeroize::Zeroizing;

use super::{Error, FileKey, derive};

const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
const CUT_OFF: Error = Error::Damaged("it was cut off");

/// Random bytes at its beginning.
pub type Nonce = [u8; 16];

/// Encrypts `text`. No two texts may have the same key and nonce.
pub fn seal(text: &[u8], file_key: &FileKey, nonce: &Nonce) -> Result<Vec<u8>, Error> {
    let cipher = cipher(file_key, nonce)?;
    let count = text.len().div_ceil(CHUNK).max(1);
    // Nothing is left of the text in memory: its buffer never moves, and is encrypted where it is.
    let mut sealed = Vec::with_capacity(nonce.len() + text.len() + count * TAG);
    sealed.extend(nonce);
    for index in 0..count {
        let start = sealed.len();
        sealed.extend(&text[index * CHUNK..text.len().min((index + 1) * CHUNK)]);
        let place = place(index, index + 1 == count);
        let tag = cipher.encrypt_in_place_detached(&place.into(), b"", &mut sealed[start..]);
        sealed.extend(tag.map_err(|_| Error::Length)?);
    }
    Ok(sealed)
}

/// Decrypts a payload.
pub fn open(payload: &[u8], file_key: &FileKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (nonce, sealed) = payload.split_first_chunk().ok_or(CUT_OFF)?;
    let cipher = cipher(file_key, nonce)?;
    let chunks = sealed.chunks(CHUNK + TAG);
    let count = chunks.len();
    if count == 0 {
        return Err(CUT_OFF);
    }
    let mut text = Zeroizing::new(Vec::with_capacity(sealed.len()));
    for (index, chunk) in chunks.enumerate() {
        let (chunk, tag) = chunk.split_last_chunk::<TAG>().ok_or(CUT_OFF)?;
        if chunk.is_empty() && index > 0 {
            return Err(Error::Damaged("its last part is empty"));
        }
        let start = text.len();
        text.extend_from_slice(chunk);
        let place = place(index, index + 1 == count);
        cipher
            .decrypt_in_place_detached(&place.into(), b"", &mut text[start..], tag.into())
            .map_err(|_| Error::Damaged("it was changed or cut off"))?;
    }
    Ok(text)
}

fn cipher(file_key: &FileKey, nonce: &Nonce) -> Result<ChaCha20Poly1305, Error> {
    let key = derive(file_key.as_ref(), nonce, b"payload")?;
    Ok(ChaCha20Poly1305::new((&*key).into()))
}

/// The nonce of a chunk: 11 bytes with its number, the big end first, and one that is 1 in the last chunk.
fn place(index: usize, is_last: bool) -> [u8; 12] {
    let number = (index as u128) << 8 | u128::from(is_last);
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&number.to_be_bytes()[4..]);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> FileKey {
        FileKey::new([5; 16])
    }

    fn text(length: usize) -> Vec<u8> {
        (0..251).cycle().take(length).collect()
    }

    #[test]
    fn texts_of_all_lengths_are_read_back() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 100] {
            let sealed = seal(&text(length), &key(), &[1; 16]).unwrap();
            assert_eq!(sealed.len(), 16 + length + 16 * length.div_ceil(CHUNK).max(1));
            assert_eq!(*open(&sealed, &key()).unwrap(), text(length), "{length}");
        }
    }

    #[test]
    fn a_payload_that_ends_early_late_or_elsewhere_is_refused() {
        let sealed = seal(&text(2 * CHUNK + 7), &key(), &[1; 16]).unwrap();
        let first = 16 + CHUNK + TAG;
        for length in [0, 15, 16, 17, 32, first - 1, first, first + 1, first + CHUNK + TAG, sealed.len() - 1]
        {
            assert!(open(&sealed[..length], &key()).is_err(), "{length}");
        }
        assert!(open(&[sealed.as_slice(), b"x"].concat(), &key()).is_err());
        let swapped = [
            &sealed[..16],
            &sealed[first..first + CHUNK + TAG],
            &sealed[16..first],
            &sealed[first + CHUNK + TAG..],
        ];
        assert!(open(&swapped.concat(), &key()).is_err());
        assert!(open(&sealed, &FileKey::new([6; 16])).is_err());
    }

    #[test]
    fn only_an_empty_text_ends_with_an_empty_chunk() {
        let whole = seal(&text(CHUNK), &key(), &[1; 16]).unwrap();
        let cipher = cipher(&key(), &[1; 16]).unwrap();
        let mut sealed = whole[..16].to_vec();
        for (index, mut chunk) in [text(CHUNK), Vec::new()].into_iter().enumerate() {
            let tag =
                cipher.encrypt_in_place_detached(&place(index, index == 1).into(), b"", &mut chunk).unwrap();
            sealed.extend(chunk);
            sealed.extend(tag);
        }
        assert!(open(&sealed, &key()).is_err());
    }
}
