"""The overlays as they lie there: scripts, units, and declarations that agree with the files."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from node import HERE, OVERLAYS, declared

UNITS = "usr/lib/systemd/system"
STAGE_LIBRARY = OVERLAYS / "common/root/usr/lib/imgforge/stage.sh"


def overlays():
    return [str(path.parent.relative_to(OVERLAYS)) for path in sorted(OVERLAYS.rglob("overlay.yaml"))]


def scripts():
    """Everything a shell reads, on the node and in these tests."""
    found = [HERE / "moment", HERE / "world", *HERE.glob("stubs/*")]
    for path in OVERLAYS.rglob("root/**/*"):
        if path.is_file() and not path.is_symlink():
            first = path.read_bytes()[:40]
            if first.startswith((b"#!/bin/sh", b"# shellcheck shell=sh")):
                found.append(path)
    return sorted(found)


def stages_of(library):
    return re.search(r"^STAGES='(.*)'", library.read_text(), re.M).group(1).split()


def output_of(*command, **options):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


class Scripts(unittest.TestCase):
    def test_every_stage_is_among_them(self):
        names = {path.name for path in scripts()}
        stages = stages_of(STAGE_LIBRARY)
        self.assertEqual(set(stages) - names, set())
        self.assertEqual({path.name for path in STAGE_LIBRARY.parent.glob("stages/*")}, set(stages))

    def test_every_stage_of_k3s_is_too(self):
        library = OVERLAYS / "k3s/node/root/usr/lib/imgforge"
        both = {path.name for folder in (STAGE_LIBRARY.parent, library) for path in folder.glob("stages/*")}
        self.assertEqual(set(stages_of(library / "engine")) - both, set())
        self.assertIn("k3s", stages_of(library / "engine"))

    def test_shellcheck_has_nothing_to_say(self):
        done = output_of("shellcheck", "--external-sources", *map(str, scripts()), cwd=OVERLAYS.parent)
        self.assertEqual(done.stdout, "")

    def test_dash_and_busybox_can_read_them(self):
        for path in scripts():
            for shell in (["dash"], ["busybox", "sh"]):
                self.assertEqual(output_of(*shell, "-n", str(path)).stdout, "", path)


class Declarations(unittest.TestCase):
    def test_declared_files_exist(self):
        for overlay in overlays():
            for path in declared(overlay, "files"):
                self.assertTrue((OVERLAYS / overlay / "root" / path[1:]).is_file(), f"{overlay}: {path}")

    def test_programs_are_declared_executable_and_nothing_else_is(self):
        for overlay in overlays():
            text = (OVERLAYS / overlay / "overlay.yaml").read_text()
            programs = set(re.findall(r'^  (/\S+): \{ mode: "0755" \}$', text.split("directories:")[0], re.M))
            root = OVERLAYS / overlay / "root"
            found = {f"/{p.relative_to(root)}" for p in root.rglob("*") if p.is_file() and p.read_bytes()[:2] == b"#!"}
            self.assertEqual(programs, found, overlay)

    def test_templates_are_declared_and_nothing_else_is(self):
        for overlay in overlays():
            text = (OVERLAYS / overlay / "overlay.yaml").read_text()
            templates = set(re.findall(r"^  (/\S+): \{ .*\btemplate: true\b.* \}$", text, re.M))
            root = OVERLAYS / overlay / "root"
            files = (path for path in root.rglob("*") if path.is_file())
            found = {f"/{p.relative_to(root)}" for p in files if any(sign in p.read_bytes() for sign in (b"{{", b"{%"))}
            self.assertEqual(templates, found, overlay)

    def test_enabled_units_of_ours_exist_and_can_be_enabled(self):
        units = {path.name: path for path in OVERLAYS.rglob(f"{UNITS}/imgforge*.*") if path.is_file()}
        for overlay in overlays():
            for unit in declared(overlay, "enable"):
                if unit.startswith("imgforge"):
                    self.assertIn("WantedBy=", units[unit].read_text(), unit)

    def test_links_lead_to_files_of_ours(self):
        for overlay in overlays():
            text = (OVERLAYS / overlay / "overlay.yaml").read_text()
            for target in re.findall(r": (/usr/lib/imgforge/\S+)$", text, re.M):
                self.assertTrue((OVERLAYS / "common/root" / target[1:]).is_file(), target)

    def test_node_env_defines_what_the_scripts_read(self):
        text = (OVERLAYS / "common/root/etc/imgforge/node.env").read_text()
        defined = set(re.findall(r"^(IMGFORGE_\w+)=", text, re.M))
        settings = {"IMGFORGE_ROOT", "IMGFORGE_LIB", "IMGFORGE_NTP_WAIT"} # have a default
        used = set()
        for path in scripts():
            if HERE not in path.parents:
                used |= set(re.findall(r"\$\{?(IMGFORGE_\w+)", path.read_text()))
        self.assertEqual(used - settings - defined, set())


class Units(unittest.TestCase):
    """Read by this machine's systemd, in a root of its own: its units, ours, and what vendors bring."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="imgforge-units-"))
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copytree(f"/{UNITS}", self.root / UNITS, symlinks=True)
        (self.root / "lib").symlink_to("usr/lib")
        (self.root / "bin").symlink_to("usr/bin")
        for program in ("usr/bin/ssh-keygen", "usr/bin/systemctl", "usr/bin/vendor", "usr/sbin/nft"):
            path = self.root / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o755)
        for name in ("containerd", "docker", "etcd", "kubelet", "ssh", "armbian-resize-filesystem", "rpi-resize"):
            self.unit(f"{name}.service", "[Service]\nExecStart=/usr/bin/vendor\n")
        self.unit("ssh.socket", "[Socket]\nListenStream=22\nAccept=no\n")
        for layer in ("common", "roles/master"):
            shutil.copytree(OVERLAYS / layer / "root", self.root, dirs_exist_ok=True)
        for program in ("answer", "back-up-etcd", "stage", "renew-certificates"):
            (self.root / "usr/lib/imgforge" / program).chmod(0o755)
        enabled = {unit.rstrip("?") for overlay in overlays() for unit in declared(overlay, "enable")}
        for unit in enabled:
            path = self.root / UNITS / unit
            if path.exists():
                for target in re.findall(r"^WantedBy=(.*)$", path.read_text(), re.M):
                    for one in target.split():
                        self.link(unit, f"{one}.wants")
        for unit in ("containerd.service", "docker.service", "etcd.service", "kubelet.service", "ssh.service"):
            self.link(unit, "multi-user.target.wants")
        self.link("ssh.socket", "sockets.target.wants")
        self.link("imgforge-scripts.service", "imgforge-first-boot.target.wants")
        self.link("imgforge-firewall.service", "sysinit.target.wants")

    def unit(self, name, text):
        path = self.root / UNITS / name
        path.unlink(missing_ok=True)
        path.write_text(text)

    def link(self, unit, folder):
        wants = self.root / "etc/systemd/system" / folder
        wants.mkdir(parents=True, exist_ok=True)
        (wants / unit).symlink_to(f"/{UNITS}/{unit}")

    def verify(self):
        # A template is judged by one of its instances.
        instance = self.root / UNITS / "imgforge@1.service"
        if not instance.exists():
            instance.symlink_to("imgforge@.service")
        ours = [*(self.root / UNITS).glob("imgforge*.*"), *(self.root / UNITS).glob("cri-docker.service")]
        names = [p.name for p in ours if p.is_file() and p.name != "imgforge@.service"]
        names += ["containerd.service", "docker.service", "etcd.service", "kubelet.service", "multi-user.target"]
        done = output_of(
            "systemd-analyze", "verify", "--man=no", f"--root={self.root}", *names, env={**os.environ, "LC_ALL": "C"}
        )
        return [line for line in done.stdout.splitlines() if re.search("imgforge|cri-docker|cycle", line)]

    def lay_docker(self):
        """As on a node whose containers Docker runs, with the socket that its package has enabled."""
        shutil.copytree(OVERLAYS / "runtimes/docker/root", self.root, dirs_exist_ok=True)
        program = self.root / "usr/local/lib/cri-dockerd/cri-dockerd"
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
        self.unit("docker.socket", "[Socket]\nListenStream=/run/docker.sock\n")
        self.unit("docker.service", "[Unit]\nAfter=docker.socket containerd.service\nWants=containerd.service\n"
                  "Requires=docker.socket\n[Service]\nExecStart=/usr/bin/vendor\n")
        self.link("docker.socket", "sockets.target.wants")
        self.link("cri-docker.service", "docker.service.wants")

    def test_systemd_has_nothing_to_say(self):
        self.assertEqual(self.verify(), [])

    def test_nor_where_docker_runs_the_containers(self):
        self.lay_docker()
        self.assertEqual(self.verify(), [])
        unit = (self.root / UNITS / "cri-docker.service").read_text()
        self.assertIn("WantedBy=docker.service\n", unit)

    def test_nor_where_k3s_makes_the_cluster(self):
        for layer in ("k3s/node", "k3s/master", "k3s/worker"):
            shutil.copytree(OVERLAYS / layer / "root", self.root, dirs_exist_ok=True)
        program = self.root / "usr/local/bin/k3s"
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
        (self.root / "usr/lib/imgforge/k3s-prepare").chmod(0o755)
        for unit in ("imgforge-k3s.service", "k3s.service", "k3s-agent.service"):
            target = "imgforge-first-boot.target" if unit.startswith("imgforge") else "multi-user.target"
            self.link(unit, f"{target}.wants")
        self.assertEqual(self.verify(), [])
        for unit in ("k3s.service", "k3s-agent.service"):
            done = output_of("systemd-analyze", "verify", "--man=no", f"--root={self.root}", unit, env={**os.environ, "LC_ALL": "C"})
            self.assertEqual([line for line in done.stdout.splitlines() if "k3s" in line], [])

    def test_what_a_timer_starts_does_not_stay_active(self):
        for timer in (self.root / UNITS).glob("imgforge-*.timer"):
            folders = [self.root / UNITS / folder for folder in ("imgforge-.service.d", f"{timer.stem}.service.d")]
            drop_ins = sorted((path for folder in folders for path in folder.glob("*.conf")), key=lambda path: path.name)
            settings = re.findall("^RemainAfterExit=(.*)$", "".join(path.read_text() for path in drop_ins), re.M)
            self.assertEqual(settings[-1], "no", timer.name)

    def test_an_answer_is_no_stage(self):
        """systemd gives `imgforge-x.service` what lies in imgforge-.service.d: an answer must not be one."""
        socket = (self.root / UNITS / "imgforge.socket").read_text()
        self.assertIn("Accept=yes", socket)
        self.assertNotIn("-", "imgforge@.service".split("@")[0])

    def test_nobody_is_told_when_it_is_over_or_not_to_be_told(self):
        socket = (self.root / UNITS / "imgforge.socket").read_text()
        conditions = re.findall("^ConditionPathExists=!(.*)$", socket, re.M)
        self.assertEqual(conditions, ["/var/lib/imgforge/stages/ready", "/etc/imgforge/quiet"])
        ready = (self.root / UNITS / "imgforge-ready.service").read_text()
        self.assertIn("ExecStartPost=-/bin/systemctl --no-block stop imgforge.socket\n", ready)

    def test_the_check_above_sees_unknown_settings(self):
        self.unit("imgforge-clock.service", "[Unit]\nNonsense=yes\n[Service]\nExecStart=/usr/bin/vendor\n")
        self.assertTrue(any("Nonsense" in line for line in self.verify()))

    def test_the_check_above_sees_ordering_cycles(self):
        path = self.root / UNITS / "imgforge-grow.service"
        self.unit(path.name, path.read_text().replace("[Unit]\n", "[Unit]\nAfter=imgforge-ready.service\n"))
        self.assertTrue(any("cycle" in line for line in self.verify()))
