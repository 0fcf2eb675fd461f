//! Settings of the system, judged by the programs that read them on a node.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, path::Path, process::Command};

use imgforge_tests::{Deb, SignedRepository, Workbench, approved, fails, file_in, nmcli, succeeds};
use tempfile::tempdir;

const WIFI: &str = "wifi: { ssid: ThisIsASSID, passphrase: ThisIsAPassword, country: DE, hidden: true }\n";
const CONFIGURATION: &str = "/etc/wpa_supplicant/wpa_supplicant-imgforge.conf";

/// A network that wpa_supplicant(8) reads. There is no such card here, so it ends with what it has read on its lips.
fn read_by_wpa_supplicant(configuration: &str) -> String {
    let folder = tempdir().unwrap();
    let file = folder.path().join("wpa_supplicant.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("/sbin/wpa_supplicant");
    let output = command.args(["-d", "-i", "nosuch0", "-D", "wired", "-c"]).arg(&file).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn wpa_supplicant_reads_the_network_and_makes_the_same_key() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, WIFI).unwrap();
    let image = bench.built("rk3328", "base", "node.img", &["--node", node.to_str().unwrap()]);
    let folder = tempdir().unwrap();
    let configuration = file_in(&approved(&image, folder.path()), CONFIGURATION);

    let said = read_by_wpa_supplicant(&configuration);
    assert!(said.contains("ssid='ThisIsASSID'"), "{said}");
    assert!(!said.contains("Line "), "{said}");
    let wrong = read_by_wpa_supplicant(&configuration.replace("scan_ssid", "scan"));
    assert!(wrong.contains("Line "), "a judge that takes everything is none: {wrong}");

    let made = succeeds(Command::new("wpa_passphrase").args(["ThisIsASSID", "ThisIsAPassword"]));
    let key = |text: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix("psk=").map(str::to_owned)).unwrap()
    };
    assert_eq!(key(&configuration), key(&String::from_utf8(made.stdout).unwrap()));
}

#[test]
fn networkmanager_takes_the_wireless_network_and_the_address() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    let address =
        "address: { address: 192.168.1.10/24, gateway: 192.168.1.1, dns: [192.168.1.1], interface: end0 }\n";
    fs::write(&node, format!("{WIFI}{address}")).unwrap();
    let image = bench.built("rpi4", "base", "node.img", &["--node", node.to_str().unwrap()]);
    let folder = tempdir().unwrap();
    let root = approved(&image, folder.path());
    let connection =
        |name: &str| file_in(&root, &format!("/etc/NetworkManager/system-connections/{name}.nmconnection"));
    let read = |text: &str| {
        let output = nmcli(text);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let wifi = connection("imgforge-wifi");
    for said in [
        "\ntype=wifi\n",
        "\nssid=ThisIsASSID\n",
        "\nhidden=true\n",
        "\nkey-mgmt=wpa-psk\n",
        "\ninterface-name=wlan0\n",
    ] {
        assert!(read(&wifi).contains(said), "{said}");
    }
    let wired = read(&connection("imgforge"));
    for said in ["\ninterface-name=end0\n", "\nmethod=manual\n", "=192.168.1.10/24", "192.168.1.1;"] {
        assert!(wired.contains(said), "{said}: {wired}");
    }
    let in_vlan = address.replace("interface: end0", "interface: end0, vlan: 20");
    fs::write(&node, in_vlan).unwrap();
    let image = bench.built("rpi4", "base", "vlan.img", &["--node", node.to_str().unwrap()]);
    let root = approved(&image, folder.path());
    let connection =
        |name: &str| file_in(&root, &format!("/etc/NetworkManager/system-connections/{name}.nmconnection"));
    let (vlan, card) = (read(&connection("imgforge")), read(&connection("imgforge-vlan")));
    for said in ["\ntype=vlan\n", "\nid=20\n", "\nparent=end0\n", "=192.168.1.10/24"] {
        assert!(vlan.contains(said), "{said}: {vlan}");
    }
    assert!(card.contains("\nmethod=disabled\n"), "{card}");
    let networks = "networks: [{ interface: end1, addresses: [10.0.0.10/24, 'fd00:9::10/64'] }, { interface: end0, vlan: 30, addresses: [10.0.30.10/24] }]\n";
    fs::write(&node, format!("{address}{networks}")).unwrap();
    let image = bench.built("rpi4", "base", "networks.img", &["--node", node.to_str().unwrap()]);
    let root = approved(&image, folder.path());
    let connection =
        |name: &str| file_in(&root, &format!("/etc/NetworkManager/system-connections/{name}.nmconnection"));
    let (disks, sensors) = (read(&connection("imgforge-end1")), read(&connection("imgforge-vlan30")));
    for said in ["\ninterface-name=end1\n", "=10.0.0.10/24", "=fd00:9::10/64"] {
        assert!(disks.contains(said), "{said}: {disks}");
    }
    for said in ["\ntype=vlan\n", "\nid=30\n", "\nparent=end0\n", "=10.0.30.10/24"] {
        assert!(sensors.contains(said), "{said}: {sensors}");
    }
    assert!(!nmcli(&wifi.replace("ssid=", "sid=")).status.success(), "a judge that takes everything is none");
}

