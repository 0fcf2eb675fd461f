"""The power may go at any moment: the next boot ends where an undisturbed one does.

Before each command that changes something is one such moment. What was written but not yet on the disk is not modelled; the stages sync
before they stamp.
"""

import unittest

import test_kubernetes
import test_packages
import test_storage
from node import Cut, Node


class PowerCut(unittest.TestCase):
    shell = ["/bin/dash"]  # the commands are the same in every shell

    def everywhere(self, stage, prepare):
        """Cuts the stage off before the first command that changes something, the second …."""
        whole = prepare()
        self.addCleanup(whole.__exit__)
        self.assertEqual(whole.stage(stage)[0], 0)
        for moment in range(1, 200):
            node = prepare()
            when = f"after a cut before command {moment}"
            try:
                node.stage(stage, cut_before=moment)
            except Cut:
                node.reboot()
                held = self.etcd(node)
                self.assertEqual(node.stage(stage)[0], 0, when)
                self.assertTrue(node.is_stamped(stage), when)
                self.assertEqual(node.tree(), whole.tree(), when)
                self.assertIn(held, (None, self.etcd(node)), f"etcd's data is gone {when}")
                self.assertFalse((node.fake / "broken").exists(), f"etcd is broken {when}")
            else:
                self.assertGreater(moment, 5)
                return
            finally:
                node.__exit__()
        self.fail("a stage of more than 200 commands?")

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

    def test_in_kubeadm_init(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubernetes.Kubeadm, "init"))

    def test_in_kubeadm_init_that_has_to_try_twice(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubernetes.Kubeadm, "init", failures=1))

    def test_in_kubeadm_join_of_a_worker(self):
        self.everywhere("kubeadm", lambda: self.of(test_kubernetes.Kubeadm, "join"))

    def further_master(self, **options):
        node = self.of(test_kubernetes.Kubeadm, "join", role="master", **options)
        node.write("etc/imgforge/kubeadm/member.yaml", "clusterName: home\n")
        return node

    def test_in_kubeadm_join_of_a_further_master(self):
        self.everywhere("kubeadm", self.further_master)

    def test_in_kubeadm_join_of_a_further_master_that_has_to_try_twice(self):
        self.everywhere("kubeadm", lambda: self.further_master(failures=1))

    def test_in_a_new_card_with_the_disk_of_the_old(self):
        case = test_kubernetes.Kubeadm()
        self.everywhere("kubeadm", lambda: self.of(test_kubernetes.Kubeadm, case.marker(), of="with_data"))

    def test_in_storage(self):
        self.everywhere("storage", lambda: self.of(test_storage.Storage))

    def test_in_images(self):
        self.everywhere("images", lambda: self.of(test_kubernetes.Images, "a.tar", "b.tar"))

    def test_in_clock(self):
        def prepare():
            node = Node(self.shell)
            node.install("timedatectl")
            node.clock = 17
            node.set("ntp-at", "0\n")
            return node

        self.everywhere("clock", prepare)
