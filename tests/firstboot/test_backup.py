"""A master's own backups: whole or not there, and the old ones stay until a new one is."""

import hashlib
import json
import unittest

from node import LATER, Cut, Node

HOUR = 3600
DATABASE = "x" * 1024
HASH = hashlib.sha256(DATABASE.encode())
WHOLE = DATABASE.encode() + HASH.digest()
FIRST = "home.20260921T143000Z.snapshot" # at LATER


class Backup(unittest.TestCase):
    shell = None

    def node(self, keep=3, every=24 * HOUR):
        """A master that is a member, with this in its cluster file."""
        node = Node(self.shell, role="master")
        self.addCleanup(node.__exit__)
        node.install("kubectl")
        node.set("members", "m0 voter started\n")
        node.set("database", DATABASE)
        (node.fake / "hash").write_bytes(HASH.digest())
        node.write("etc/imgforge/backups", f"keep={keep}\nevery={every}\n")
        node.write("etc/imgforge/kubeadm/init.yaml", "clusterName: home\n")
        node.write("etc/kubernetes/admin.conf", "identity")
        node.write("var/lib/etcd/member/wal/0.wal", "data")
        node.write("var/lib/etcd/member/snap/db", DATABASE)
        return node

    def run_it(self, node, *words, **options):
        return node.run("usr/lib/imgforge/back-up-etcd", *words, **options)

    def there(self, node):
        folder = node.root / "var/lib/etcd/imgforge-backups"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def test_a_snapshot_lies_beside_etcds_data_as_etcd_has_it_for_root_only(self):
        node = self.node()
        code, said = self.run_it(node)
        self.assertEqual((code, self.there(node)), (0, [FIRST]), node.errors)
        self.assertEqual(said, f"imgforge: [backup] {FIRST}: 1 KiB, sha256 {HASH.hexdigest()}\n")
        folder = node.root / "var/lib/etcd/imgforge-backups"
        self.assertEqual((folder / FIRST).read_bytes(), WHOLE)
        self.assertEqual(((folder / FIRST).stat().st_mode & 0o077, folder.stat().st_mode & 0o077), (0, 0))

    def test_the_next_is_taken_when_it_is_old_enough_whenever_the_node_was_switched_on(self):
        node = self.node()
        self.run_it(node)
        node.clock += 24 * HOUR - 100
        node.reboot()
        self.assertEqual((self.run_it(node), node.calls("kubectl")), ((0, ""), []))
        node.clock += 100
        self.assertEqual((self.run_it(node)[0], len(self.there(node))), (0, 2))

    def test_or_at_once_by_hand(self):
        node = self.node()
        self.run_it(node)
        node.clock += 60
        self.assertEqual((self.run_it(node, "now")[0], len(self.there(node))), (0, 2))

    def test_a_clock_that_was_ahead_holds_nothing_up_and_takes_no_more_than_its_turn(self):
        node = self.node()
        self.run_it(node)
        node.clock -= 300 * HOUR
        for _ in range(3):
            self.assertEqual(self.run_it(node)[0], 0)
            node.clock += HOUR
        self.assertEqual(len(self.there(node)), 2)

    def test_as_many_stay_as_are_to_be_kept_and_what_others_put_there_stays(self):
        node = self.node(keep=2)
        node.write("var/lib/etcd/imgforge-backups/home.before-upgrade.snapshot", "mine")
        names = []
        for _ in range(4):
            self.run_it(node)
            names.append(max(set(self.there(node)) - {"home.before-upgrade.snapshot"}))
            node.clock += 24 * HOUR
        self.assertEqual(self.there(node), [*names[-2:], "home.before-upgrade.snapshot"])

    def test_one_that_is_not_whole_gets_no_name_and_costs_no_other(self):
        for damage, why in (
            ('/usr/bin/truncate -s 900 "$file.part"', "is not whole"),
            ('/usr/bin/truncate -s 1024 "$file.part"', "is not whole"),
            ('printf y | /bin/dd of="$file.part" conv=notrunc status=none', "is not whole"),
            ("echo 'Error: etcdserver: no leader' && exit 1", "no leader"),
        ):
            node = self.node(keep=1)
            self.run_it(node)
            node.clock += 24 * HOUR
            node.set("snapshot-damage", damage)
            code, said = self.run_it(node)
            self.assertEqual((code, self.there(node)), (1, [FIRST]), damage)
            self.assertIn("FAILED: no backup: ", said)
            self.assertIn(f"{why}; another try in a quarter of an hour", said)

    def test_etcds_disk_is_not_filled(self):
        node = self.node()
        node._command("df", "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'; echo '/dev/sda1 100 98 1 99% /var/lib/etcd'")
        code, said = self.run_it(node)
        self.assertEqual((code, self.there(node)), (1, []))
        self.assertIn("no backup: the disk of ", said)

    def test_the_power_may_go_at_any_moment(self):
        for moment in range(1, 100):
            node = self.node(keep=1)
            self.run_it(node)
            node.clock += 24 * HOUR
            when = f"after a cut before command {moment}"
            try:
                self.run_it(node, cut_before=moment)
            except Cut:
                node.reboot()
                whole = [name for name in self.there(node) if name.endswith(".snapshot")]
                self.assertTrue(whole, when)
                for name in whole:
                    self.assertEqual((node.root / "var/lib/etcd/imgforge-backups" / name).read_bytes(), WHOLE, when)
                node.clock += 24 * HOUR
                self.assertEqual((self.run_it(node)[0], len(self.there(node))), (0, 1), when)
            else:
                self.assertGreater(moment, 8)
                return
        self.fail("more than 100 commands?")

    def test_a_node_that_is_to_take_none_or_has_nothing_yet_takes_none(self):
        for path in ("etc/imgforge/backups", "etc/kubernetes/admin.conf", "var/lib/etcd/member/wal/0.wal"):
            node = self.node()
            (node.root / path).unlink()
            self.assertEqual((self.run_it(node), self.there(node)), ((0, ""), []), path)

    def test_imgforge_status_says_when_the_last_one_was(self):
        node = self.node()
        table = node.run("usr/bin/imgforge-status")[1]
        self.assertNotIn("backup", table)
        self.assertIsNone(json.loads(node.run("usr/bin/imgforge-status", "--json")[1])["backup"])
        self.run_it(node)
        table = node.run("usr/bin/imgforge-status")[1]
        self.assertIn(f"The last backup of etcd was at 2026-09-21T14:30:00Z ({FIRST}).", table)
        answer = json.loads(node.run("usr/bin/imgforge-status", "--json")[1])
        self.assertEqual(answer["backup"], {"time": LATER, "file": FIRST})
        metrics = node.root / "var/lib/imgforge/metrics/backup.prom"
        self.assertEqual(metrics.read_text(), f'imgforge_backup_time_seconds{{file="{FIRST}"}} {LATER}\nimgforge_backup_size_bytes 1024\n')
        self.assertEqual((metrics.stat().st_mode & 0o777, metrics.parent.stat().st_mode & 0o777), (0o644, 0o755))

    def test_wrong_use(self):
        self.assertEqual(self.run_it(self.node(), "tomorrow")[0], 64)