#[test]
fn no_error_has_a_passphrase_in_it() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, WIFI.replace("ThisIsAPassword", "secret7")).unwrap();
    let (_, mut command) = bench.build("rk3328", "base", "node.img");
    let said = fails(command.arg("--node").arg(&node), 1);
    assert!(
        said.contains("node.yaml:1:") && said.contains("wifi.passphrase: a passphrase has 8 to 63"),
        "{said}"
    );
    assert!(!said.contains("secret7"), "{said}");
}

/// An authority made for a test, in `folder`: its certificate.
fn authority(folder: &Path) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=home", "-days", "9", "-keyout",
        "ca.key",
    ]);
    succeeds(openssl.args(["-out", "ca.pem"]).current_dir(folder));
    fs::read_to_string(folder.join("ca.pem")).unwrap()
}

/// What apt makes of configuration `text` after that of the package unattended-upgrades.
fn read_by_apt(text: &str) -> String {
    let folder = tempdir().unwrap();
    let parts = folder.path().join("apt.conf.d");
    fs::create_dir(&parts).unwrap();
    fs::write(
        parts.join("50unattended-upgrades"),
        "Unattended-Upgrade::Origins-Pattern { \"origin=Other\"; };\n",
    )
    .unwrap();
    fs::write(parts.join("60imgforge-upgrades"), text).unwrap();
    let first = folder.path().join("first.conf");
    fs::write(&first, format!("Dir::Etc::parts \"{}\";\n", parts.display())).unwrap();
    let output = succeeds(Command::new("apt-config").arg("dump").env("APT_CONFIG", &first));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn authorities_and_upgrades_are_read_by_debians_own_programs() {
    let bench = Workbench::new();
    let home = bench.home.path();
    let certificate = authority(home);
    let node = home.join("node.yaml");
    let settings = "system: { certificates: [{ file: ca.pem }], security-upgrades: true }\n";
    fs::write(&node, settings).unwrap();
    let image = bench.built("rk3328", "base", "node.img", &["--node", node.to_str().unwrap()]);
    let root = approved(&image, home);

    // What the first boot runs.
    let [local, trusted, nothing] = ["local", "trusted", "nothing"].map(|name| home.join(name));
    [&local, &trusted, &nothing].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let ours = file_in(&root, "/usr/local/share/ca-certificates/imgforge-1.crt");
    assert_eq!(ours, certificate);
    fs::write(local.join("imgforge-1.crt"), ours).unwrap();
    let mut update = Command::new("/usr/sbin/update-ca-certificates");
    update.args(["--certsconf", "/dev/null", "--localcertsdir"]).arg(&local);
    for (option, folder) in [("--etccertsdir", &trusted), ("--certsdir", &nothing), ("--hooksdir", &nothing)]
    {
        update.arg(option).arg(folder);
    }
    succeeds(&mut update);
    let bundle = trusted.join("ca-certificates.crt");
    assert!(
        fs::read_to_string(&bundle).unwrap().contains(certificate.lines().nth(1).unwrap()),
        "as the stage looks for it"
    );
    succeeds(Command::new("openssl").args(["verify", "-CAfile"]).arg(&bundle).arg(home.join("ca.pem")));

    let read = read_by_apt(&file_in(&root, "/etc/apt/apt.conf.d/60imgforge-upgrades"));
    assert!(read.contains("APT::Periodic::Unattended-Upgrade \"1\";"), "{read}");
    assert!(read.contains("codename=${distro_codename}-security,label=Debian-Security"), "{read}");
    assert!(!read.contains("origin=Other"), "only security: {read}");
    assert!(read.contains("Unattended-Upgrade::Package-Blacklist:: \"containerd\";"), "{read}");
}

#[test]
fn the_proxy_is_read_by_apt_and_by_whoever_logs_in() {
    let bench = Workbench::new();
    let home = bench.home.path();
    let node = home.join("node.yaml");
    let proxy =
        "proxy: { http: 'http://proxy.home.example:3128', no-proxy: [nas.home.example, 10.0.0.0/8] }\n";
    fs::write(&node, proxy).unwrap();
    let image = bench.built("rk3328", "base", "node.img", &["--node", node.to_str().unwrap()]);
    let root = approved(&image, home);
    let read = read_by_apt(&file_in(&root, "/etc/apt/apt.conf.d/95imgforge-proxy"));
    assert!(read.contains("Acquire::http::Proxy \"http://proxy.home.example:3128\";"), "{read}");
    assert!(read.contains("Acquire::http::Proxy::nas.home.example \"DIRECT\";"), "{read}");

    // A shell reads the lines as pam_env does.
    fs::write(home.join("environment"), file_in(&root, "/etc/environment")).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-euc", ". ./environment; echo \"$http_proxy $HTTP_PROXY $no_proxy\""]).current_dir(home);
    let output = succeeds(&mut shell);
    let both = "http://proxy.home.example:3128 http://proxy.home.example:3128 nas.home.example,10.0.0.0/8\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), both);

    fs::write(&node, proxy.replace("http://proxy", "http://me:word@proxy")).unwrap();
    let (_, mut command) = bench.build("rk3328", "base", "node.img");
    let said = fails(command.arg("--node").arg(&node), 1);
    assert!(said.contains("proxy.http: an address with a password") && !said.contains("word@"), "{said}");
}

