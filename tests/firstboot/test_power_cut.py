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
        self.assertEqual(whole.stage(stage)[0], 0)
        for moment in range(1, 100):
            node = prepare()
            try:
                node.stage(stage, cut_before=moment)
            except Cut:
                node.reboot()
                self.assertEqual(node.stage(stage)[0], 0, f"after a cut before command {moment}")
                self.assertTrue(node.is_stamped(stage), f"after a cut before command {moment}")
                self.assertEqual(node.tree(), whole.tree(), f"after a cut before command {moment}")
            else:
                self.assertGreater(moment, 5)
                return
            finally:
                node.__exit__()
        self.fail("a stage of more than 100 commands?")

    def of(self, case, *arguments, **options):
        """A node as the tests of that stage prepare it."""
        maker = case()
        maker.shell = self.shell
        maker.addCleanup = lambda *_: None
        node = maker.node(*arguments, **options)
        return node

    def test_in_packages(self):
        self.everywhere("packages", lambda: self.of(test_packages.Packages, runc="unpacked", bash="installed"))

    def test_in_kubeadm(self):
        def prepare():
            node = self.of(test_kubernetes.Kubeadm, "init")
            node.write("etc/imgforge/kubeadm/kubernetes/pki/ca.crt", "the cluster's")
            return node

        self.everywhere("kubeadm", prepare)

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
