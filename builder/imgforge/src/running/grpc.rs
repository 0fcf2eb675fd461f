//! Calls by gRPC, as far as etcd's need them: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. A message is a byte
//! that says whether it is compressed, four with its length, the highest first, and as many bytes.

use std::io::{self, Read};

use reqwest::{Method, blocking::Response};

use super::{
    Error,
    connection::{Connection, Request, Server},
};

/// Why a stream has no further message.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Nobody asked for that.
    #[error("a message is compressed")]
    Compressed,
    /// It is too long.
    #[error("a message has {0} bytes, and none has more than {1}")]
    Long(u64, u64),
    /// It ends early, or does not come.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Has `server` do `call`, such as `/etcdserverpb.Cluster/MemberList`, with `message`. It gives up after as many `seconds`. Its
/// answer's messages follow ([`next`]); a refusal after the first of them is not seen, only that no more come.
pub(super) fn call(
    connection: &Connection,
    server: &Server,
    call: &str,
    message: &[u8],
    seconds: Option<u8>,
) -> Result<Response, Error> {
    let mut body = vec![0];
    body.extend((message.len() as u32).to_be_bytes());
    body.extend(message);
    let mut headers = vec![("te", "trailers".to_owned())];
    headers.extend(seconds.map(|seconds| ("grpc-timeout", format!("{seconds}S"))));
    let request = Request {
        method: Method::POST,
        path: call,
        body: Some(("application/grpc", body)),
        most: 0,
        headers,
    };
    let response = connection.open(server, &request)?;
    let said = |name: &str| {
        response.headers().get(name).map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned())
    };
    match said("grpc-status") {
        Some(code) if code != "0" => Err(Error::Refused {
            server: server.to_string(),
            request: request.to_string(),
            status: http_status(&code),
            message: said("grpc-message").unwrap_or_default(),
        }),
        _ => Ok(response),
    }
}

/// The next message of an answer, of at most `most` bytes; `None`: there is no more.
pub(super) fn next(stream: &mut impl Read, most: u64) -> Result<Option<Vec<u8>>, Unfit> {
    let mut head = [0; 5];
    if stream.take(1).read(&mut head)? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[1..])?;
    let [compressed, length @ ..] = head;
    let length = u64::from(u32::from_be_bytes(length));
    if compressed != 0 {
        return Err(Unfit::Compressed);
    }
    if length > most {
        return Err(Unfit::Long(length, most));
    }
    let mut message = Vec::new();
    if stream.take(length).read_to_end(&mut message)? as u64 != length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(message))
}

/// What HTTP calls a status of gRPC's: the table of `google/rpc/code.proto`.
fn http_status(code: &str) -> u16 {
    match code {
        "1" => 499,
        "3" | "9" | "11" => 400,
        "4" => 504,
        "5" => 404,
        "6" | "10" => 409,
        "7" => 403,
        "8" => 429,
        "12" => 501,
        "14" => 503,
        "16" => 401,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_each_other_to_the_end() {
        let mut stream = &[0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0][..];
        assert_eq!(next(&mut stream, 2).unwrap(), Some(vec![7, 8]));
        assert_eq!(next(&mut stream, 2).unwrap(), Some(vec![]));
        assert_eq!(next(&mut stream, 2).unwrap(), None);
    }

    #[test]
    fn what_is_cut_off_too_long_or_compressed_is_no_message() {
        for bad in [
            &[0][..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 2, 7],
            &[0, 0, 0, 0, 3, 7, 8, 9],
            &[1, 0, 0, 0, 1, 7],
            &[0, 255, 255, 255, 255, 1],
        ] {
            assert!(next(&mut { bad }, 2).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_may_pass_is_known_by_its_status() {
        // "etcdserver: no leader" is 14, "etcdserver: request timed out" as well; "member not found" is 5.
        assert_eq!(
            (http_status("14"), http_status("5"), http_status("9"), http_status("x")),
            (503, 404, 400, 500)
        );
    }
}
