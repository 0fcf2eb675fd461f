"""kubeadm: the stage that makes a cluster or joins one, whatever an earlier attempt or an earlier card has left."""

import hashlib
import unittest
from pathlib import Path

from node import Cut, Node

# What imgforge writes for each kind of node. Its own tests write these files anew: builder/kube/tests/node_files.rs.
DOCUMENTS = Path(__file__).resolve().parents[2] / "builder/kube/tests/golden/first-boot"
MASTERS = ("single-master", "first-master", "further-master")


class Kubeadm(unittest.TestCase):
    shell = None

    def node(self, kind=None, failures=0, runtime=None):
        """With kubeadm's documents as imgforge writes them for that kind of node, see DOCUMENTS."""
        node = Node(self.shell, role="master", runtime=runtime)
        self.addCleanup(node.__exit__)
        node.install("kubeadm", "kubectl", "modprobe", "systemctl")
        node.set("failures", f"{failures}\n")
        node.set("members", "m0 voter started\n" if kind in ("worker", "further-master") else "")
        node.set("condition", "NotReady")
        node.write("proc/sys/kernel/osrelease", "6.12-arm64\n")
        node.write("boot/config-6.12-arm64", "CONFIG_CGROUPS=y\n")
        if kind:
            for document in (DOCUMENTS / kind).iterdir():
                node.write(f"etc/imgforge/kubeadm/{document.name}", document.read_text())
        if kind and kind != "worker":
            node.write("etc/imgforge/kubeadm/kubernetes/pki/ca.crt", "the cluster's")
        return node

    def verbs(self, node):
        return [call.split()[1] for call in node.calls("kubeadm") if call.split()[2] not in ("phase", "-o")]

    def data(self, node):
        """Which cluster's data etcd has here."""
        return (node.root / "var/lib/etcd/member/wal/0.wal").read_text()

    def with_data(self, marker, kind="single-master"):
        """A card written anew, whose disk was in use before."""
        node = self.node(kind)
        node.write("var/lib/etcd/member/wal/0.wal", "precious")
        if marker is not None:
            node.write("var/lib/etcd/imgforge-cluster", marker)
        return node

    def marker(self, cluster="home", authority="the cluster's", release="1.36", node="k8s-1"):
        digest = hashlib.sha256(authority.encode()).hexdigest()
        return f"cluster={cluster}\nauthority={digest}\nrelease={release}\nnode={node}\n"

    def test_each_document_has_its_command(self):
        for kind, action in (("single-master", "init"), ("first-master", "init"), ("further-master", "join"), ("worker", "join")):
            node = self.node(kind)
            self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
            document = node.root / f"etc/imgforge/kubeadm/{action}.yaml"
            self.assertIn(f"kubeadm {action} --config {document}", node.calls("kubeadm"))
            self.assertEqual(self.verbs(node), [action])
            self.assertTrue(node.is_stamped("kubeadm"))

    def test_further_arguments_follow_one_a_line(self):
        node = self.node("worker")
        node.write("etc/imgforge/kubeadm/arguments", "--experimental-patches=/a b\n--v=1\n")
        self.assertEqual(node.stage("kubeadm")[0], 0)
        document = node.root / "etc/imgforge/kubeadm/join.yaml"
        self.assertEqual(
            node.calls("kubeadm"), [f"kubeadm join --config {document} --experimental-patches=/a b --v=1"]
        )

    def test_without_the_kernels_configuration_kubeadms_check_of_it_is_ignored_aloud(self):
        for module in ("configs", ""):
            node = self.node("worker")
            (node.root / "boot/config-6.12-arm64").unlink()
            node.set("missing-module", module)
            code, said = node.stage("kubeadm")
            self.assertEqual((code, node.calls("modprobe")), (0, ["modprobe configs"]))
            ignored = "--ignore-preflight-errors=SystemVerification" in node.calls("kubeadm")[0]
            self.assertEqual(ignored, module == "configs", "the module brings the configuration")
            self.assertEqual("kubeadm's check SystemVerification is ignored" in said, ignored)

    def test_what_is_said_of_a_failure_is_what_kubeadm_found_wrong_all_of_it(self):
        node = self.node("worker", failures=1)
        node.set("advice", "\t[ERROR Port-10250]: Port 10250 is in use\n\t[ERROR Swap]: swap is on\n"
                 "[preflight] If you know what you are doing, go on\nerror: error execution phase preflight: checks failed\n"
                 "To see the stack trace of this error execute with --v=5 or higher\n")
        said = node.stage("kubeadm")[1]
        self.assertIn("kubeadm join: [ERROR Port-10250]: Port 10250 is in use; [ERROR Swap]: swap is on; attempt 2", said)

    def test_else_it_is_its_last_word_and_not_its_advice(self):
        node = self.node("worker", failures=1)
        node.set("advice", "error: no route to host\nTo see the stack trace of this error execute with --v=5 or higher\n")
        self.assertIn("kubeadm join: error: no route to host; attempt 2 in 10 s", node.stage("kubeadm")[1])

    def test_what_kubeadm_advises_every_further_master_is_not_what_is_wrong_with_this_one(self):
        node = self.node("further-master", failures=1)
        node.set("advice", "error execution phase preflight: \nOne or more conditions for hosting a new control plane instance is not satisfied.\n\n"
                 "failure loading key for service account: no such file\n\nPlease ensure that:\n* The cluster has a stable controlPlaneEndpoint address.\n"
                 "* The certificates that must be shared among control plane instances are provided.\n\n\nTo see the stack trace of this error\n")
        self.assertIn("kubeadm join: failure loading key for service account: no such file; attempt 2", node.stage("kubeadm")[1])

    def test_no_document_or_no_kubeadm_is_not_configured(self):
        node = self.node()
        self.assertIn("not configured: no init.yaml or join.yaml", node.stage("kubeadm")[1])
        node = self.node("single-master")
        (node.commands / "kubeadm").unlink()
        self.assertEqual(node.stage("kubeadm"), (0, "imgforge: [kubeadm] not configured: kubeadm is not installed\n"))

    def test_a_failed_attempt_that_left_nothing_is_reset_and_tried_again_until_it_succeeds(self):
        node = self.node("worker", failures=2)
        code, said = node.stage("kubeadm")
        self.assertEqual(code, 0)
        self.assertEqual(self.verbs(node), ["join", "reset", "join", "reset", "join"])
        self.assertIn("kubeadm join: error: the control plane does not answer; attempt 2 in 10 s", said)

    def test_a_reset_is_told_which_runtime_is_meant_and_not_to_delete_etcds_data(self):
        node = self.node("worker", failures=1)
        node.stage("kubeadm")
        self.assertEqual(node.calls("kubeadm")[1], "kubeadm reset --force --skip-phases=remove-etcd-member --cri-socket unix:///run/containerd/containerd.sock")

    def test_a_joined_node_never_runs_kubeadm_again(self):
        node = self.node("worker")
        node.stage("kubeadm")
        node.reboot()
        self.assertEqual((node.stage("kubeadm"), node.calls()), ((0, ""), []))

    def test_shared_certificates_are_there_at_every_attempt_though_a_reset_deletes_them(self):
        node = self.node("worker", failures=1)
        node.write("etc/imgforge/kubeadm/kubernetes/pki/ca.crt", "the cluster's")
        node.stage("kubeadm")
        self.assertEqual(node.fact("ca-seen"), "the cluster's")
        self.assertEqual((node.root / "etc/kubernetes/pki/ca.crt").read_text(), "the cluster's")

    def test_a_cluster_that_was_being_made_is_made_to_the_end_and_not_once_more(self):
        for how in ("cut", "failure"):
            node = self.node("single-master", failures=2 if how == "failure" else 0)
            if how == "cut":
                node.set("cut-in-kubeadm", "")
                with self.assertRaises(Cut):
                    node.stage("kubeadm")
                node.reboot()
            self.assertEqual(node.stage("kubeadm")[0], 0)
            self.assertNotIn("reset", self.verbs(node), how)
            self.assertEqual(self.data(node), "made 1\n", how)

    def test_a_worker_that_has_joined_says_so_though_its_token_is_no_longer_good(self):
        node = self.node("worker")
        node.set("cut-in-kubeadm", "")
        with self.assertRaises(Cut):
            node.stage("kubeadm")
        node.reboot()
        self.assertEqual(node.stage("kubeadm")[0], 0)
        self.assertEqual(self.verbs(node), [])
        self.assertFalse((node.root / "etc/kubernetes/bootstrap-kubelet.conf").exists())

    def test_a_worker_that_the_cluster_does_not_know_joins_anew_once_the_cluster_answers(self):
        node = self.node("worker")
        node.write("var/lib/imgforge/kubeadm.attempted", "")
        node.write("etc/kubernetes/kubelet.conf", "of an attempt")
        node.set("m0-is-down", "")
        node.set("when-asleep", '[ "$clock" -lt 1790001500 ] || rm -f "$FAKE/m0-is-down"')
        code, said = node.stage("kubeadm")
        self.assertEqual((code, self.verbs(node)), (0, ["reset", "join"]))
        self.assertIn("kubeadm join: error: connection refused; attempt 5", said)

    def test_a_master_that_is_half_of_etcd_starts_it_before_it_asks_anybody(self):
        """Two members, one without power: nothing answers until etcd runs here, and a reset would be the end of both."""
        node = self.node("further-master", failures=1)
        node.set("when-asleep", "kill -9 0")  # as soon as the node is a voter
        with self.assertRaises(Cut):
            node.stage("kubeadm")
        self.assertIn("k8s-1 voter started", node.fact("members"))
        node.reboot()
        self.assertEqual(node.stage("kubeadm")[0], 0)
        self.assertNotIn("reset", self.verbs(node))
        self.assertFalse((node.fake / "broken").exists())

    def test_a_new_card_of_a_further_master_makes_its_files_around_etcds_data(self):
        node = self.with_data(self.marker(), "further-master")
        node.set("members", "m0 voter started\nk8s-1 voter started\n")
        self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
        self.assertEqual(self.data(node), "precious")
        self.assertEqual(self.verbs(node), ["join"])
        document = node.root / "etc/imgforge/kubeadm/rejoin.yaml"
        self.assertTrue(any(f"join --config {document} --skip-phases=preflight,kubelet-start" in c for c in node.calls()))

    def test_a_master_that_was_removed_from_etcd_joins_anew_and_keeps_what_it_had(self):
        node = self.with_data(self.marker(), "further-master")
        node.set("members", "m0 voter started\nm2 voter started\n")
        node.set("removed", "")
        self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
        self.assertEqual(self.data(node), "of-m0\n")
        kept = list((node.root / "var/lib/etcd").glob("member.*/wal/0.wal"))
        self.assertEqual([path.read_text() for path in kept], ["precious"])

    def replaced(self, condition="NotReady"):
        """A new card of a master of three, whose disk is new as well."""
        node = self.node("further-master")
        node.set("members", "m0 voter started\nm2 voter started\nk8s-1 voter started\n")
        node.set("condition", condition)
        return node

    def test_a_master_whose_data_is_lost_takes_its_old_member_out_and_joins_as_a_new_one(self):
        node = self.replaced()
        code, said = node.stage("kubeadm")
        self.assertEqual(code, 0, node.errors)
        self.assertIn("its old member is taken out, and a new one joins", said)
        self.assertFalse((node.fake / "broken").exists())
        self.assertEqual(sorted(node.fact("members").split()[::3]), ["k8s-1", "m0", "m2"])

    def test_a_second_card_of_a_master_that_is_well_touches_nothing(self):
        node = self.replaced("Ready")
        node.set("when-asleep", "kill -9 0")
        with self.assertRaises(Cut):
            node.stage("kubeadm")
        self.assertIn("is a second card with this name switched on?", node.state("kubeadm")["message"])
        self.assertEqual((self.verbs(node), len(node.fact("members").splitlines())), ([], 3))

    def first_of_several(self):
        """A new card of the first master, its data lost, while the others have the cluster."""
        node = self.node("first-master")
        node.set("members", "m0 voter started\nm2 voter started\nk8s-1 voter started\n")
        node.set("condition", "NotReady")
        return node

    def test_a_first_master_makes_no_second_cluster_beside_the_one_that_answers(self):
        node = self.first_of_several()
        (node.root / "etc/imgforge/kubeadm/join.yaml").unlink()
        node.set("when-asleep", "kill -9 0")
        with self.assertRaises(Cut):
            node.stage("kubeadm")
        self.assertIn("a cluster answers at 192.168.1.9:6443 already", node.state("kubeadm")["message"])
        self.assertEqual(node.calls("kubeadm"), [])

    def test_it_joins_the_others_where_it_knows_how(self):
        node = self.first_of_several()
        self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
        self.assertEqual((self.verbs(node), self.data(node)), (["join"], "of-m0\n"))

    def test_data_that_nothing_tells_of_is_never_touched(self):
        for kind in MASTERS:
            node = self.with_data(None, kind)
            code, said = node.stage("kubeadm")
            self.assertEqual((code, node.calls("kubeadm")), (1, []))
            self.assertIn("FAILED: etcd's data of an earlier cluster is in", said)
            self.assertEqual(self.data(node), "precious")

    def test_a_new_card_continues_the_cluster_whose_data_is_on_the_disk(self):
        for release in ("v1.36.9", "v1.37.0"):
            node = self.with_data(self.marker(release="1.36"))
            node.set("release", release + "\n")
            self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
            self.assertEqual(self.data(node), "precious")
            marker = (node.root / "var/lib/etcd/imgforge-cluster").read_text()
            self.assertEqual(marker, self.marker(release=release[1:5]))

    def test_a_cluster_leaves_its_marker_beside_etcds_data(self):
        for kind in MASTERS:
            node = self.node(kind)
            self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
            self.assertEqual((node.root / "var/lib/etcd/imgforge-cluster").read_text(), self.marker())
        node = self.node("worker")
        node.stage("kubeadm")
        self.assertFalse((node.root / "var/lib/etcd").exists(), "a worker has no etcd")

    def test_another_clusters_data_is_refused_with_what_to_do_and_nothing_is_touched(self):
        for marker, why in (
            (self.marker(authority="another", cluster="lab"), "is of another cluster, lab: move "),
            (self.marker(node="k8s-2"), "is of the master k8s-2 of this cluster: move "),
            (self.marker(release="1.37"), "is of Kubernetes 1.37, newer than the card's 1.36: write a card with 1.37"),
            (self.marker(release="2.1"), "newer than the card's 1.36"),
            (self.marker(release="1.34"), "more than one minor release later: write a card with 1.35 first"),
            (self.marker(release="1.x"), "imgforge-cluster is not whole"),
            (self.marker()[:40], "imgforge-cluster is not whole"),
            ("", "imgforge-cluster is not whole"),
        ):
            node = self.with_data(marker)
            before = node.tree()
            code, said = node.stage("kubeadm")
            self.assertEqual((code, self.verbs(node)), (1, []), marker)
            self.assertIn(why, said)
            self.assertIn("then: systemctl restart imgforge-kubeadm", said)
            self.assertEqual(node.tree(), before)
