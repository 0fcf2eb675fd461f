"""A first master's card that brings a snapshot: the cluster goes on as it was then, and nothing that is here is overwritten."""

import hashlib
import unittest

import test_kubeadm
from node import Cut

SNAPSHOT = "var/lib/imgforge/restore/snapshot"


class Restore(unittest.TestCase):
    shell = None

    def node(self, kind="single-master", runtime=None):
        """A card with a snapshot; no disk has been in use."""
        maker = test_kubeadm.Kubeadm()
        maker.shell, maker.addCleanup = self.shell, self.addCleanup
        node = maker.node(kind, runtime=runtime)
        node.install("crictl", "ctr", "docker")
        node.set("in-images", "etcd\netcdctl\netcdutl\n")
        node.set("bump", "")
        node.write(SNAPSHOT, "of monday")
        return node

    def data(self, node):
        return (node.root / "var/lib/etcd/member/wal/0.wal").read_text()

    def restored_with(self, node):
        return node.fact("restored-with").split()

    def test_the_cluster_goes_on_as_it_was_then(self):
        node = self.node()
        code, said = node.stage("kubeadm")
        self.assertEqual((code, self.data(node)), (0, "restored: of monday\n"), node.errors)
        self.assertIn("etcd's data is restored from the card's snapshot", said)
        self.assertIn("etcd's data is here: kubeadm init goes on with it", said)
        marker = (node.root / "var/lib/etcd/imgforge-cluster").read_text()
        self.assertIn("node=k8s-1\n", marker)
        self.assertTrue(node.is_stamped("kubeadm"))

    def test_it_is_a_new_cluster_for_etcd_at_this_nodes_address_and_its_revisions_do_not_come_again(self):
        node = self.node()
        node.stage("kubeadm")
        words = self.restored_with(node)
        self.assertEqual(words[0], "etcdutl")
        for flag, value in (
            ("--name", "k8s-1"),
            ("--initial-cluster", "k8s-1=https://192.168.1.10:2380"),
            ("--initial-advertise-peer-urls", "https://192.168.1.10:2380"),
            ("--bump-revision", "1000000000"),
        ):
            self.assertEqual(words[words.index(flag) + 1], value)
        token = words[words.index("--initial-cluster-token") + 1]
        self.assertTrue(token.startswith(hashlib.sha256(b"of monday").hexdigest()), token)

    def test_before_etcd_3_6_etcdctl_does_it_and_an_old_one_knows_no_revisions(self):
        node = self.node()
        node.set("in-images", "etcd\netcdctl\n")
        (node.fake / "bump").unlink()
        self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
        words = self.restored_with(node)
        self.assertEqual((words[0], "--bump-revision" in words), ("etcdctl", False))

    def test_docker_has_the_tool_as_well(self):
        node = self.node(runtime="docker")
        self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
        self.assertEqual(node.calls("docker"), [
            "docker create --pull never registry.k8s.io/etcd:3.6.4-0 nothing",
            f"docker cp the-container:/usr/local/bin/etcdutl {node.root}/var/lib/imgforge/restore/tool",
            "docker rm the-container",
        ])

    def test_an_image_that_the_card_does_not_carry_is_pulled(self):
        node = self.node()
        node.set("images-missing", "")
        self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
        self.assertIn("crictl pull registry.k8s.io/etcd:3.6.4-0", node.calls())

    def test_nothing_but_the_data_is_left_behind(self):
        node = self.node()
        node.stage("kubeadm")
        self.assertEqual(sorted(path.name for path in (node.root / "var/lib/etcd").iterdir()), ["imgforge-cluster", "imgforge-restored", "member"])
        self.assertEqual([path.name for path in (node.root / SNAPSHOT).parent.iterdir()], ["snapshot"])

    def test_a_snapshot_that_etcd_does_not_take_is_said_and_leaves_no_data(self):
        node = self.node()
        node.write(SNAPSHOT, "damaged")
        node.set("when-asleep", "kill -9 0")
        with self.assertRaises(Cut):
            node.stage("kubeadm")
        self.assertIn("kubeadm init: Error: expected sha256", node.state("kubeadm")["message"])
        self.assertFalse((node.root / "var/lib/etcd/member").exists())

    def test_data_that_is_here_is_not_overwritten(self):
        node = self.node()
        node.write("var/lib/etcd/member/wal/0.wal", "precious")
        node.write("var/lib/etcd/imgforge-cluster", test_kubeadm.Kubeadm().marker())
        before = node.tree()
        code, said = node.stage("kubeadm")
        self.assertEqual((code, node.tree()), (1, before))
        self.assertIn("FAILED: etcd's data is in ", said)
        self.assertIn("this card brings a snapshot: nothing is overwritten. To go on with the data, remove ", said)
        (node.root / SNAPSHOT).unlink()
        self.assertEqual((node.stage("kubeadm")[0], self.data(node)), (0, "precious"))

    def test_another_card_with_the_same_snapshot_goes_on_with_what_came_of_it(self):
        first = self.node()
        first.stage("kubeadm")
        first.write("var/lib/etcd/member/wal/0.wal", "and tuesday")
        second = self.node()
        for name in ("imgforge-cluster", "imgforge-restored", "member/wal/0.wal"):
            second.write(f"var/lib/etcd/{name}", (first.root / "var/lib/etcd" / name).read_text())
        self.assertEqual((second.stage("kubeadm")[0], self.data(second)), (0, "and tuesday"), second.errors)

    def test_beside_masters_that_have_the_cluster_nothing_goes_back(self):
        for kind in ("single-master", "first-master"):
            node = self.node(kind)
            node.set("members", "m0 voter started\nm2 voter started\n")
            node.set("when-asleep", "kill -9 0")
            with self.assertRaises(Cut):
                node.stage("kubeadm")
            self.assertIn(":6443 already, and this card would take it back to a snapshot: switch off what answers there", node.state("kubeadm")["message"])
            self.assertFalse((node.root / "var/lib/etcd/member").exists())
