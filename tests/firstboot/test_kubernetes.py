"""kernel, images, kubeadm, addons: the stages of masters and workers."""

import unittest

from node import Cut, Node


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
        node.set("broken", "containerd.service\n")
        self.assertIn("FAILED: a.tar: Job for containerd.service failed.", node.stage("images")[1])


class Kubeadm(unittest.TestCase):
    shell = None

    def node(self, action=None, failures=0):
        node = Node(self.shell, role="master")
        self.addCleanup(node.__exit__)
        node.install("kubeadm", "modprobe")
        node.set("failures", f"{failures}\n")
        node.write("proc/sys/kernel/osrelease", "6.12-arm64\n")
        node.write("boot/config-6.12-arm64", "CONFIG_CGROUPS=y\n")
        if action:
            node.write(f"etc/imgforge/kubeadm/{action}.yaml", "kind: some\n")
        return node

    def verbs(self, node):
        return [call.split()[1] for call in node.calls("kubeadm")]

    def test_each_document_has_its_command(self):
        for action in ("init", "join"):
            node = self.node(action)
            self.assertEqual(node.stage("kubeadm")[0], 0)
            document = node.root / f"etc/imgforge/kubeadm/{action}.yaml"
            self.assertEqual(node.calls("kubeadm"), [f"kubeadm {action} --config {document}"])
            self.assertTrue(node.is_stamped("kubeadm"))

    def test_further_arguments_follow_one_a_line(self):
        node = self.node("join")
        node.write("etc/imgforge/kubeadm/arguments", "--experimental-patches=/a b\n--v=1\n")
        self.assertEqual(node.stage("kubeadm")[0], 0)
        document = node.root / "etc/imgforge/kubeadm/join.yaml"
        self.assertEqual(
            node.calls("kubeadm"), [f"kubeadm join --config {document} --experimental-patches=/a b --v=1"]
        )

    def test_without_the_kernels_configuration_kubeadms_check_of_it_is_ignored_aloud(self):
        for module in ("configs", ""):
            node = self.node("join")
            (node.root / "boot/config-6.12-arm64").unlink()
            node.set("missing-module", module)
            code, said = node.stage("kubeadm")
            self.assertEqual((code, node.calls("modprobe")), (0, ["modprobe configs"]))
            ignored = "--ignore-preflight-errors=SystemVerification" in node.calls("kubeadm")[0]
            self.assertEqual(ignored, module == "configs", "the module brings the configuration")
            self.assertEqual("kubeadm's check SystemVerification is ignored" in said, ignored)

    def test_what_is_said_of_a_failure_is_not_kubeadms_advice(self):
        node = self.node("join", failures=1)
        node.set("advice", "\t[ERROR Port-10250]: Port 10250 is in use\n[preflight] If you know what you are doing, go on\n"
                 "To see the stack trace of this error execute with --v=5 or higher\n")
        said = node.stage("kubeadm")[1]
        self.assertIn("kubeadm join: [ERROR Port-10250]: Port 10250 is in use; attempt 2 in 10 s", said)

    def test_no_document_or_no_kubeadm_is_not_configured(self):
        node = self.node()
        self.assertIn("not configured: no init.yaml or join.yaml", node.stage("kubeadm")[1])
        node = self.node("init")
        (node.commands / "kubeadm").unlink()
        self.assertEqual(node.stage("kubeadm"), (0, "imgforge: [kubeadm] not configured: kubeadm is not installed\n"))

    def test_a_failed_attempt_is_reset_and_tried_again_until_it_succeeds(self):
        node = self.node("join", failures=2)
        code, said = node.stage("kubeadm")
        self.assertEqual(code, 0)
        self.assertEqual(self.verbs(node), ["join", "reset", "join", "reset", "join"])
        self.assertIn("kubeadm join: error: the control plane does not answer; attempt 2 in 10 s", said)

    def test_a_reset_is_told_which_of_several_runtimes_is_meant(self):
        for document, told in (
            ("nodeRegistration:\n  name: n\n  criSocket: unix:///run/cri-dockerd.sock\n", " --cri-socket unix:///run/cri-dockerd.sock"),
            ("kind: some\n", ""),
        ):
            node = self.node("join", failures=1)
            node.write("etc/imgforge/kubeadm/join.yaml", document)
            self.assertEqual(node.stage("kubeadm")[0], 0)
            self.assertEqual(node.calls("kubeadm")[1], f"kubeadm reset --force{told}")

    def test_a_joined_node_never_runs_kubeadm_again(self):
        node = self.node("join")
        node.stage("kubeadm")
        node.reboot()
        self.assertEqual((node.stage("kubeadm"), node.calls()), ((0, ""), []))

    def test_an_attempt_that_was_cut_off_is_reset_before_the_next(self):
        for action in ("init", "join"):
            node = self.node(action)
            node.set("cut-in-kubeadm", "")
            with self.assertRaises(Cut):
                node.stage("kubeadm")
            node.reboot()
            self.assertEqual(node.stage("kubeadm")[0], 0)
            self.assertEqual(self.verbs(node), ["reset", action])

    def test_shared_certificates_are_there_at_every_attempt_though_a_reset_deletes_them(self):
        node = self.node("init", failures=1)
        node.write("etc/imgforge/kubeadm/kubernetes/pki/ca.crt", "the cluster's")
        node.stage("kubeadm")
        self.assertEqual(node.fact("ca-seen"), "the cluster's")
        self.assertEqual((node.root / "etc/kubernetes/pki/ca.crt").read_text(), "the cluster's")

    def test_data_of_an_earlier_cluster_is_never_reset(self):
        node = self.node("init")
        node.write("var/lib/etcd/member/wal", "precious")
        code, said = node.stage("kubeadm")
        self.assertEqual((code, node.calls("kubeadm")), (1, []))
        self.assertIn("FAILED: etcd's data of an earlier cluster is in", said)
        self.assertEqual((node.root / "var/lib/etcd/member/wal").read_text(), "precious")


class Addons(unittest.TestCase):
    shell = None

    def node(self, *names, failures=0):
        node = Node(self.shell, role="master")
        self.addCleanup(node.__exit__)
        node.install("kubectl")
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

    def test_nodes_without_manifests_or_administration_have_nothing_to_do(self):
        self.assertIn("not configured: no manifests", self.node().stage("addons")[1])
        node = self.node("10-flannel.yaml")
        (node.root / "etc/kubernetes/admin.conf").unlink()
        self.assertIn("not configured: this node does not administer", node.stage("addons")[1])
