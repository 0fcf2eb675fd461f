//! Scripts of the first boot, from the file that names them to the plan.

use std::{fs, path::Path};

use imgforge::{
    catalogue::Catalogue,
    image::change::{Action, Volume},
    plan,
    supply::pin::Additions,
    target::{SecretsPaths, cluster::ClusterFile, node::Node},
};
use imgforge_spec::Role;
use tempfile::TempDir;

use crate::plan::{boot, change, pinned, repository, request, root, text};

const SCRIPT: &str = "#!/bin/sh\necho hello > /etc/motd\n";

/// What is said of a settings file that reads `settings`, beside which lie `files`.
fn complaint(settings: &str, files: &[(&str, &[u8])]) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("node.yaml");
    fs::write(&path, settings).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let message = Node::read(&path).unwrap_err().to_string();
    message.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn scripts_go_in_by_their_order_and_are_roots_alone() {
    let settings = "run-once:\n  - {name: zebra, script: \"#!/bin/sh\\n\"}\n  - {name: ant, script: \"#!/bin/sh\\necho hello > /etc/motd\\n\"}\n";
    let request = request("rpi4", Role::Base, settings);
    let changes = plan::plan(&pinned(&request), &Additions::default(), &root(), Some(&boot())).unwrap();
    assert_eq!(text(&changes, Volume::Root, "/etc/imgforge/run-once/02-ant"), SCRIPT);
    let script = change(&changes, Volume::Root, "/etc/imgforge/run-once/01-zebra");
    let Action::File { attributes, .. } = &script.action else { panic!("no file") };
    assert_eq!((attributes.access.mode, script.secret), (0o700, true));
    assert_eq!(script.origins[0].to_string(), "node run-once");
    let link = "/etc/systemd/system/imgforge-first-boot.target.wants/imgforge-scripts.service";
    change(&changes, Volume::Root, link);
    assert!(request.holds_secrets(&changes) && !request.is_release());
}

#[test]
fn a_node_without_scripts_has_no_such_stage() {
    let request = request("rpi4", Role::Base, "");
    let changes = plan::plan(&pinned(&request), &Additions::default(), &root(), Some(&boot())).unwrap();
    let is_of_it = |path: &str| path.contains("run-once") || path.contains(".wants/imgforge-scripts");
    assert!(!changes.iter().any(|change| is_of_it(&change.path.to_string())));
}

#[test]
fn what_a_node_could_not_run_is_told_with_its_line() {
    let file = "run-once:\n  - {name: a, script: \"#!/bin/sh\\n\"}\n  - {name: nas, file: nas.sh}\n";
    for (content, said) in [
        (&b"echo hello\n"[..], "nas.sh: a script begins with `#!` and what runs it, such as `#!/bin/sh`"),
        (
            b"#!/bin/sh\r\n",
            "nas.sh: its lines end with CR LF, and no interpreter has a CR in its name; save it with LF",
        ),
        (b"#!/bin/sh\n\xff", "nas.sh is no text in UTF-8"),
        (&[b'#'; (1 << 20) + 1], "nas.sh has 1048577 bytes; here it may have at most 1048576"),
    ] {
        let wanted = format!("node.yaml:3:17: run-once[1].file: {said}");
        assert_eq!(complaint(file, &[("nas.sh", content)]), wanted);
    }
    assert_eq!(
        complaint(file, &[]),
        "node.yaml:3:17: run-once[1].file: cannot read nas.sh: No such file or directory (os error 2)"
    );
    assert_eq!(
        complaint("run-once: [{name: x, file: .}]", &[]),
        "node.yaml:1:22: run-once[0].file: . is no file"
    );
    assert_eq!(
        complaint("run-once:\n  - name: a\n    script: #!/bin/sh\n", &[]),
        "node.yaml:3:5: run-once[0].script: there is neither a `script` nor a `file`; after `script:` a `#` begins a comment unless there is a quote or `|` before it"
    );
    let twice = "run-once:\n  - {name: a, script: \"#!/bin/sh\"}\n  - {name: a, script: \"#!/bin/sh\"}\n";
    assert_eq!(complaint(twice, &[]), "node.yaml:3:6: run-once[1].name: `a` is there twice");
}

const CLUSTER: &str = "\
add-ons: { network: none }
users: [{ name: ops }]
run-once:
  - { name: all, file: scripts/all.sh }
nodes:
  - hostname: m1
    board: virt
    role: master
    run-once:
      - { name: own, script: \"#!/bin/sh\\n\" }
";

/// A cluster file of this text in a folder with the script for all nodes, and what is said of it.
fn in_cluster<T>(text: &str, look: impl Fn(&ClusterFile<'_>, &Path) -> T) -> T {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("scripts")).unwrap();
    fs::write(folder.path().join("scripts/all.sh"), SCRIPT).unwrap();
    let path = folder.path().join("home.yaml");
    fs::write(&path, text).unwrap();
    let catalogue = Catalogue::load(vec![repository().join("board-profiles")]).unwrap();
    look(&ClusterFile::read(&path, &SecretsPaths::default(), &catalogue).unwrap(), folder.path())
}

fn errors(text: &str) -> Vec<String> {
    in_cluster(text, |file, folder| {
        let located = file.findings().into_iter().map(|found| found.to_string());
        let ours = located.filter(|found| found.contains("run-once"));
        ours.map(|found| found.replace(&format!("{}/", folder.display()), "")).collect()
    })
}

#[test]
fn those_of_a_cluster_run_before_a_nodes_own() {
    assert_eq!(errors(CLUSTER), Vec::<String>::new());
    let scripts = in_cluster(CLUSTER, |file, _| file.targets(&[]).unwrap().remove(0).node.run_once);
    let named: Vec<_> = scripts.iter().map(|script| (script.name.as_str(), script.text().unwrap())).collect();
    assert_eq!(named, [("all", SCRIPT), ("own", "#!/bin/sh\n")]);
}

#[test]
fn a_script_of_a_cluster_is_told_where_it_stands() {
    assert_eq!(
        errors(&CLUSTER.replace("all.sh", "none.sh")),
        [
            "home.yaml:4:18: run-once[0].file: cannot read scripts/none.sh: No such file or directory (os error 2)"
        ]
    );
    assert_eq!(
        errors(&CLUSTER.replace("#!/bin/sh", "echo")),
        [
            "home.yaml:10:22: nodes[0].run-once[0].script: a script begins with `#!` and what runs it, such as `#!/bin/sh`"
        ]
    );
    assert_eq!(
        errors(&CLUSTER.replace("own,", "all,")),
        [
            "home.yaml:10:11: nodes[0].run-once[0].name: `all` is among `run-once` of the whole cluster already; name it in one place"
        ]
    );
}
