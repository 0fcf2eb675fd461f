"""grow: observed where the vendor does it, done by grow-root on plain Debian."""

import shutil
import subprocess
import unittest
from pathlib import Path

from node import Cut, Node

MIB = 1 << 20


class Grow(unittest.TestCase):
    shell = None

    def node(self, **options):
        node = Node(self.shell, **options)
        self.addCleanup(node.__exit__)
        node.install("systemctl")
        return node

    def test_the_vendors_growth_is_only_looked_at(self):
        node = self.node(vendor="armbian")
        code, said = node.stage("grow")
        self.assertEqual(code, 0)
        self.assertRegex(said, r"\[grow\] the root file system has \d+ MiB\n")
        self.assertEqual(node.calls("systemctl"), [])

    def test_a_reboot_that_armbian_asks_for_happens_once(self):
        node = self.node(vendor="armbian")
        node.write("run/resize2fs-reboot", "")
        node.set("when-asleep", "kill -9 0")
        with self.assertRaises(Cut):
            node.stage("grow")
        self.assertEqual(node.calls("systemctl"), ["systemctl reboot"])
        node.reboot()
        node.write("run/resize2fs-reboot", "")
        self.assertEqual(node.stage("grow")[0], 0)
        self.assertEqual(node.calls("systemctl"), [])


class GrowRoot(unittest.TestCase):
    shell = None

    def node(self, label, mib=64, card_mib=200):
        """A card with two partitions, the second of them the root file system, as the disk /dev/vda."""
        node = Node(self.shell, vendor="debian")
        self.addCleanup(node.__exit__)
        node.install("findmnt", "partx", "resize2fs", "sfdisk")
        node.set("mounted", "/|/dev/vda2|254:2\n")
        disk = node.root / "dev/vda"
        disk.parent.mkdir()
        with disk.open("wb") as file:
            file.truncate(mib * MIB)
        self.sfdisk(disk, text=f"label: {label}\nstart=2048,size=8192\nstart=10240,size=40960\n")
        with disk.open("r+b") as file:
            file.truncate(card_mib * MIB)
        node.write("sys/devices/vda/vda2/partition", "2\n")
        numbers = node.root / "sys/dev/block"
        numbers.mkdir(parents=True)
        (numbers / "254:2").symlink_to("../../devices/vda/vda2")
        return node, disk

    def sfdisk(self, *arguments, text=None):
        tool = shutil.which("sfdisk", path="/usr/sbin:/sbin")
        return subprocess.run([tool, "--quiet", *arguments], input=text, text=True, check=True, capture_output=True).stdout

    def sectors(self, disk):
        """Start and size of each partition."""
        lines = [line for line in self.sfdisk("--dump", disk).splitlines() if "start=" in line]
        return [tuple(int(field.split("=")[1]) for field in line.split(":", 1)[1].split(",")[:2]) for line in lines]

    def test_the_last_partition_grows_to_the_end_of_the_card(self):
        for label in ("gpt", "dos"):
            node, disk = self.node(label)
            self.assertEqual(node.run("usr/lib/imgforge/grow-root")[0], 0, node.errors)
            first, (start, size) = self.sectors(disk)
            self.assertEqual((first, start), ((2048, 8192), 10240), label)
            self.assertGreater(start + size, 200 * MIB // 512 - 2048, label)
            self.assertEqual(node.calls("partx"), [f"partx --update --nr 2 {disk}"])
            self.assertEqual(node.calls("resize2fs"), [f"resize2fs {disk}2"])
            self.sfdisk("--verify", disk)

    def test_ids_stay(self):
        for label in ("gpt", "dos"):
            node, disk = self.node(label)
            before = [self.sfdisk("--disk-id", disk), self.sfdisk("--part-uuid", disk, "2") if label == "gpt" else ""]
            node.run("usr/lib/imgforge/grow-root")
            after = [self.sfdisk("--disk-id", disk), self.sfdisk("--part-uuid", disk, "2") if label == "gpt" else ""]
            self.assertEqual(before, after)

    def test_a_second_run_changes_nothing(self):
        for label in ("gpt", "dos"):
            node, disk = self.node(label)
            node.run("usr/lib/imgforge/grow-root")
            before = Path(disk).read_bytes()
            self.assertEqual(node.run("usr/lib/imgforge/grow-root")[0], 0)
            self.assertEqual(Path(disk).read_bytes(), before)

    def test_a_card_that_is_no_larger_is_fine(self):
        for label in ("gpt", "dos"):
            node, _ = self.node(label, card_mib=64)
            self.assertEqual(node.run("usr/lib/imgforge/grow-root")[0], 0, node.errors)

    def test_without_sfdisk_the_file_system_still_fills_its_partition(self):
        node, disk = self.node("gpt")
        (node.commands / "sfdisk").unlink()
        before = self.sectors(disk)
        self.assertEqual(node.run("usr/lib/imgforge/grow-root")[0], 0)
        self.assertEqual(self.sectors(disk), before)
        self.assertEqual(len(node.calls("resize2fs")), 1)

    def test_a_root_that_is_no_partition_is_left_alone(self):
        node, _ = self.node("gpt")
        (node.root / "sys/devices/vda/vda2/partition").unlink()
        code, said = node.run("usr/lib/imgforge/grow-root")
        self.assertEqual(code, 0)
        self.assertIn("is not a partition: left as it is", said)
        self.assertEqual(node.calls("sfdisk"), [])

    def test_the_stage_uses_it(self):
        node, _ = self.node("gpt")
        self.assertEqual(node.stage("grow")[0], 0)
        self.assertEqual(len(node.calls("sfdisk")), 1)
