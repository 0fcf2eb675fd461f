"""A node to try the first boot on: a root file system in a temporary folder, a clock of its own, and commands that pretend.

The scripts run as they lie in overlays/. They see nothing of this machine but TOOLS, which every minimal Debian has.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OVERLAYS = HERE.parent.parent / "overlays"

# Packages behind them: coreutils, grep, sed. All essential.
READERS = "cat cksum dd df env grep head od readlink sed sha256sum sort tail tr wc".split()
CHANGERS = "chmod cp ln mkdir mv rm rmdir touch".split()
TOOLS = READERS + CHANGERS

# Stubs that only look. A cut before one of them, or a reader, is the same as one before the next command that changes things.
ONLOOKERS = ["date", "dpkg-query", "findfs", "findmnt", "locale", "sleep", "sync", "systemd-escape", "timedatectl"]

EPOCH = 1_790_000_000
LATER = EPOCH + 1000


def declared(overlay, key):
    """The entries of a top-level list or map of an overlay.yaml; for maps, the keys."""
    entries, inside = [], False
    for line in (OVERLAYS / overlay / "overlay.yaml").read_text().splitlines():
        if line and not line[0].isspace():
            inside = line.rstrip() == f"{key}:"
        elif inside and line.startswith("  - "):
            entries.append(line[4:].split("#")[0].strip())
        elif inside and line.startswith("  /"):
            entries.append(line.strip().split(":")[0])
    return entries


class Cut(Exception):
    """The power went away before the command that was asked for."""


class Node:
    """`with Node(shell, role) as node: node.stage("clock")`."""

    def __init__(self, shell, role="base", vendor=None, runtime=None, engine="kubeadm"):
        self.shell = shell
        self.folder = Path(tempfile.mkdtemp(prefix="imgforge-firstboot-"))
        self.root = self.folder / "root"
        self.fake = self.folder / "fake"
        self.commands = self.folder / "commands"
        for folder in (self.root, self.fake, self.commands):
            folder.mkdir()
        of_role = ["k3s/node", f"k3s/{role}"] if engine == "k3s" else [f"roles/{role}"]
        layers = ["common", *([f"vendors/{vendor}"] if vendor else []), *of_role, *([f"runtimes/{runtime}"] if runtime else [])]
        for layer in layers:
            self._lay(layer)
        self.write("etc/imgforge/mounts", "")
        self.write(
            "etc/imgforge/node.env",
            f"IMGFORGE_HOSTNAME=k8s-1\nIMGFORGE_ROLE={role}\nIMGFORGE_BOARD=virt\nIMGFORGE_EPOCH={EPOCH}\n",
        )
        self.write("usr/sbin/.keep", "")
        for name in TOOLS:
            self._command(name, f'exec {shutil.which(name)} "$@"')
        self.clock = LATER

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def _lay(self, layer):
        files = OVERLAYS / layer / "root"
        if files.is_dir():
            shutil.copytree(files, self.root, dirs_exist_ok=True)
        for path in declared(layer, "files"):
            if (self.root / path[1:]).exists():
                (self.root / path[1:]).chmod(0o755)
        for unit in declared(layer, "enable"):
            if unit.startswith("imgforge-") and unit.removesuffix(".service").removeprefix("imgforge-") in self.stages():
                wants = self.root / "etc/systemd/system/imgforge-first-boot.target.wants"
                wants.mkdir(parents=True, exist_ok=True)
                (wants / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")

    def stages(self):
        return [path.name for path in (self.root / "usr/lib/imgforge/stages").iterdir()]

    def _command(self, name, text):
        path = self.commands / name
        moment = "" if name in READERS + ONLOOKERS else f". {HERE}/moment\n"
        path.write_text(f"#!/bin/dash\n{moment}{text}\n")
        path.chmod(0o755)

    def install(self, *names):
        """Gives the node commands of stubs/. Each call is kept, see `calls`."""
        for name in names:
            self._command(name, f'echo "{name} $*" >>"$FAKE/calls"\n. {HERE}/stubs/{name}')

    def write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def set(self, name, text):
        """A fact of the pretended world, which the stubs read: see stubs/."""
        (self.fake / name).write_text(text)

    def fact(self, name):
        return (self.fake / name).read_text()

    @property
    def clock(self):
        return int(self.fact("clock"))

    @clock.setter
    def clock(self, seconds):
        self.set("clock", f"{seconds}\n")

    def calls(self, command=""):
        """What was called since the last power-on, first word `command` if given."""
        path = self.fake / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if f"{line} ".startswith(f"{command} " if command else "")]

    def reboot(self):
        shutil.rmtree(self.root / "run", ignore_errors=True)
        (self.fake / "calls").unlink(missing_ok=True)

    def run(self, *command, cut_before=None, stdin=None):
        """Runs a script of the overlays, with `stdin` as its standard input; exit code and standard output. Raises Cut if the power went away."""
        self.install("date", "sleep", "sync")
        self.set("count", "")
        environment = {
            "PATH": str(self.commands),
            "FAKE": str(self.fake),
            "STUBS": str(HERE / "stubs"),
            "IMGFORGE_ROOT": str(self.root),
            "IMGFORGE_LIB": str(self.root / "usr/lib/imgforge"),
            "DPKG_ADMINDIR": str(self.fake / "dpkg"),
            "LC_ALL": "C",
        }
        if cut_before is not None:
            environment["CUT_BEFORE"] = str(cut_before)
        script = self.root / command[0]
        done = subprocess.run(
            [*self.shell, str(script), *command[1:]],
            env=environment, start_new_session=True, capture_output=True, text=True, timeout=60, input=stdin,
        )
        if done.returncode == -signal.SIGKILL:
            raise Cut
        self.errors = done.stderr
        return done.returncode, done.stdout

    def stage(self, name, **options):
        return self.run("usr/lib/imgforge/stage", name, **options)

    def is_stamped(self, name):
        return "state=done" in self._text(f"var/lib/imgforge/stages/{name}")

    def state(self, name):
        """What the stage recorded since power-on."""
        lines = self._text(f"run/imgforge/stages/{name}").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def _text(self, path):
        path = self.root / path
        return path.read_text() if path.exists() else ""

    def tree(self):
        """Every file with its content, but what only tells of the past: logs and times."""
        files = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                at = str(path.relative_to(self.root))
                if path.is_symlink() or at.startswith(("run/", "var/log/", "var/lib/imgforge/")):
                    continue
                files[at] = path.read_bytes()
        return files
