//! A web server on the loopback interface that has files under the vendors' own paths, and misbehaves when asked to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// What goes wrong with one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer of this status and no body.
    Status(u16),
    /// The connection ends after this many bytes of the body.
    CutAfter(u64),
    /// The header promises a body of this many bytes instead of the true number; the body is whole.
    Length(u64),
    /// A request for a range is answered with the whole file.
    IgnoreRange,
}

/// A server of files. It ends with the value.
#[derive(Debug)]
pub struct VendorServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    files: Mutex<BTreeMap<String, PathBuf>>,
    /// The faults of the next answers, by path; the first is used up by the next request.
    faults: Mutex<BTreeMap<String, Vec<Fault>>>,
    requests: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl VendorServer {
    /// Starts one, without files, on a port of the system's choice.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || serve(&listener, &for_thread));
        Self { address, shared, thread: Some(thread) }
    }

    /// The address of `path`, which begins with `/` and, by this project's custom, the vendor's host name.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Serves `file` under `path`.
    pub fn add(&self, path: &str, file: &Path) {
        lock(&self.shared.files).insert(path.to_owned(), file.to_owned());
    }

    /// Serves nothing under `path` any longer.
    pub fn remove(&self, path: &str) {
        lock(&self.shared.files).remove(path);
    }

    /// Answers the next requests for `path` with these faults, in this order; then well again.
    pub fn misbehave(&self, path: &str, faults: &[Fault]) {
        lock(&self.shared.faults).entry(path.to_owned()).or_default().extend(faults);
    }

    /// The requests so far: `METHOD PATH`, and `RANGE` in the header's form where one was asked for.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared.requests).clone()
    }
}

impl Drop for VendorServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // The thread waits for a connection: it gets one.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.stop.load(Ordering::Acquire) {
            break;
        }
        let shared = Arc::clone(shared);
        // A client that goes away is the client's affair: what it sees is what a test looks at.
        let Ok(connection) = connection else { continue };
        thread::spawn(move || answer(&connection, &shared));
    }
}

/// The parts of a request that this server looks at.
struct Request {
    method: String,
    path: String,
    range: Option<String>,
}

fn read_request(connection: &TcpStream) -> io::Result<Request> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut range = None;
    for line in lines {
        let line = line?;
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("range") => {
                range = Some(value.trim().to_owned())
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(Request { method, path, range })
}

/// One request per connection.
fn answer(mut connection: &TcpStream, shared: &Shared) -> io::Result<()> {
    let request = read_request(connection)?;
    let note = [Some(&request.method), Some(&request.path), request.range.as_ref()];
    lock(&shared.requests).push(note.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" "));

    let fault = match lock(&shared.faults).get_mut(&request.path) {
        Some(faults) if !faults.is_empty() => Some(faults.remove(0)),
        _ => None,
    };
    let file = lock(&shared.files).get(&request.path).cloned();
    let Some(file) = file else { return connection.write_all(&head(404, 0, "")) };
    if let Some(Fault::Status(status)) = fault {
        return connection.write_all(&head(status, 0, ""));
    }

    let mut file = File::open(file)?;
    let size = file.metadata()?.len();
    let range = request.range.as_deref().filter(|_| fault != Some(Fault::IgnoreRange));
    let (status, part, more) = match range.map(|range| parse_range(range, size)) {
        None => (200, 0..size, String::new()),
        Some(Some(part)) => {
            let header = format!("Content-Range: bytes {}-{}/{size}\r\n", part.start, part.end - 1);
            (206, part, header)
        }
        Some(None) => {
            return connection.write_all(&head(416, 0, &format!("Content-Range: bytes */{size}\r\n")));
        }
    };
    let length = match fault {
        Some(Fault::Length(length)) => length,
        _ => part.end - part.start,
    };
    connection.write_all(&head(status, length, &more))?;
    if request.method == "HEAD" {
        return Ok(());
    }
    let body = match fault {
        Some(Fault::CutAfter(bytes)) => bytes.min(part.end - part.start),
        _ => part.end - part.start,
    };
    file.seek(SeekFrom::Start(part.start))?;
    io::copy(&mut file.take(body), &mut connection)?;
    Ok(())
}

fn head(status: u16, length: u64, more: &str) -> Vec<u8> {
    let connection = "Accept-Ranges: bytes\r\nConnection: close";
    format!("HTTP/1.1 {status} {status}\r\nContent-Length: {length}\r\n{more}{connection}\r\n\r\n")
        .into_bytes()
}

/// `bytes=FIRST-LAST` or `bytes=FIRST-` as a non-empty range within `size`.
fn parse_range(range: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first = first.parse().ok()?;
    let end = if last.is_empty() { size } else { last.parse::<u64>().ok()?.checked_add(1)?.min(size) };
    (first < end).then_some(first..end)
}
