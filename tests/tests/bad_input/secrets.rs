//! A cluster's secrets that cannot be opened, and keys that open nothing.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::bench::{Bench, Case, refused};
use imgforge_tests::{Tool, repository, succeeds};

const CLUSTER: &str = "\
name: home
add-ons: { network: none }
nodes:
  - { hostname: m, board: virt-arm64, role: master, address: 192.168.76.10/24 }
";

/// How an answer names what opens secrets.
const WITH_A_KEY: &str =
    "hint: name the file with the AGE-SECRET-KEY-1… with --identity FILE, or in IMGFORGE_IDENTITY";
const NEW_KEY: &str = "hint: `age-keygen -o FILE` makes a key, and `age-keygen -y FILE` prints its recipient";

/// `imgforge VERB --cluster home.yaml OPTIONS`.
fn imgforge(bench: &Bench, verb: &[&str], options: &[&str]) -> Command {
    let mut command = bench.imgforge();
    command.env("IMGFORGE_PROFILES", repository().join("board-profiles"));
    command.args(verb).arg("--cluster").arg(bench.path("home.yaml")).args(options);
    command
}

/// A key that `age-keygen` makes, as `NAME.txt`; returns its recipient.
fn key(bench: &Bench, name: &str) -> String {
    let path = bench.path(&format!("{name}.txt")).display().to_string();
    Tool::AGE_KEYGEN.approves(["-o", &path]);
    Tool::AGE_KEYGEN.approves(["-y", &path]).trim().to_owned()
}

/// A cluster with secrets that are encrypted for `key.txt`.
fn encrypted(bench: &Bench) {
    bench.write("home.yaml", CLUSTER.as_bytes());
    let recipient = key(bench, "key");
    succeeds(&mut imgforge(bench, &["cluster", "init"], &["--recipient", &recipient]));
}

/// Asks for what needs the secrets, with the key in `identity`.
fn opened(bench: &Bench, identity: &str) -> Command {
    let mut command = imgforge(bench, &["kubeconfig"], &["--identity"]);
    command.arg(bench.path(identity));
    command
}

