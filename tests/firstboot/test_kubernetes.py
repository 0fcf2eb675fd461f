"""kernel, images, addons: the stages of masters and workers around kubeadm."""

import unittest

from node import LATER, Node


class Kernel(unittest.TestCase):
    shell = None

    def node(self, swaps="Filename Type\n"):
        node = Node(self.shell, role="worker")
        self.addCleanup(node.__exit__)
        node.install("modprobe", "swapoff")
        node.write("proc/swaps", swaps)
        node.write("proc/sys/net/ipv4/ip_forward", "0\n")
        for name in ("iptables", "ip6tables"):
            node.write(f"proc/sys/net/bridge/bridge-nf-call-{name}", "0\n")
        node.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
        return node

    def test_modules_and_settings_are_in_place_at_every_boot(self):
        node = self.node()
        for _ in range(2):
            self.assertEqual(node.stage("kernel")[0], 0)
            self.assertEqual(node.calls("modprobe"), ["modprobe overlay", "modprobe br_netfilter"])
            self.assertEqual((node.root / "proc/sys/net/ipv4/ip_forward").read_text(), "1\n")
            self.assertEqual((node.root / "proc/sys/net/bridge/bridge-nf-call-iptables").read_text(), "1\n")
            self.assertEqual(node.calls("swapoff"), [])
            node.reboot()

    def test_swap_is_switched_off(self):
        node = self.node("Filename Type\n/dev/zram0 partition\n")
        self.assertEqual(node.stage("kernel")[0], 0)
        self.assertEqual(node.calls("swapoff"), ["swapoff -a"])

    def test_swap_stays_on_where_the_node_is_to_have_it(self):
        node = self.node("Filename Type\n/dev/zram0 partition\n")
        environment = (node.root / "etc/imgforge/node.env").read_text()
        node.write("etc/imgforge/node.env", environment + "IMGFORGE_SWAP='on'\n")
        code, said = node.stage("kernel")
        self.assertEqual((code, node.calls("swapoff")), (0, []))
        self.assertIn("as Kubernetes needs them; swap stays on", said)
        node.write("proc/swaps", "Filename Type\n")
        self.assertIn("as Kubernetes needs them; no swap", node.stage("kernel")[1])

    def test_a_kernel_without_a_module_is_told(self):
        node = self.node()
        node.set("missing-module", "br_netfilter")
        code, said = node.stage("kernel")
        self.assertEqual(code, 1)
        self.assertIn("FAILED: kernel module br_netfilter: modprobe: FATAL: Module br_netfilter not found.", said)

    def test_a_setting_the_kernel_does_not_have_is_told(self):
        node = self.node()
        (node.root / "proc/sys/net/ipv4/ip_forward").unlink()
        (node.root / "proc/sys/net/ipv4").rmdir()
        self.assertIn("FAILED: kernel setting net.ipv4.ip_forward cannot be set to 1", node.stage("kernel")[1])

    def test_memory_control_switched_off_is_told_with_the_remedy(self):
        node = self.node()
        node.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n")
        self.assertIn("add cgroup_enable=memory to its command line", node.stage("kernel")[1])


