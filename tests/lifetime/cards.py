"""Cards: what `imgforge build` makes of a cluster file, as folders. Their base is an arm64 Debian, of which only the settings count here."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
NATIVE = TOP / "out/kubernetes/native"

RELEASE = """release: "1.20"
version: 1.20.2
description: from Debian's sources
packages: [containerd]
"""

# What the kubelet of this place needs to be told: it has no control groups to itself.
KUBELET = "KUBELET_EXTRA_ARGS=--cgroups-per-qos=false --enforce-node-allocatable= --fail-swap-on=false\n"


class Cards:
    """The workstation: a cluster file, its secrets, and trees made of them. Built once per cluster file."""

    def __init__(self, folder, cluster):
        self.folder = Path(folder)
        self.trees = self.folder / "trees"
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._make(cluster)

    def _make(self, cluster):
        file = self.folder / "lab.yaml"
        done = self.trees / "done"
        if done.exists() and file.read_text() == cluster and done.stat().st_mtime > newest_source():
            return
        shutil.rmtree(self.trees, ignore_errors=True)
        file.write_text(cluster)
        self._profiles()
        if not (self.folder / "lab.secrets.yaml").exists():
            self.imgforge("cluster", "init")
        self.imgforge("kubeconfig")
        images = self.folder / "images"
        images.mkdir(exist_ok=True)
        self.imgforge("build", "--output", str(images))
        for image in images.glob("*.img"):
            self._extract(image, self.trees / image.stem)
        self._give_an_rsa_key()
        shutil.rmtree(images)
        done.write_text("")

    def with_snapshot(self, name, snapshot):
        """One more card of the node, which brings a snapshot: the name of its tree."""
        images = self.folder / "restore"
        shutil.rmtree(images, ignore_errors=True)
        images.mkdir()
        self.imgforge("build", "--node", name, "--restore", str(snapshot), "--frozen", "--output", str(images))
        tree = f"{name}.restore"
        shutil.rmtree(self.trees / tree, ignore_errors=True)
        self._extract(images / f"{name}.img", self.trees / tree)
        self._give_an_rsa_key()
        shutil.rmtree(images)
        return tree

    def _profiles(self):
        profiles = self.folder / "profiles"
        shutil.rmtree(profiles, ignore_errors=True)
        shutil.copytree(TOP / "board-profiles", profiles, ignore=shutil.ignore_patterns("*.lock.yaml"))
        (profiles / "kubernetes/1.20.yaml").write_text(RELEASE)
        board = profiles / "virt-arm64.yaml"
        board.write_text(board.read_text().replace("file: out/", f"file: {TOP}/out/"))

    def imgforge(self, *words):
        environment = dict(os.environ, IMGFORGE_PROFILES=str(self.folder / "profiles"), IMGFORGE_OVERLAYS=str(TOP / "overlays"), IMGFORGE_STORE=str(self.folder / "store"))
        words = [*words[:2], "--cluster", "lab.yaml", *words[2:]] if words[0] == "cluster" else [words[0], "--cluster", "lab.yaml", *words[1:]]
        done = subprocess.run([program(), *words], cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"imgforge {' '.join(words)}: {done.stderr}")

    def _extract(self, image, tree):
        table = json.loads(subprocess.check_output(["sfdisk", "--json", image]))["partitiontable"]
        offset = table["partitions"][-1]["start"] * table.get("sectorsize", 512)
        (tree / "usr/lib").mkdir(parents=True)
        commands = tree.parent / "commands"
        commands.write_text(f"rdump /etc /var {tree}\nrdump /usr/lib/imgforge {tree}/usr/lib\n")
        subprocess.run(["debugfs", "-f", commands, f"{image}?offset={offset}"], check=True, capture_output=True)
        (tree / "etc/default/kubelet").write_text(KUBELET)
        (tree / "etc/ld.so.cache").unlink(missing_ok=True)

    def _give_an_rsa_key(self):
        """For service accounts. kubeadm 1.20 joins no further master where it is another: later ones do."""
        key = self.folder / "sa.key"
        if not key.exists():
            subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, capture_output=True)
        public = subprocess.check_output(["openssl", "rsa", "-in", key, "-pubout"], stderr=subprocess.DEVNULL)
        for pki in self.trees.glob("*/etc/imgforge/kubeadm/kubernetes/pki"):
            if (pki / "sa.key").exists():
                (pki / "sa.key").write_bytes(key.read_bytes())
                (pki / "sa.pub").write_bytes(public)

    @property
    def kubeconfig(self):
        return self.folder / "lab.kubeconfig"


def program():
    for kind in ("release", "debug"):
        path = TOP / "target" / kind / "imgforge"
        if path.exists():
            return str(path)
    raise SystemExit("imgforge is not built: make build")


def newest_source():
    files = [path for path in (TOP / "overlays").rglob("*") if path.is_file()]
    return max(path.stat().st_mtime for path in [*files, Path(program())])


def tools(folder, moved=False):
    """The programs of a node, as the topmost layer of its /usr. `moved`: with an etcd whose clock moves."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    bin = folder / "bin"
    bin.mkdir(parents=True)
    for path in (NATIVE / "bin").iterdir():
        os.link(path, bin / path.name)
    if moved:
        (bin / "etcd").unlink()
        os.link(NATIVE / "moved/etcd", bin / "etcd")
    os.link(NATIVE / "bin/processes", bin / "crictl")
    for name in ("ctr", "systemctl"):
        shutil.copy(HERE / "stand-ins" / name, bin / name)
    (folder / "libexec/kubernetes").mkdir(parents=True)
    # kubeadm wants to see these; nothing here needs what they do.
    for name in ("conntrack", "iptables", "ip6tables"):
        os.symlink("/usr/bin/true", bin / name)
    return folder