/// The same once the encrypted secrets were altered.
fn altered(bench: &Bench, alter: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Command {
    encrypted(bench);
    let path = bench.path("home.secrets.yaml.age");
    fs::write(&path, alter(fs::read(&path).expect("secrets"))).expect("others");
    opened(bench, "key.txt")
}

/// The same with a file for the key that holds `text`.
fn with_identity(bench: &Bench, text: &[u8]) -> Command {
    encrypted(bench);
    chmod(&bench.write("other.txt", text), 0o600);
    opened(bench, "other.txt")
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// `cluster init` for this recipient.
fn init_for(bench: &Bench, recipient: &str) -> Command {
    bench.write("home.yaml", CLUSTER.as_bytes());
    imgforge(bench, &["cluster", "init"], &["--recipient", recipient])
}

#[test]
fn encrypted_secrets_that_cannot_be_opened_are_refused() {
    refused(&[
        Case {
            name: "no key",
            input: |bench| {
                encrypted(bench);
                imgforge(bench, &["kubeconfig"], &[])
            },
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age is encrypted, and there is no key to open it with",
                WITH_A_KEY,
            ],
        },
        Case {
            name: "no key for a build",
            input: |bench| {
                encrypted(bench);
                imgforge(bench, &["build"], &["--frozen"])
            },
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age is encrypted, and there is no key to open it with",
                WITH_A_KEY,
            ],
        },
        Case {
            name: "a key of another",
            input: |bench| {
                encrypted(bench);
                key(bench, "other");
                opened(bench, "other.txt")
            },
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age is encrypted, but not for a key in ~/other.txt",
                "hint: give the key of one of its recipients, or have one of them encrypt it for yours",
            ],
        },
        Case {
            name: "a changed byte",
            input: |bench| {
                altered(bench, |mut text| {
                    let middle = text.len() / 2;
                    text[middle] = if text[middle] == b'A' { b'B' } else { b'A' };
                    text
                })
            },
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age cannot be decrypted",
                "  caused by: it is damaged: ",
                "hint: take it from a backup, or from version control",
            ],
        },
        Case {
            name: "cut off",
            input: |bench| altered(bench, |text| text[..text.len() / 2].to_vec()),
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age cannot be decrypted",
                "  caused by: it is damaged: its armour does not end as it should, so it was cut off",
                "hint: take it from a backup, or from version control",
            ],
        },
        Case {
            name: "too long",
            input: |bench| altered(bench, |text| [text, vec![b'\n'; 1 << 20]].concat()),
            code: 1,
            answer: &["error: ~/home.secrets.yaml.age has more than 1024 KiB", "hint: is it the right file?"],
        },
        Case {
            name: "for SSH keys",
            input: |bench| {
                altered(bench, |_| {
                    b"age-encryption.org/v1\n-> ssh-ed25519 AAAA\nAAAA\n--- AAAA\nAAAAAAAAAAAAAAAA".to_vec()
                })
            },
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age cannot be decrypted",
                "  caused by: it is encrypted with keys of other kinds, where only age's X25519 keys (age1…) are understood",
                "hint: open it with `age -d ~/home.secrets.yaml.age`, and encrypt it for the recipient of a key that `age-keygen` makes",
            ],
        },
        Case {
            name: "another cluster's",
            input: |bench| {
                encrypted(bench);
                bench.write("home.yaml", CLUSTER.replace("home", "cabin").as_bytes());
                opened(bench, "key.txt")
            },
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age cannot be used",
                "  caused by: these are the secrets of the cluster home, not of cabin; give the right file",
            ],
        },
        Case {
            name: "no secrets in it",
            input: |bench| {
                encrypted(bench);
                let recipient = Tool::AGE_KEYGEN.approves(["-y", &bench.path("key.txt").to_string_lossy()]);
                let path = bench.path("home.secrets.yaml.age").display().to_string();
                let noise = bench.write("noise", &[0xff; 100]).display().to_string();
                Tool::AGE.approves(["-r", recipient.trim(), "-o", &path, &noise]);
                opened(bench, "key.txt")
            },
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age cannot be used",
                "  caused by: this is no secrets file as `cluster init` writes it; take it from a backup",
            ],
        },
    ]);
}

#[test]
fn what_is_no_key_is_refused() {
    refused(&[
        Case {
            name: "no file",
            input: |bench| {
                encrypted(bench);
                opened(bench, "nowhere.txt")
            },
            code: 1,
            answer: &["error: there is no identity file ~/nowhere.txt", WITH_A_KEY],
        },
        Case {
            name: "one that others can read",
            input: |bench| {
                encrypted(bench);
                chmod(&bench.path("key.txt"), 0o640);
                opened(bench, "key.txt")
            },
            code: 1,
            answer: &[
                "error: ~/key.txt can be read by others (mode 0640)",
                "hint: `chmod 600 ~/key.txt`; if others have read it, they can open what is encrypted for it",
            ],
        },
        Case {
            name: "an empty one",
            input: |bench| with_identity(bench, b"# created: never\n"),
            code: 1,
            answer: &[
                "error: ~/other.txt is no identity file",
                "  caused by: there is no key in it: no line begins with AGE-SECRET-KEY-1",
                "hint: it has to be as `age-keygen -o FILE` writes it; passphrases, SSH keys and plugins are left to `age`",
            ],
        },
        Case {
            name: "an SSH key",
            input: |bench| with_identity(bench, b"\n-----BEGIN OPENSSH PRIVATE KEY-----\n"),
            code: 1,
            answer: &[
                "error: ~/other.txt is no identity file",
                "  caused by: line 2: this is no AGE-SECRET-KEY-1…, or incomplete",
                "hint: it has to be as `age-keygen -o FILE` writes it; ",
            ],
        },
        Case {
            name: "an encrypted one",
            input: |bench| {
                encrypted(bench);
                opened(bench, "home.secrets.yaml.age")
            },
            code: 1,
            answer: &[
                "error: ~/home.secrets.yaml.age is no identity file",
                "  caused by: line 1: the key is encrypted itself",
                "hint: it has to be as `age-keygen -o FILE` writes it; ",
            ],
        },
        Case {
            name: "an endless one",
            input: |bench| {
                encrypted(bench);
                opened(bench, "/dev/zero")
            },
            code: 1,
            answer: &["error: /dev/zero has more than 1024 KiB", "hint: is it the right file?"],
        },
    ]);
}

