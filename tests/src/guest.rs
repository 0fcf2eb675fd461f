//! An image running in QEMU, seen through its serial console.

use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::repository;

/// When to give up waiting for a shell's answer and for each step of a log-in: about ten times what an idle machine of two cores
/// needs.
const ANSWER: Duration = Duration::from_secs(240);
const LOGIN: Duration = Duration::from_secs(600);

/// One guest, or one [`Lan`] of them, at a time in a process: more would only slow each other down past their deadlines.
static TURN: Mutex<()> = Mutex::new(());

/// A running guest. It ends with the value, as by a power cut. What its console says goes to the end of the file that
/// `IMGFORGE_CONSOLE` names, too.
#[derive(Debug)]
pub struct Guest {
    qemu: Child,
    console: Receiver<Vec<u8>>,
    /// Everything the console has said.
    transcript: String,
    /// How much of the transcript [`Guest::wait_for`] has gone past, in bytes.
    seen: usize,
    started: Instant,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// A network of several guests, which are on at the same time.
#[derive(Debug)]
pub struct Lan {
    /// Of the multicast group that is their wire. Only this machine hears it.
    port: u16,
    _turn: MutexGuard<'static, ()>,
}

impl Lan {
    /// One that no other process has.
    pub fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // A port that is free at this moment for TCP stands for one that no other test uses as its group's.
        Self { port: free_port(), _turn: turn }
    }

    /// Boots `image`, which keeps what the guest writes, as number `number` of this network, with more `options` of
    /// `scripts/boot-image`.
    pub fn boot(&self, number: u8, image: &Path, options: &[&str]) -> Guest {
        let (port, number) = (self.port.to_string(), number.to_string());
        let lan = ["--keep", "--lan", &port, "--number", &number];
        Guest::start(image, &[&lan[..], options].concat(), None)
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

/// A TCP port on the loopback interface that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback interface");
    listener.local_addr().expect("its address").port()
}

impl Guest {
    /// Boots `image` by `scripts/boot-image`, with the firmware that fits its layout. The image itself is not changed.
    pub fn boot(image: &Path) -> Self {
        Self::alone(image, &[])
    }

    /// Boots the armhf `image`.
    pub fn boot_32_bit(image: &Path) -> Self {
        Self::alone(image, &["--32-bit"])
    }

    /// Boots the arm64 `image` by its own boot script, whatever its partition table is.
    pub fn boot_by_u_boot(image: &Path) -> Self {
        Self::alone(image, &["--firmware", "u-boot"])
    }

    /// Boots `image` and lets the guest write to it.
    pub fn boot_keeping(image: &Path) -> Self {
        Self::alone(image, &["--keep"])
    }

    /// Boots `image` with a second disk, which the guest writes to.
    pub fn boot_with_disk(image: &Path, disk: &Path) -> Self {
        Self::alone(image, &["--disk", &disk.to_string_lossy()])
    }

    /// Boots `image` as the SD card of a board that QEMU has a machine of, named as in `scripts/boot-image`.
    pub fn boot_board(image: &Path, machine: &str) -> Self {
        Self::alone(image, &["--machine", machine])
    }

    fn alone(image: &Path, options: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self::start(image, options, Some(turn))
    }

    fn start(image: &Path, options: &[&str], turn: Option<MutexGuard<'static, ()>>) -> Self {
        // The script ends by becoming QEMU, so killing the child kills QEMU.
        let mut qemu = Command::new(repository().join("scripts/boot-image"))
            .args(options)
            .arg(image)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/boot-image can be run");
        let console = listen(qemu.stdout.take().expect("stdout is a pipe"));
        Self { qemu, console, transcript: String::new(), seen: 0, started: Instant::now(), _turn: turn }
    }

    /// Waits until the console says `text`, later than what the last wait found; returns the time since the start.
    ///
    /// # Panics
    /// When `timeout` passes or QEMU ends without it, with the end of the transcript.
    pub fn wait_for(&mut self, text: &str, timeout: Duration) -> Duration {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(at) = self.transcript[self.seen..].find(text) {
                self.seen += at + text.len();
                return self.started.elapsed();
            }
            match self.hear(deadline) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => panic!("no {text:?} in {timeout:?}; {}", self.last_words()),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("no {text:?}; QEMU ended; {}", self.last_words())
                }
            }
        }
    }

    /// Waits until QEMU ends by itself, as it does when the guest powers off.
    ///
    /// # Panics
    /// When it still runs after `timeout`, or ends with an error.
    pub fn wait_for_power_off(&mut self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        loop {
            match self.hear(deadline) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => panic!("still on after {timeout:?}; {}", self.last_words()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = self.qemu.wait().expect("QEMU can be waited for");
        assert!(status.success(), "QEMU: {status}; {}", self.last_words());
    }

    /// Types `text`, with a line end where `text` has one. The terminal's echo of it is console output, too: markers to
    /// wait for are best typed in another form than they are printed in, such as `echo DO''NE`.
    pub fn send(&mut self, text: &str) {
        let keyboard = self.qemu.stdin.as_mut().expect("stdin is a pipe");
        keyboard.write_all(text.as_bytes()).and_then(|()| keyboard.flush()).expect("QEMU reads its terminal");
    }

    /// Sends a shell command and waits for its output to hold `answer`, which must not stand in the command: the terminal
    /// repeats what is typed.
    pub fn ask(&mut self, command: &str, answer: &str) {
        assert!(!command.contains(answer), "{command}");
        self.send(&format!("{command}\n"));
        self.wait_for(answer, ANSWER);
    }

    /// Logs in at the console of the node `host`, to the prompt.
    pub fn log_in(&mut self, host: &str, user: &str, password: &str) {
        self.send("\n");
        self.wait_for(&format!("{host} login:"), LOGIN);
        self.send(&format!("{user}\n"));
        self.wait_for("Password:", LOGIN);
        self.send(&format!("{password}\n"));
        self.wait_for(&format!("{user}@{host}"), LOGIN);
    }

    /// Everything the console has said so far.
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    fn hear(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        let bytes = self.console.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
        if let Some(path) = env::var_os("IMGFORGE_CONSOLE") {
            let file = File::options().append(true).create(true).open(path);
            file.and_then(|mut file| file.write_all(&bytes)).expect("the console's file");
        }
        self.transcript.push_str(&String::from_utf8_lossy(&bytes));
        Ok(())
    }

    fn last_words(&self) -> String {
        let lines: Vec<_> = self.transcript.lines().collect();
        format!("the console's last lines:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Either fails only when QEMU has ended already.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Reads the console in a thread of its own, so that a wait can have a deadline. A character cut in two by the chunks'
/// ends is of no interest to any wait.
fn listen(mut console: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = console.read(&mut chunk) {
            if sender.send(chunk[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
