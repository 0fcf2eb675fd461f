//! As much of D-Bus as a call to a service of the system takes, and a file descriptor in its answer
//! (<https://dbus.freedesktop.org/doc/dbus-specification.html>): what a service offers to whoever may not do it himself.

use std::{
    env,
    io::{self, BufRead, BufReader, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Where the system's bus is if nothing says otherwise.
const SOCKET: &str = "/run/dbus/system_bus_socket";
/// The longest message that is read, in bytes. The answers that are waited for have a few hundred.
const LONGEST: usize = 1 << 20;
/// A message's fixed part.
const FIXED: usize = 16;
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
/// The service may ask the user for a password.
const MAY_ASK: u8 = 4;

/// Fields of a header, by their codes.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// A connection with the system's bus.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    serial: u32,
}

/// A method of an object of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method<'a> {
    pub service: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
    pub name: &'a str,
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was done; with the file descriptor of the answer, if there is one.
    Done(Option<OwnedFd>),
    /// It was not done; why, in the service's words.
    Refused(String),
}

impl Bus {
    /// Connects with the system's bus.
    pub(super) fn system() -> io::Result<Self> {
        let address = env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
        let path = address.split(';').find_map(|one| one.strip_prefix("unix:path=")?.split(',').next());
        let mut stream = UnixStream::connect(path.unwrap_or(SOCKET))?;
        authenticate(&mut stream)?;
        let mut bus = Self { stream, serial: 0 };
        let (service, path) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");
        match bus.call(Method { service, path, interface: service, name: "Hello" }, &Body::default())? {
            Answer::Done(_) => Ok(bus),
            Answer::Refused(reason) => Err(io::Error::other(reason)),
        }
    }

    /// Calls `method` and waits for the answer, however long somebody thinks about a password.
    pub(super) fn call(&mut self, method: Method<'_>, body: &Body) -> io::Result<Answer> {
        self.serial += 1;
        self.stream.write_all(&message(method, body, self.serial))?;
        loop {
            // Signals come in between.
            if let Some(answer) = self.receive()? {
                return Ok(answer);
            }
        }
    }

    /// The next message, if it is the answer that is waited for.
    fn receive(&mut self) -> io::Result<Option<Answer>> {
        let mut fixed = [0; FIXED];
        let mut descriptor = None;
        let mut at = 0;
        // A descriptor comes with the first bytes of its message.
        while let Some(rest) = fixed.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut beside = RecvAncillaryBuffer::new(&mut space);
            let received =
                recvmsg(&self.stream, &mut [IoSliceMut::new(rest)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
            if received.bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += received.bytes;
            for message in beside.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    descriptor = descriptor.or(descriptors.last());
                }
            }
        }
        let header = Reader { bytes: &fixed, at: 4, is_little: fixed.first() == Some(&b'l') };
        let (body, fields) = header.lengths().ok_or_else(malformed)?;
        let mut rest = vec![0; fields.next_multiple_of(8) + body];
        self.stream.read_exact(&mut rest)?;
        let kind = fixed.get(1).copied();
        let mut fields =
            Reader { bytes: rest.get(..fields).ok_or_else(malformed)?, at: 0, is_little: header.is_little };
        if fields.reply_serial() != Some(self.serial) {
            return Ok(None);
        }
        Ok(match kind {
            Some(RETURN) => Some(Answer::Done(descriptor)),
            Some(ERROR) => {
                let start = rest.len() - body;
                let mut text = Reader {
                    bytes: rest.get(start..).unwrap_or_default(),
                    at: 0,
                    is_little: header.is_little,
                };
                Some(Answer::Refused(text.string().unwrap_or_else(|| "no reason was given".into())))
            }
            _ => None,
        })
    }
}

/// Says who calls, which the kernel confirms, and that file descriptors are welcome.
fn authenticate(stream: &mut UnixStream) -> io::Result<()> {
    let user = rustix::process::getuid().as_raw().to_string();
    let user: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
    let mut lines = BufReader::with_capacity(1, stream.try_clone()?);
    for (said, expected) in
        [(format!("\0AUTH EXTERNAL {user}\r\n"), "OK "), ("NEGOTIATE_UNIX_FD\r\n".into(), "AGREE_UNIX_FD")]
    {
        stream.write_all(said.as_bytes())?;
        let mut answer = Vec::new();
        lines.by_ref().take(1024).read_until(b'\n', &mut answer)?;
        if !answer.starts_with(expected.as_bytes()) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
    }
    stream.write_all(b"BEGIN\r\n")
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what came from the bus is no message")
}

/// Arguments of a call, and their types.
#[derive(Debug, Default)]
pub(super) struct Body {
    signature: &'static str,
    bytes: Writer,
}

impl Body {
    /// A text and a table of options, `sa{sv}`, with one option: a number.
    pub(super) fn text_and_number(text: &str, (option, number): (&str, i32)) -> Self {
        let mut bytes = Writer::default();
        bytes.string(text);
        bytes.array(8, |bytes| {
            bytes.align(8);
            bytes.string(option);
            bytes.signature("i");
            bytes.number(number.cast_unsigned());
        });
        Self { signature: "sa{sv}", bytes }
    }
}

