//! What a node says of its first boot, before it is a member of anything: docs/first-boot.md. Nobody vouches for it.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpStream},
    time::{Duration, Instant},
};

use serde::Deserialize;

/// Where nodes answer: nothing of Kubernetes, etcd or the add-ons has it.
pub const PORT: u16 = 6442;

/// A node in the next room.
const CONNECT: Duration = Duration::from_secs(4);
/// All of the answer; a busy board takes many seconds to start the script.
const PATIENCE: Duration = Duration::from_secs(30);
/// The whole answer has about 2 KiB.
const MOST: usize = 64 << 10;

/// What became of asking a node.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// It answers.
    Says(FirstBoot),
    /// A machine is there, or the near end of a tunnel, and does not answer: its first boot is over, or has hardly begun, or it is
    /// not to answer.
    Quiet,
    /// Something answers, and it is not what a node says.
    Strange(String),
    /// No machine is there.
    Nobody,
}

/// `imgforge-status --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct FirstBoot {
    /// Who says it.
    pub hostname: String,
    /// Whether all stages are over.
    pub finished: bool,
    /// The stages, in their order.
    pub stages: Vec<Stage>,
}

/// A stage of the first boot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Stage {
    /// Its name.
    pub stage: String,
    /// `pending`, `running`, `waiting`, `done`, `failed`, `not configured`.
    pub state: String,
    /// Since when, in seconds since 1970 by the node's clock.
    pub since: Option<i64>,
    /// What there is to say.
    #[serde(default)]
    pub message: String,
    /// When it tries again.
    pub retry_at: Option<i64>,
}

impl FirstBoot {
    /// The stage that tells most of where it is: one that failed, that waits, that runs, or comes next.
    pub fn current(&self) -> Option<&Stage> {
        // `ready` only says that others have failed.
        let of =
            |state: &str| self.stages.iter().find(|stage| stage.state == state && stage.stage != "ready");
        ["failed", "waiting", "running", "pending"].into_iter().find_map(of).or_else(|| self.stages.last())
    }
}

/// Asks whoever is at one of `addresses`.
pub(crate) fn ask(addresses: &[IpAddr]) -> Reply {
    let mut reply = Reply::Nobody;
    for address in addresses {
        match TcpStream::connect_timeout(&(*address, PORT).into(), CONNECT) {
            Ok(stream) => {
                return match talk(stream) {
                    Ok(Some(boot)) => Reply::Says(boot),
                    Ok(None) => Reply::Quiet,
                    Err(error) => Reply::Strange(error.to_string()),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => reply = Reply::Quiet,
            Err(_) => {}
        }
    }
    reply
}

/// Nothing where whoever takes the connection says not a word, as a tunnel does whose other end is nobody.
fn talk(mut stream: TcpStream) -> io::Result<Option<FirstBoot>> {
    let until = Instant::now() + PATIENCE;
    stream.set_write_timeout(Some(PATIENCE))?;
    match stream.write_all(b"GET / HTTP/1.0\r\n\r\n") {
        Err(error) if is_hanging_up(&error) => return Ok(None),
        outcome => outcome?,
    }
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return if answer.is_empty() { Ok(None) } else { Err(io::ErrorKind::TimedOut.into()) };
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(piece.get(..length).unwrap_or_default()),
            // The time is over.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            // What came before may be all of it.
            Err(error) if is_hanging_up(&error) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if answer.len() > MOST {
            return Err(io::Error::other(format!("more than {MOST} bytes")));
        }
    }
    if answer.is_empty() {
        return Ok(None);
    }
    parse(&answer).map(Some).map_err(io::Error::other)
}

fn is_hanging_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn parse(answer: &[u8]) -> Result<FirstBoot, String> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("no HTTP")?;
    let (head, body) = answer.split_at_checked(end + 4).unwrap_or_default();
    let is_well = head.starts_with(b"HTTP/1.0 200 ") || head.starts_with(b"HTTP/1.1 200 ");
    if !is_well {
        let line =
            String::from_utf8_lossy(head.split(|c| *c == b'\r').next().unwrap_or_default()).into_owned();
        return Err(line.chars().take(80).collect());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"hostname":"k8s-1","role":"worker","board":"virt","finished":false,"stages":[
        {"stage":"grow","state":"done","since":1790001000,"message":"","retry_at":null},
        {"stage":"kubeadm","state":"waiting","since":1790001000,"message":"no answer","retry_at":1790001040},
        {"stage":"ready","state":"failed","since":1790001000,"message":"kubeadm is waiting","retry_at":null}],"certificates":null}"#;

    #[test]
    fn an_answer_is_read_and_tells_where_the_node_is() {
        let boot =
            parse(format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{ANSWER}\n").as_bytes())
                .unwrap();
        let current = boot.current().unwrap();
        assert_eq!((current.stage.as_str(), current.retry_at), ("kubeadm", Some(1_790_001_040)));
    }

    proptest::proptest! {
        #[test]
        fn fuzz_answers(edits in proptest::collection::vec((0..600usize, proptest::prelude::any::<u8>()), 0..8), cut in 0..700usize) {
            let mut answer = format!("HTTP/1.0 200 OK\r\n\r\n{ANSWER}").into_bytes();
            edits.iter().for_each(|(at, byte)| if let Some(place) = answer.get_mut(*at) { *place = *byte });
            answer.truncate(cut);
            if let Ok(boot) = parse(&answer) {
                let _ = boot.current();
            }
        }
    }

    #[test]
    fn other_answers_are_none() {
        for (bad, reason) in [
            ("", "no HTTP"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "no HTTP"),
            ("HTTP/1.0 404 Not Found\r\n\r\n", "HTTP/1.0 404 Not Found"),
            ("HTTP/1.0 200 OK\r\n\r\n", "EOF while parsing a value at line 1 column 0"),
            ("HTTP/1.0 200 OK\r\n\r\n{\"hostname\":1}", "invalid type"),
        ] {
            let error = parse(bad.as_bytes()).unwrap_err();
            assert!(error.starts_with(reason), "{bad}: {error}");
        }
    }
}