#[test]
fn packages_of_an_own_repository_go_in_and_apt_on_the_node_knows_it() {
    let mut repository = SignedRepository::new();
    repository.add(&Deb::new("tool", "1.0").file("usr/share/tool/data", b"data\n"));
    repository.publish();
    let bench = Workbench::new();
    let home = bench.home.path();
    fs::write(home.join("home.asc"), repository.get("key.asc")).unwrap();
    let settings = |key: &str| {
        let uri = repository.url("");
        format!("packages: [tool]\nrepositories: [{{ name: home, uri: '{uri}', signed-by: {key} }}]\n")
    };
    let node = home.join("node.yaml");
    fs::write(&node, settings("home.asc")).unwrap();
    let image = bench.built("rk3328", "base", "node.img", &["--node", node.to_str().unwrap()]);
    let root = approved(&image, home);
    assert_eq!(file_in(&root, "/usr/share/tool/data"), "data\n");

    // apt itself, with the node's list and key.
    let key = home.join("imgforge-home.asc");
    fs::write(&key, file_in(&root, "/etc/apt/keyrings/imgforge-home.asc")).unwrap();
    let list = file_in(&root, "/etc/apt/sources.list.d/imgforge-home.sources");
    fs::write(
        home.join("home.sources"),
        list.replace("/etc/apt/keyrings/imgforge-home.asc", key.to_str().unwrap()),
    )
    .unwrap();
    for folder in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    let apt = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).args(["-o", "Dir::Etc::sourceparts=/dev/null", "-o", "APT::Sandbox::User=root"]);
        command.args(["-o", "APT::Architecture=arm64", "-o", "APT::Architectures=arm64"]);
        for (name, place) in
            [("Etc::sourcelist", "home.sources"), ("State::lists", "lists"), ("Cache", "cache")]
        {
            command.arg("-o").arg(format!("Dir::{name}={}", home.join(place).display()));
        }
        let output = succeeds(&mut command);
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let said = apt("apt-get", &["update"]);
    assert!(!said.contains("W:") && !said.contains("E:"), "{said}");
    let policy = apt("apt-cache", &["policy", "tool"]);
    assert!(policy.contains("Candidate: 1.0"), "{policy}");

    // Another's key does not vouch for it.
    repository.gnupg().key("stranger", "never");
    fs::write(home.join("other.asc"), repository.gnupg().public_key("stranger")).unwrap();
    fs::write(&node, settings("other.asc")).unwrap();
    let (_, mut command) = bench.build("rk3328", "base", "other.img");
    let said = fails(command.arg("--node").arg(&node).arg("--lock").arg(home.join("new.lock.yaml")), 1);
    assert!(said.contains("no valid signature of a pinned key"), "{said}");
}