/// The bytes of a call, little-endian.
fn message(method: Method<'_>, body: &Body, serial: u32) -> Vec<u8> {
    let mut bytes = Writer(vec![b'l', CALL, MAY_ASK, 1]);
    bytes.number(body.bytes.0.len() as u32);
    bytes.number(serial);
    bytes.array(8, |bytes| {
        let fields = [
            (PATH, "o", method.path),
            (INTERFACE, "s", method.interface),
            (MEMBER, "s", method.name),
            (DESTINATION, "s", method.service),
        ];
        for (code, kind, text) in fields {
            bytes.field(code, kind);
            bytes.string(text);
        }
        if !body.signature.is_empty() {
            bytes.field(SIGNATURE, "g");
            bytes.signature(body.signature);
        }
    });
    bytes.align(8);
    bytes.0.extend(&body.bytes.0);
    bytes.0
}

/// Values as D-Bus lays them out, each at a multiple of its size.
#[derive(Debug, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, kinds: &str) {
        self.0.push(kinds.len() as u8);
        self.0.extend(kinds.as_bytes());
        self.0.push(0);
    }

    /// The beginning of a field of a header; its value, of type `kind`, follows.
    fn field(&mut self, code: u8, kind: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(kind);
    }

    /// An array whose elements lie at multiples of `alignment`; its length does not count what is before the first.
    fn array(&mut self, alignment: usize, write: impl FnOnce(&mut Self)) {
        self.number(0);
        let place = self.0.len() - 4;
        self.align(alignment);
        let start = self.0.len();
        write(self);
        let length = ((self.0.len() - start) as u32).to_le_bytes();
        self.0.iter_mut().skip(place).zip(length).for_each(|(to, from)| *to = from);
    }
}

/// The same, read.
#[derive(Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    is_little: bool,
}

impl Reader<'_> {
    /// Of a message's fixed part: the lengths of its body and of its header's fields, in bytes.
    fn lengths(&self) -> Option<(usize, usize)> {
        let mut reader = Reader { bytes: self.bytes, ..*self };
        let body = reader.number()? as usize;
        reader.number()?;
        let fields = reader.number()? as usize;
        (body <= LONGEST && fields <= LONGEST).then_some((body, fields))
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4);
        let is_little = self.is_little;
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn string(&mut self) -> Option<String> {
        let length = self.number()? as usize;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Some(text)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Of a header's fields: which call is answered.
    fn reply_serial(&mut self) -> Option<u32> {
        loop {
            self.align(8);
            let code = self.byte()?;
            let length = usize::from(self.byte()?);
            let kind = self.take(length + 1)?.first().copied()?;
            match kind {
                b'u' if code == REPLY_SERIAL => return self.number(),
                b'u' => drop(self.number()?),
                b's' | b'o' => drop(self.string()?),
                b'g' => {
                    let length = usize::from(self.byte()?);
                    self.take(length + 1)?;
                }
                // No other types are in fields.
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_laid_out_as_the_specification_says() {
        let method = Method { service: "a.b", path: "/c", interface: "d.e", name: "F" };
        let body = Body::text_and_number("rw", ("flags", 128));
        let bytes = message(method, &body, 7);
        // The arguments: "rw", padding, the array's length, padding to 8, "flags", the type "i", padding, the number.
        let arguments = b"\x02\0\0\0rw\0\0\x14\0\0\0\0\0\0\0\x05\0\0\0flags\0\x01i\0\0\0\0\x80\0\0\0";
        assert_eq!(body.bytes.0, arguments);
        assert!(bytes.ends_with(arguments));
        assert_eq!(bytes.len() % 8, arguments.len() % 8);
        assert_eq!(bytes[..12], *b"l\x01\x04\x01\x24\0\0\0\x07\0\0\0");
        assert_eq!(bytes[16..27], *b"\x01\x01o\0\x02\0\0\0/c\0");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_an_answer_or_not(bytes in proptest::collection::vec(0_u8..12, 0..64), is_little: bool) {
            let mut reader = Reader { bytes: &bytes, at: 0, is_little };
            while reader.string().is_some() {}
            Reader { bytes: &bytes, at: 0, is_little }.reply_serial();
            Reader { bytes: &bytes, at: 0, is_little }.lengths();
        }
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_length_is_no_answer() {
        let field = b"\x05\x01u\0\x07\0\0\0";
        for length in 0..field.len() {
            let mut reader = Reader { bytes: &field[..length], at: 0, is_little: true };
            assert_eq!(reader.reply_serial(), None, "{length}");
        }
        assert_eq!(Reader { bytes: field, at: 0, is_little: true }.reply_serial(), Some(7));
        let long = [b"l\x02\0\x01".as_slice(), &u32::MAX.to_le_bytes(), &[0; 8]].concat();
        assert_eq!(Reader { bytes: &long, at: 4, is_little: true }.lengths(), None);
        let mut text = Reader { bytes: b"\xFF\xFF\xFF\xFFabc", at: 0, is_little: true };
        assert_eq!(text.string(), None);
    }
}
