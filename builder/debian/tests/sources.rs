//! Lists of repositories, as apt itself reads them.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod support;

use std::process::Command;

use imgforge_debian::{Layout, Source, parse_deb822_sources, parse_source_list};
use support::{run, shell};

/// What apt would fetch for arm64 from these lists: address, suite and component of each index.
fn apt_targets(name: &str, list: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    shell(
        directory.path(),
        &format!(
            "mkdir -p state/lists/partial cache etc/sources.list.d etc/apt.conf.d; : > state/status
             cat > apt.conf <<E
Dir \"{path}\"; Dir::State \"state\"; Dir::State::status \"state/status\"; Dir::Cache \"cache\"; Dir::Etc \"etc\";
APT::Architecture \"arm64\"; APT::Architectures {{ \"arm64\"; }};
E"
        ),
    );
    std::fs::write(directory.path().join("etc/sources.list.d").join(name), list).unwrap();
    let format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ARCHITECTURE)|";
    let arguments = ["indextargets", "--no-release-info", "--format", format, "Created-By: Packages"];
    let output = run(Command::new("apt-get")
        .args(arguments)
        .env("APT_CONFIG", directory.path().join("apt.conf"))
        .env("LC_ALL", "C"));
    // Flat repositories have neither component nor architecture; apt leaves those words as they are.
    let target = |line: &str| {
        let words: Vec<&str> =
            line.split('|').map(|word| if word.starts_with("$(") { "" } else { word }).collect();
        let native = ["", "arm64"].contains(&words[3]);
        native.then(|| {
            format!("{} {} {}", words[0], words[1].trim_start_matches("./").trim_matches('/'), words[2])
        })
    };
    output.lines().filter_map(target).collect()
}

fn targets(sources: &[Source]) -> Vec<String> {
    let of_source = |source: &Source| match &source.layout {
        Layout::Flat { directory } => vec![format!("{} {directory} ", source.uri)],
        Layout::Suite { suite, components } => {
            components.iter().map(|component| format!("{} {suite} {component}", source.uri)).collect()
        }
    };
    let ours = |source: &&Source| {
        source.architectures.is_empty() || source.architectures.iter().any(|name| name == "arm64")
    };
    sources.iter().filter(ours).flat_map(of_source).collect()
}

#[test]
fn lines_mean_what_apt_takes_them_to_mean() {
    let list = "deb http://archive.raspberrypi.com/debian/ trixie main untested # comment\n\
        # deb http://a x main\n\tdeb\t[ arch=armhf,arm64 signed-by=/k.gpg ] https://apt.armbian.com trixie main \n\n\
        deb-src http://b x main\ndeb [trusted=yes] file:/srv ./\ndeb [lang=none] https://pkgs.k8s.io/v1.36/deb/ /\n\
        deb [ARCH=armhf] http://c x main\ndeb http://d ./sub/dir/\ndeb http://e trixie/updates main\n";
    let ours = targets(&parse_source_list(list.as_bytes()).unwrap());
    assert_eq!(ours.len(), 8, "{ours:#?}");
    assert_eq!(ours, apt_targets("test.list", list));
}

#[test]
fn stanzas_mean_what_apt_takes_them_to_mean() {
    let list = "# Comment\nTypes: deb deb-src\nURIs: http://a http://b/\nSuites: x x-updates\n\
        Components: main\n contrib\nArchitectures: arm64\nSigned-By:\n /k.gpg\n\n\
        Enabled: No\nTypes: deb\nURIs: http://c\nSuites: x\nComponents: main\n\n\
        Types: deb-src\nURIs: http://d\nSuites: x\nComponents: main\n\n\
        enabled: yes\ntypes: deb\nuris: http://e\nsuites: sub/dir/\n";
    let ours = targets(&parse_deb822_sources(list.as_bytes()).unwrap());
    assert_eq!(ours.len(), 9, "{ours:#?}");
    assert_eq!(ours, apt_targets("test.sources", list));
}