#[test]
fn whoever_is_no_recipient_is_named() {
    refused(&[
        Case {
            name: "a word",
            input: |bench| init_for(bench, "alice"),
            code: 1,
            answer: &["error: `alice` is no age recipient: one begins with age1", NEW_KEY],
        },
        Case {
            name: "a typing error",
            input: |bench| init_for(bench, "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwk"),
            code: 1,
            answer: &[
                "error: `age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwk` is no age recipient: it is incomplete, or has a typing error",
                NEW_KEY,
            ],
        },
        Case {
            name: "an SSH key",
            input: |bench| init_for(bench, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ops"),
            code: 1,
            answer: &[
                "error: `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ops` is no age recipient: SSH keys are none",
                NEW_KEY,
            ],
        },
        Case {
            name: "a secret key, which is not repeated",
            input: |bench| init_for(bench, "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQ"),
            code: 1,
            answer: &["error: a secret key was given in place of a recipient", NEW_KEY],
        },
        Case {
            name: "no file",
            input: |bench| {
                bench.write("home.yaml", CLUSTER.as_bytes());
                let mut command = imgforge(bench, &["cluster", "init"], &["--recipients-file"]);
                command.arg(bench.path("nowhere.txt"));
                command
            },
            code: 1,
            answer: &["error: there is no file with recipients ~/nowhere.txt", NEW_KEY],
        },
        Case {
            name: "nobody in a file",
            input: |bench| {
                bench.write("home.yaml", CLUSTER.as_bytes());
                let mut command = imgforge(bench, &["cluster", "init"], &["--recipients-file"]);
                command.arg(bench.write("recipients.txt", b"# nobody yet\n"));
                command
            },
            code: 1,
            answer: &[
                "error: ~/recipients.txt cannot be used",
                "  caused by: there is no recipient",
                NEW_KEY,
            ],
        },
    ]);
}

#[test]
fn what_can_be_done_with_age_can_be_undone_with_it() {
    let bench = Bench::new();
    encrypted(&bench);
    let (secrets, key_file) = (bench.path("home.secrets.yaml.age"), bench.path("key.txt"));
    succeeds(&mut opened(&bench, "key.txt"));
    let kubeconfig = || fs::read(bench.path("home.kubeconfig")).expect("a kubeconfig");
    let first = kubeconfig();

    let plain = Tool::AGE.approves(["-d", "-i", &key_file.to_string_lossy(), &secrets.to_string_lossy()]);
    assert!(plain.contains("\ncluster: home\n"));
    let plain = bench.write("plain.yaml", plain.as_bytes());
    chmod(&plain, 0o600);
    succeeds(imgforge(&bench, &["kubeconfig"], &["--secrets"]).arg(&plain));
    assert_eq!(kubeconfig(), first);

    // Another recipient in place of the first; the file is binary this time.
    let recipient = key(&bench, "other");
    fs::remove_file(&secrets).expect("secrets");
    Tool::AGE.approves(["-r", &recipient, "-o", &secrets.to_string_lossy(), &plain.to_string_lossy()]);
    succeeds(imgforge(&bench, &["kubeconfig"], &[]).env("IMGFORGE_IDENTITY", bench.path("other.txt")));
    assert_eq!(kubeconfig(), first);
    assert!(!opened(&bench, "key.txt").status().expect("imgforge runs").success());
}

#[test]
fn a_key_in_the_environment_is_no_matter_where_there_is_no_cluster() {
    let bench = Bench::new();
    succeeds(bench.build().env("IMGFORGE_IDENTITY", bench.path("nowhere.txt")));
}
