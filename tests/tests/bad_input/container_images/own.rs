//! Images and manifests of the user's own, named in the cluster file: pinned, checked and carried as ours; or refused.

use super::*;

/// A manifest with an image of its own, and a Secret.
const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { template: { spec: { containers: [{ name: web, image: home/web:1 }] } } }
---
apiVersion: v1
kind: Secret
metadata: { name: web }
stringData: { password: yes }
";

/// A lab whose cluster file says `own` besides, with a registry that has images of ours for a master and a worker.
fn lab(own: &str) -> (Lab, Registry) {
    let registry = Registry::start();
    let mut lab = Lab::of("arm64", "1.36", &format!("{own}\n{CLUSTER}"));
    fill(&registry);
    let of_masters = [
        ("etcd", "3.6.8-0"),
        ("kube-apiserver", "v1.36.4"),
        ("kube-controller-manager", "v1.36.4"),
        ("kube-scheduler", "v1.36.4"),
    ];
    for (repository, tag) in of_masters {
        registry.push(repository, tag, &[ContainerImage::new(Dialect::Oci, "linux/arm64", repository)]);
    }
    lab.mirror = Some(registry.url());
    fs::create_dir(lab.bench.path("apps")).expect("a folder");
    lab.bench.write("apps/web.yaml", WEB.as_bytes());
    (lab, registry)
}

fn image(platform: &str, name: &str) -> ContainerImage {
    ContainerImage::new(Dialect::Oci, platform, name)
}

#[test]
fn own_images_and_manifests_are_pinned_and_carried() {
    let (lab, registry) = lab("images: { own: [home/nas:1.2] }\nmanifests: [apps/web.yaml]");
    registry.push("home/nas", "1.2", &[image("linux/amd64", "nas"), image("linux/arm64", "nas")]);
    registry.push("home/web", "1", &[image("linux/arm64", "web")]);
    let lock = lab.locked(&[]);
    for name in ["nas", "web"] {
        assert!(lock.contains(&hex(&image("linux/arm64", name).manifest)), "{lock}");
    }
    // A tag that moves moves nothing.
    registry.push("home/nas", "1.2", &[image("linux/arm64", "a newer one")]);
    assert_eq!(lab.locked(&[]), lock);
    succeeds(&mut lab.imgforge(&["fetch"]));
    let worker = lab.built();
    for (reference, name) in [("docker.io/home/nas:1.2", "nas"), ("docker.io/home/web:1", "web")] {
        judge_archive(
            &lab.archive(&worker, reference),
            &image("linux/arm64", name),
            reference,
            "linux/arm64",
        );
    }
    let on_worker = lab.bench.root_of(&worker);
    let look = |root: &str, request: &str| Tool::DEBUGFS.approves(["-R", request, root]);
    const PLACE: &str = "/etc/imgforge/addons/own-000-web.yaml";
    assert_eq!(look(&on_worker, &format!("cat {PLACE}")), "");

    succeeds(lab.command(&["build", "--node", "m"]).arg("--output").arg(lab.bench.path("out")));
    let on_master = lab.bench.root_of(&lab.bench.path("out/m.img"));
    assert_eq!(look(&on_master, &format!("cat {PLACE}")), WEB, "as it was written");
    assert!(look(&on_master, &format!("stat {PLACE}")).contains("Mode:  0600"), "there may be Secrets in it");
}

#[test]
fn what_cannot_be_carried_is_refused_with_its_place() {
    for (own, content, expected) in [
        ("manifests: [apps/none.yaml]", "", "manifests[0]: cannot read "),
        ("manifests: [apps/own.yaml]", "a: [", "document 1 is no YAML: "),
        ("manifests: [apps/own.yaml]", "a: 1\na: 2\n", "duplicate entry"),
        ("manifests: [apps/own.yaml]", "# nothing\n---\n", "there is no object in it"),
        (
            "manifests: [apps/own.yaml]",
            "hello: world\n",
            "is no object of Kubernetes: missing field `apiVersion`",
        ),
        (
            "manifests: [apps/own.yaml]",
            "{ apiVersion: v1, kind: Pod, metadata: { name: a }, spec: { containers: [{ image: 'a b' }] } }",
            "`a b` is no reference to a container image",
        ),
        ("images: { own: [home/nas:1.2, ':'] }", "", "images.own[1]: `:` is no reference"),
    ] {
        let (lab, _registry) = lab(own);
        lab.bench.write("apps/own.yaml", content.as_bytes());
        for words in [&["cluster", "check"][..], &["lock"]] {
            let output = lab.command(words).output().expect("imgforge");
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.code(), Some(1), "{own}: {said}");
            assert!(said.contains(expected) && said.contains("home.yaml:1:"), "{words:?}, {own}: {said}");
        }
    }
}

#[test]
fn that_nothing_is_carried_is_said() {
    let (lab, _registry) = lab("carry-images: false\nimages: { own: [home/nas:1.2] }");
    let output = succeeds(&mut lab.command(&["cluster", "check"]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("images.own: with `carry-images: false` the cards carry none of them"), "{said}");
}

#[test]
fn an_own_image_for_other_boards_is_refused() {
    const HINT: &str = "hint: take a release that is published for this board, or leave the board out";
    let (lab, registry) = lab("images: { own: [home/nas:1.2] }");
    let error = "error: the image docker.io/home/nas:1.2";
    registry.push("home/nas", "1.2", &[image("linux/amd64", "nas")]);
    lab.refuses(
        1,
        &[&format!("{error} is not there for linux/arm64; the registry has it for linux/amd64"), HINT],
    );
    // And one that is published for no board in particular.
    registry.push_image("home/nas", "1.2", &image("linux/amd64", "nas"));
    lab.refuses(
        1,
        &[&format!("{error} should be for linux/arm64, but its configuration says linux/amd64"), HINT],
    );
}

#[test]
fn an_own_image_whose_digest_has_changed_is_refused() {
    let promised = digest(&image("linux/arm64", "nas").manifest);
    let (lab, _) = Lab::with_liar();
    let text = format!("images: {{ own: ['home/nas@{promised}'] }}\n{CLUSTER}");
    lab.bench.write("home.yaml", text.as_bytes());
    lab.serve("home/nas", &format!("manifests/{promised}"), &image("linux/arm64", "another").manifest);
    let said = fails(&mut lab.imgforge(&["lock"]), 4);
    assert!(said.contains(&format!("docker.io/home/nas@{promised}")) && said.contains("sha256"), "{said}");
}
