//! The web server of the tests answers as a vendor's does, and fails exactly as asked.

use std::io::{Read, Write};
use std::net::TcpStream;

use imgforge_tests::{Fault, VendorServer};
use tempfile::NamedTempFile;

const PATH: &str = "/dl.armbian.com/board/archive/image.img.xz";
const CONTENT: &[u8] = b"0123456789";

/// A server of one file, which lives as long as the second value.
fn server() -> (VendorServer, NamedTempFile) {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(CONTENT).expect("it can be written");
    let server = VendorServer::start();
    server.add(PATH, file.path());
    (server, file)
}

/// Asks for `path` with `headers`; returns the answer's head and body.
fn get(server: &VendorServer, path: &str, headers: &str) -> (String, Vec<u8>) {
    let url = server.url("");
    let mut connection =
        TcpStream::connect(url.strip_prefix("http://").expect("an http address")).expect("it listens");
    write!(connection, "GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").expect("it reads");
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
    let body = answer.split_off(end);
    (String::from_utf8(answer).expect("heads are text"), body)
}

#[test]
fn a_file_comes_whole_with_its_length() {
    let (server, _file) = server();
    let (head, body) = get(&server, PATH, "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("Content-Length: 10\r\n"), "{head}");
    assert_eq!(body, CONTENT);
}

#[test]
fn a_range_comes_alone_and_one_behind_the_end_is_refused() {
    let (server, _file) = server();
    let (head, body) = get(&server, PATH, "Range: bytes=7-\r\n");
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    assert!(head.contains("Content-Range: bytes 7-9/10\r\n"), "{head}");
    assert_eq!(body, b"789");
    let (head, _) = get(&server, PATH, "Range: bytes=10-\r\n");
    assert!(head.starts_with("HTTP/1.1 416 "), "{head}");
    assert_eq!(server.requests(), [format!("GET {PATH} bytes=7-"), format!("GET {PATH} bytes=10-")]);
}

#[test]
fn an_unknown_path_is_not_found() {
    let (server, _file) = server();
    assert!(get(&server, "/elsewhere", "").0.starts_with("HTTP/1.1 404 "));
}

#[test]
fn faults_come_in_order_and_end() {
    let (server, _file) = server();
    server.misbehave(PATH, &[Fault::Status(500), Fault::CutAfter(4), Fault::Length(12), Fault::IgnoreRange]);
    assert!(get(&server, PATH, "").0.starts_with("HTTP/1.1 500 "));
    assert_eq!(get(&server, PATH, "").1, b"0123");
    assert!(get(&server, PATH, "").0.contains("Content-Length: 12\r\n"));
    let (head, body) = get(&server, PATH, "Range: bytes=7-\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, CONTENT);
    assert_eq!(get(&server, PATH, "Range: bytes=7-\r\n").1, b"789");
}
