//! NetworkManager's own reader of connections. The package is not installed, only looked into: a NetworkManager that is installed
//! might take over this machine's network.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use crate::{repository, succeeds};

/// What `nmcli` makes of the connection `text`, a keyfile; it fails where NetworkManager would not take it.
pub fn nmcli(text: &str) -> Output {
    let mut command = Command::new(program());
    command.args(["--offline", "connection", "modify", "connection.autoconnect", "yes"]);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("nmcli runs");
    // One that ends before it has read says why.
    let _ = child.stdin.take().expect("its input").write_all(text.as_bytes());
    child.wait_with_output().expect("nmcli ends")
}

/// `nmcli` of this machine's Debian, fetched once.
fn program() -> PathBuf {
    let folder = repository().join("out/nmcli");
    if !folder.exists() {
        let made = tempfile::tempdir_in(repository().join("out")).expect("a temporary directory");
        succeeds(Command::new("apt-get").args(["download", "network-manager"]).current_dir(&made));
        let deb = fs::read_dir(&made).expect("the folder").next().expect("a package").expect("its name");
        let tree = made.path().join("tree");
        succeeds(Command::new("dpkg-deb").arg("-x").arg(deb.path()).arg(&tree));
        // Another test may have been quicker.
        fs::rename(&tree, &folder)
            .or_else(|error| folder.exists().then_some(()).ok_or(error))
            .expect("its place");
    }
    folder.join("usr/bin/nmcli")
}