class Images(unittest.TestCase):
    shell = None

    def node(self, *archives, content="whole", runtime=None):
        node = Node(self.shell, role="worker", runtime=runtime)
        self.addCleanup(node.__exit__)
        node.install("ctr", "systemctl", *([runtime] if runtime else []))
        for name in archives:
            node.write(f"var/lib/imgforge/images/{name}", content)
        return node

    def test_every_archive_is_imported_once_containerd_runs(self):
        node = self.node("a.tar", "b.tar")
        self.assertEqual(node.stage("images")[0], 0)
        self.assertEqual(node.calls("systemctl")[0], "systemctl start containerd.service")
        imported = [call.rsplit("/", 1)[1] for call in node.calls("ctr")]
        self.assertEqual(imported, ["a.tar", "b.tar"])
        self.assertIn("ctr --namespace k8s.io images import", node.calls("ctr")[0])

    def test_where_docker_runs_the_containers_it_takes_the_archives(self):
        node = self.node("a.tar", "b.tar", runtime="docker")
        self.assertEqual(node.stage("images")[0], 0)
        self.assertEqual(node.calls("systemctl")[0], "systemctl start docker.service")
        folder = node.root / "var/lib/imgforge/images"
        loads = [f"docker load --quiet --input {folder}/{name}.tar" for name in "ab"]
        self.assertEqual((node.calls("docker"), node.calls("ctr")), (loads, []))
        node = self.node("a.tar", content="damaged", runtime="docker")
        self.assertIn("FAILED: a.tar: unexpected EOF", node.stage("images")[1])
        (node.commands / "docker").unlink()
        self.assertIn("not configured: docker is not installed", node.stage("images")[1])

    def test_a_card_without_archives_or_containerd_is_fine(self):
        self.assertIn("not configured: no container images", self.node().stage("images")[1])
        node = self.node("a.tar")
        (node.commands / "ctr").unlink()
        self.assertIn("not configured: containerd is not installed", node.stage("images")[1])

    def test_a_damaged_archive_fails_by_name_after_some_attempts(self):
        node = self.node("a.tar", content="damaged")
        code, said = node.stage("images")
        self.assertEqual((code, len(node.calls("ctr"))), (1, 6))
        self.assertIn("FAILED: a.tar: ctr: unexpected EOF", said)

    def test_a_damaged_archive_does_not_keep_the_others_out(self):
        node = self.node("a.tar", content="damaged")
        node.write("var/lib/imgforge/images/b.tar", "whole")
        code, said = node.stage("images")
        self.assertEqual(code, 1)
        imported = [call.rsplit("/", 1)[1] for call in node.calls("ctr")]
        self.assertEqual(imported, ["a.tar", "b.tar"] + 5 * ["a.tar"])
        self.assertIn("FAILED: a.tar: ctr: unexpected EOF", said)

    def test_containerd_that_does_not_start_is_told(self):
        node = self.node("a.tar")
        node.set("broken-unit", "containerd.service\n")
        self.assertIn("FAILED: a.tar: Job for containerd.service failed.", node.stage("images")[1])


class Addons(unittest.TestCase):
    shell = None

    def node(self, *names, failures=0):
        node = Node(self.shell, role="master")
        self.addCleanup(node.__exit__)
        node.install("kubectl", "systemctl")
        node.set("failures", f"{failures}\n")
        node.write("etc/kubernetes/admin.conf", "admin")
        for name in names:
            node.write(f"etc/imgforge/addons/{name}", "kind: some\n")
        return node

    def test_manifests_are_applied_in_the_order_of_their_names(self):
        node = self.node("20-metallb.yaml", "10-flannel.yaml")
        self.assertEqual(node.stage("addons")[0], 0)
        self.assertEqual([c.rsplit("/", 1)[1] for c in node.calls("kubectl")], ["10-flannel.yaml", "20-metallb.yaml"])

    def test_a_cluster_that_does_not_answer_yet_is_tried_again(self):
        node = self.node("10-flannel.yaml", failures=3)
        self.assertEqual(node.stage("addons")[0], 0)
        self.assertEqual(len(node.calls("kubectl")), 4)

    def test_one_that_cannot_be_applied_yet_holds_up_no_other(self):
        node = self.node("10-flannel.yaml", "90-addresses.yaml", "91-dns.yaml")
        node.set("unready", "90-addresses.yaml\n")
        node.set("when-asleep", '[ "$clock" -lt 1790001100 ] || : >"$FAKE/unready"')
        code, said = node.stage("addons")
        self.assertEqual(code, 0)
        applied = [c.rsplit("/", 1)[1] for c in node.calls("kubectl")]
        self.assertEqual(applied, ["10-flannel.yaml", "90-addresses.yaml", "91-dns.yaml"] + 5 * ["90-addresses.yaml"])
        self.assertIn("90-addresses.yaml: error: failed calling webhook: no endpoints; attempt 2 in 10 s", said)

    def test_nor_the_end_of_the_first_boot_which_is_told_again_when_all_is_applied(self):
        node = self.node("10-flannel.yaml", "90-addresses.yaml")
        node.set("unready", "90-addresses.yaml\n")
        code, said = node.stage("addons")
        self.assertEqual(code, 1)
        self.assertIn("FAILED: 90-addresses.yaml: error: failed calling webhook", said)
        self.assertLess(node.clock - LATER, 900)
        self.assertEqual(node.stage("ready")[0], 1)
        node.set("unready", "")
        self.assertEqual(node.stage("addons")[0], 0)
        self.assertIn("systemctl --no-block restart imgforge-ready.service", node.calls())

    def test_nodes_without_manifests_or_administration_have_nothing_to_do(self):
        self.assertIn("not configured: no manifests", self.node().stage("addons")[1])
        node = self.node("10-flannel.yaml")
        (node.root / "etc/kubernetes/admin.conf").unlink()
        self.assertIn("not configured: this node does not administer", node.stage("addons")[1])
