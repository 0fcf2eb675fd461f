"""The power may go at any moment: the next boot ends where an undisturbed one does.

Before each command that changes something is one such moment. What was written but not yet on the disk is not modelled; the stages sync
before they stamp.
"""

import os
import unittest
from concurrent.futures import ThreadPoolExecutor

import test_kubeadm
import test_kubernetes
import test_packages
import test_restore
import test_scripts
import test_storage
from node import Cut, Node

NEVER = 1_000_000


class PowerCut(unittest.TestCase):
    shell = ["/bin/dash"]  # the commands are the same in every shell

    def everywhere(self, stage, prepare, afterwards=lambda node: None):
        """Cuts the stage off before the first command that changes something, the second …. `afterwards`: what else the cut did."""
        whole = prepare()
        self.addCleanup(whole.__exit__)
        self.assertEqual(whole.stage(stage, cut_before=NEVER)[0], 0)
        moments = len(whole.fact("count"))
        self.assertGreater(moments, 5)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda moment: self.cut(stage, prepare(), moment, whole, afterwards), range(1, moments + 1)))

    def cut(self, stage, node, moment, whole, afterwards):
        when = f"after a cut before command {moment}"
        with node:
            with self.assertRaises(Cut):
                node.stage(stage, cut_before=moment)
            node.reboot()
            afterwards(node)
            held = self.etcd(node)
            try:
                self.assertEqual(node.stage(stage)[0], 0, when)
            except Cut:
                self.fail(f"the stage does not end {when}")
            self.assertTrue(node.is_stamped(stage), when)
            self.assertEqual(node.tree(), whole.tree(), when)
            self.assertIn(held, (None, self.etcd(node)), f"etcd's data is gone {when}")
            self.assertFalse((node.fake / "broken").exists(), f"etcd is broken {when}")

    def etcd(self, node):
        """The cluster whose data etcd has here, or none."""
        log = node.root / "var/lib/etcd/member/wal/0.wal"
        return log.read_text() if log.exists() else None

    def of(self, case, *arguments, of="node", **options):
        """A node as the tests of that stage prepare it."""
        maker = case()
        maker.shell = self.shell
        maker.addCleanup = lambda *_: None
        return getattr(maker, of)(*arguments, **options)

    def test_in_packages(self):
        self.everywhere("packages", lambda: self.of(test_packages.Packages, runc="unpacked", bash="installed"))

    def test_in_packages_with_an_authority(self):
        self.everywhere("packages", lambda: self.of(test_packages.Packages, of="with_authority", runc="unpacked"))

    def test_in_kubeadm_init(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, "single-master"))

    def test_in_kubeadm_init_that_has_to_try_twice(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, "single-master", failures=1))

    def test_in_kubeadm_join_of_a_worker(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, "worker"))

    def test_in_kubeadm_join_of_a_further_master(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, "further-master"))

    def test_in_kubeadm_join_of_a_further_master_that_has_to_try_twice(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, "further-master", failures=1))

    def all_at_once(self, node):
        """The breaker dropped all nodes: m0, the cluster's other master, is up five minutes after this one."""
        node.set("m0-is-down", "")
        node.set("when-asleep", f'[ "$clock" -lt {node.clock + 300} ] || rm -f "$FAKE/m0-is-down"')

    def test_of_all_nodes_while_a_worker_joins(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, "worker"), self.all_at_once)

    def test_of_all_nodes_while_a_further_master_joins(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, "further-master"), self.all_at_once)

    def test_of_all_nodes_while_a_master_replaces_its_dead_member(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, of="replaced"), self.all_at_once)

    def test_in_a_new_card_with_the_disk_of_the_old(self):
        case = test_kubeadm.Kubeadm()
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, case.marker(), of="with_data"))

    def test_in_a_new_card_of_a_further_master_with_the_disk_of_the_old(self):
        case = test_kubeadm.Kubeadm()

        def prepare():
            node = self.of(test_kubeadm.Kubeadm, case.marker(), "further-master", of="with_data")
            node.set("members", "m0 voter started\nk8s-1 voter started\n")
            return node

        self.everywhere("kubeadm", prepare)

    def test_in_a_master_that_replaces_its_dead_member(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, of="replaced"))

    def test_in_a_first_master_that_joins_the_others(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubeadm.Kubeadm, of="first_of_several"))

    def test_in_a_restore(self):
        self.everywhere("kubeadm", lambda: self.of(test_restore.Restore))

    def test_in_storage(self):
        self.everywhere("storage", lambda: self.of(test_storage.Storage))

    def test_in_images(self):
        self.everywhere("images", lambda: self.of(test_kubernetes.Images, "a.tar", "b.tar"))

    def test_in_scripts(self):
        self.everywhere("scripts", lambda: self.of(test_scripts.Scripts, **test_scripts.REPEATABLE))

    def test_in_clock(self):
        def prepare():
            node = Node(self.shell)
            node.install("timedatectl")
            node.clock = 17
            node.set("ntp-at", "0\n")
            return node

        self.everywhere("clock", prepare)
