//! A terminal that is gone ends a run, but not one that was told to go on (nohup).

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use imgforge_tests::Home;

/// A run that waits for its standard input, under a shell that does `first`.
fn waiting(home: &Home, first: &str) -> Child {
    let program = home.imgforge().get_program().to_owned();
    // The tests themselves may run under nohup, and what is ignored is inherited.
    let mut shell = Command::new("env");
    shell.args(["--default-signal=HUP", "sh", "-c", &format!("{first} exec \"$0\" password")]).arg(program);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().unwrap()
}

/// Whether the process takes note of signals, as the kernel tells: it watches for Ctrl-C.
fn watches(process: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
}

fn hang_up(process: &Child) {
    let end = Instant::now() + Duration::from_secs(30);
    while !watches(process) {
        assert!(Instant::now() < end, "it never watched for signals");
        thread::sleep(Duration::from_millis(20));
    }
    // The shell may still be there; what it becomes watches, too, and after a moment for all signals.
    thread::sleep(Duration::from_millis(300));
    assert!(Command::new("kill").args(["-HUP", &process.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_hangup_ends_a_run_that_does_not_ignore_it() {
    let home = Home::new();
    let mut process = waiting(&home, "");
    // Kept open: to wait for a process closes what it reads, and it may end by that first.
    let _input = process.stdin.take();
    hang_up(&process);
    assert_eq!(process.wait().unwrap().signal(), Some(1));
}

#[test]
fn a_run_under_nohup_goes_on() {
    let home = Home::new();
    let mut process = waiting(&home, "trap '' HUP;");
    hang_up(&process);
    thread::sleep(Duration::from_millis(500));
    assert!(process.try_wait().unwrap().is_none());
    drop(process.stdin.take());
    assert_eq!(process.wait().unwrap().signal(), None);
}
