//! A web server with a store: nginx takes what `store push` puts there, and others' builds take it from there.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::Duration,
};

use imgforge_tests::{Workbench, fails, free_port, succeeds};
use tempfile::{TempDir, tempdir};

/// nginx as the page has it: it shows what is below `imgforge/`, and takes files.
struct Nginx {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Nginx {
    fn start(takes: bool) -> Self {
        let (folder, port) = (tempdir().unwrap(), free_port());
        let at = folder.path().display();
        let dav = if takes { "dav_methods PUT; create_full_put_path on;" } else { "" };
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\nevents {{}}\nhttp {{\n\
             access_log {at}/access.log; client_body_temp_path {at}/body; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
             uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
             server {{ listen 127.0.0.1:{port}; root {at}; client_max_body_size 0; location /imgforge/ {{ {dav} }} }}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        fs::create_dir(folder.path().join("imgforge")).unwrap();
        let mut nginx = Command::new("/usr/sbin/nginx");
        let child =
            nginx.arg("-c").arg(&file).arg("-e").arg(folder.path().join("error.log")).spawn().unwrap();
        let nginx = Self { folder, port, child };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return nginx;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("nginx does not come up: {}", fs::read_to_string(nginx.path("error.log")).unwrap_or_default());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/imgforge", self.port)
    }

    /// Requests with this method that it answered with `status`.
    fn answered(&self, method: &str, status: u16) -> usize {
        let log = fs::read_to_string(self.path("access.log")).unwrap();
        log.lines()
            .filter(|line| line.contains(&format!("\"{method} ")) && line.contains(&format!("\" {status} ")))
            .count()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds a node with a package; what it takes is in the lock beside it.
fn build(bench: &Workbench, lock: &Path, options: &[&str]) -> Command {
    let (_, mut command) = bench.build("rk3328", "base", "node.img");
    fs::write(bench.home.path().join("node.yaml"), "packages: [tree]\n").unwrap();
    command.args(["--force", "--node"]).arg(bench.home.path().join("node.yaml"));
    command.arg("--lock").arg(lock).args(options);
    command
}

fn use_cache(bench: &Workbench, url: &str) {
    let configuration = bench.home.path().join("config.yaml");
    let text = fs::read_to_string(&configuration).unwrap();
    let mirrors = text.split("caches:").next().unwrap();
    fs::write(configuration, format!("{mirrors}caches: ['{url}']\n")).unwrap();
}

#[test]
fn what_one_pushes_others_build_from() {
    let nginx = Nginx::start(true);
    let first = Workbench::with_empty_store();
    // One that does not answer is waited for once, not for each file.
    use_cache(&first, &format!("http://127.0.0.1:{}", free_port()));
    let lock = first.home.path().join("a.lock.yaml");
    succeeds(&mut build(&first, &lock, &[]));
    let push = |bench: &Workbench| {
        let mut command = bench.imgforge();
        command.args(["store", "push", &nginx.url(), "--lock"]).arg(&lock);
        String::from_utf8(succeeds(&mut command).stdout).unwrap()
    };
    let said = push(&first);
    assert!(said.ends_with(" files pushed, 0 were there\n") && !said.starts_with("0 "), "{said}");
    let put = nginx.answered("PUT", 201);
    assert!(push(&first).starts_with("0 files pushed, "), "again only what is missing");
    assert_eq!(nginx.answered("PUT", 201), put);

    // Another's vendor has nothing any more.
    let second = Workbench::with_empty_store();
    use_cache(&second, &nginx.url());
    for request in first.server.requests() {
        second.server.remove(request.split(' ').nth(1).unwrap());
    }
    succeeds(&mut build(&second, &lock, &["--locked"]));
    let images = [&first, &second].map(|bench| bench.home.path().join("node.img"));
    imgforge_tests::same(&images[0], &images[1], &[""]);

    // A file that was altered there is not believed: it is asked for elsewhere, where the first one's vendor still is.
    for entry in fs::read_dir(nginx.path("imgforge/blobs")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        fs::write(path, [b"x", &bytes[1..]].concat()).unwrap();
    }
    use_cache(&first, &nginx.url());
    fs::remove_dir_all(first.home.path().join("store/blobs")).unwrap();
    succeeds(&mut build(&first, &lock, &["--locked"]));
    imgforge_tests::same(&images[0], &images[1], &[""]);
}

#[test]
fn a_server_that_takes_nothing_says_so() {
    let nginx = Nginx::start(false);
    let bench = Workbench::with_empty_store();
    fs::create_dir_all(bench.home.path().join("store/blobs")).unwrap();
    let bytes = b"a file";
    let name = name_of(bytes);
    fs::write(bench.home.path().join("store/blobs").join(&name), bytes).unwrap();
    let said = fails(bench.imgforge().args(["store", "push", &nginx.url()]), 4);
    let expected = format!(
        "error: cannot put {}/blobs/{name}\n  caused by: the server answered 405 Method Not Allowed\nhint: the server has to take files by PUT",
        nginx.url()
    );
    assert!(said.contains(&expected), "{said}\n{expected}");
    let said = fails(bench.imgforge().args(["store", "push", "nas:/imgforge"]), 1);
    assert!(said.contains("`nas:/imgforge` is no address of a web server"), "{said}");
}

/// The name of a published file in a store.
fn name_of(bytes: &[u8]) -> String {
    let folder = tempdir().unwrap();
    let file = folder.path().join("x");
    fs::write(&file, bytes).unwrap();
    imgforge_tests::sha256(&file)
}
