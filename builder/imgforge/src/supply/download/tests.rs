//! A downloader against servers that never come to an end.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use super::*;

/// A server that answers each request with this head, and then with `body` until the client has had enough; returns its
/// address.
fn serve(head: &'static str, body: fn(&mut TcpStream) -> io::Result<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let lines = BufReader::new(connection.try_clone().unwrap()).lines();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let _ = connection.write_all(head.as_bytes());
            while body(&mut connection).is_ok() {}
        }
    });
    format!("http://{address}/file")
}

/// Longer than any load of the machine keeps a thread from running.
const PATIENT: Duration = Duration::from_secs(60);

fn zeros(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(&[0; 4096])
}

fn drip(connection: &mut TcpStream) -> io::Result<()> {
    thread::sleep(Duration::from_millis(2));
    connection.write_all(b"x")
}

/// Why nothing comes of a file of at most 64 KiB under `url` for who wants 1000 bytes `within` a time; what is kept of it has
/// to be no more than `kept` bytes.
fn refused(url: &str, within: Duration, kept: u64) -> Attempt {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let floor = Floor { bytes: 1000, within };
    let (sha256, candidates) = (Sha256::of(b""), [url.to_owned()]);
    let file = Pinned { url, candidates: &candidates, sha256, size: Size::AtMost(64 << 10), accept: None };
    let error = Downloader::with_floor(floor).unwrap().fetch(&store, file, &|_, _| {}).unwrap_err();
    let partial = store.blob(sha256).with_extension("partial");
    assert!(partial.metadata().map_or(0, |metadata| metadata.len()) <= kept);
    let Error::Fetch { source, .. } = error else { panic!("{error:?}") };
    source
}

#[test]
fn a_body_without_end_is_cut_off_at_the_most_that_its_kind_may_have() {
    let url = serve("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", zeros);
    assert!(matches!(refused(&url, PATIENT, 0), Attempt::Long { expected: 65536 }));
}

#[test]
fn a_promise_of_more_than_its_kind_may_have_is_not_waited_for() {
    let url = serve("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", drip);
    assert!(matches!(refused(&url, PATIENT, 0), Attempt::TooLarge { found: 1_000_000_000_000, most: 65536 }));
}

#[test]
fn a_server_that_drips_is_given_up() {
    let url = serve("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", drip);
    assert!(matches!(refused(&url, Duration::from_millis(50), 4000), Attempt::Slow(_)));
}

#[test]
fn a_checksum_comes_from_where_nobody_can_change_it() {
    let url = "http://vendor.invalid/image.xz";
    let error = Downloader::new().unwrap().published_sha256(url, &[url.to_owned()], ".sha").unwrap_err();
    assert!(matches!(error, Error::Unprotected { .. }), "{error:?}");
}
