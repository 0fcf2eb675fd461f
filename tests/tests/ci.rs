//! What `docs/ci.md` says to those who build many images, run as it stands there.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use imgforge_tests::{Workbench, repository, succeeds};

const CLUSTER: &str = "\
users: [{ name: ops, ssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me] }]
add-ons: { network: none }
carry-images: false
nodes:
  - { hostname: master, board: virt-arm64, role: master }
  - { hostname: desk-1, board: virt-arm64, role: base }
  - { hostname: desk-2, board: virt-arm64, role: base }
  - { hostname: desk-3, board: rk3328, role: base, packages: [tree] }
";

/// The script of the Job on the page: what stands below `- |`, less deep.
fn script() -> String {
    let page = fs::read_to_string(repository().join("docs/ci.md")).unwrap();
    let (_, rest) = page.split_once("- |\n").unwrap();
    let depth = rest.len() - rest.trim_start().len();
    let lines = rest.lines().take_while(|line| line.len() > depth && line[..depth].trim().is_empty());
    lines.map(|line| format!("{}\n", &line[depth..])).collect()
}

/// The script of the job on the page that writes GitLab's pipeline: what is folded below `- >-`.
fn first_job_of_gitlab() -> String {
    let page = fs::read_to_string(repository().join("docs/ci.md")).unwrap();
    let (_, rest) = page.split_once("- >-\n").unwrap();
    let (script, _) = rest.split_once("      artifacts: { paths: [nodes.yml] }").unwrap();
    script.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn jobs_of_a_job_share_a_store_and_make_an_image_each() {
    let bench = Workbench::new();
    let home = bench.home.path();
    fs::write(home.join("home.yaml"), CLUSTER).unwrap();
    succeeds(bench.imgforge().current_dir(home).args(["cluster", "init", "--cluster", "home.yaml"]));
    // The master's Kubernetes cannot be had here.
    for verb in ["lock", "fetch"] {
        let mut command = bench.imgforge();
        command.current_dir(home).args([verb, "--cluster", "home.yaml"]);
        succeeds(command.args(["--node", "desk-1", "--node", "desk-2", "--node", "desk-3"]));
    }
    let listed = succeeds(bench.imgforge().current_dir(home).args(["matrix", "--cluster", "home.yaml"]));
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.contains("desk-3  rk3328") && listed.contains("desk-3.img"), "{listed}");

    // The scripts say `imgforge`, as a container has it.
    let imgforge = bench.imgforge();
    let folder = Path::new(imgforge.get_program()).parent().unwrap().to_owned();
    let shell = |script: &str| {
        let mut job = Command::new("sh");
        job.current_dir(home).env_clear();
        job.envs(imgforge.get_envs().filter_map(|(name, value)| Some((name, value?))));
        job.args(["-euc", script]).env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        job
    };
    succeeds(&mut shell(&first_job_of_gitlab()));
    let pipeline: serde_json::Value =
        serde_json::from_slice(&fs::read(home.join("nodes.yml")).unwrap()).unwrap();
    let build = "imgforge build --cluster home.yaml --node desk-3 --locked --output cards";
    assert_eq!(pipeline["desk-3"]["script"][0], build);
    assert_eq!(pipeline.as_object().unwrap().len(), 4);

    let jobs: Vec<_> = (1..4)
        .map(|index| {
            let mut job = shell(&script());
            job.env("JOB_COMPLETION_INDEX", index.to_string()).env("CARDS", home.join("cards"));
            job.stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for job in jobs {
        let output = job.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for node in ["desk-1", "desk-2", "desk-3"] {
        succeeds(bench.imgforge().arg("verify").arg(home.join(format!("cards/{node}.img"))));
    }
}

/// A stand-in for GitHub's program: it has one release, of a program that says its version.
const GH: &str = r#"#!/bin/sh
set -eu
printf '%s ' "$@" >"$RELEASE/asked"
cp "$RELEASE"/imgforge-* "$RELEASE/SHA256SUMS" .
"#;

/// What the action's first step makes of a release whose sums are `sums` for its program.
fn installs(folder: &Path, sums: impl Fn(&str) -> String) -> std::process::Output {
    let [release, tools, made] = ["release", "tools", "made"].map(|name| folder.join(name));
    for folder in [&release, &tools] {
        fs::create_dir_all(folder).unwrap();
    }
    let machine = String::from_utf8(succeeds(Command::new("uname").arg("-m")).stdout).unwrap();
    let name = format!("imgforge-0.1.0-{}-unknown-linux-musl", machine.trim());
    let program = release.join(&name);
    fs::write(&program, "#!/bin/sh\necho imgforge 0.1.0\n").unwrap();
    let sum = format!("{}  {name}\n", imgforge_tests::sha256(&program));
    fs::write(release.join("SHA256SUMS"), sums(&sum)).unwrap();
    let gh = tools.join("gh");
    fs::write(&gh, GH).unwrap();
    fs::set_permissions(&gh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut script = Command::new(repository().join("scripts/install-release"));
    script.env("PATH", format!("{}:/usr/bin:/bin", tools.display())).env("RELEASE", &release);
    script.env("VERSION", "v0.1.0").env("REPOSITORY", "imgforge/imgforge");
    script.env("FOLDER", &made).env("GITHUB_PATH", folder.join("path"));
    script.output().unwrap()
}

#[test]
fn the_action_installs_a_release_that_is_what_its_sums_say() {
    let folder = tempfile::tempdir().unwrap();
    let output = installs(folder.path(), str::to_owned);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "imgforge 0.1.0\n", "{output:?}");
    let asked = fs::read_to_string(folder.path().join("release/asked")).unwrap();
    assert!(asked.starts_with("release download v0.1.0 --repo imgforge/imgforge --clobber "), "{asked}");
    let path = fs::read_to_string(folder.path().join("path")).unwrap();
    assert_eq!(path.trim(), folder.path().join("made").display().to_string());
}

#[test]
fn the_action_runs_no_program_that_its_release_does_not_vouch_for() {
    type Sums = fn(&str) -> String;
    let cases: [(Sums, &str); 2] = [
        (
            |sum| sum.replacen(|c: char| c.is_ascii_hexdigit(), "", 1).replace("  ", "0  "),
            "is not what SHA256SUMS says",
        ),
        (|_| String::new(), "SHA256SUMS does not name imgforge-0.1.0-"),
    ];
    for (sums, said) in cases {
        let folder = tempfile::tempdir().unwrap();
        let output = installs(folder.path(), sums);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty() && errors.contains(said), "{errors}");
    }
}
