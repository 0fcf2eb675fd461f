"""A master's certificates never run out, whatever happens while they are renewed."""

import unittest

from node import LATER, Cut, Node

DAY = 86_400
YEAR = 365 * DAY
COMPONENTS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
FILES = {"admin.conf": "admin.conf", "apiserver": "pki/apiserver.crt", "etcd-server": "pki/etcd/server.crt"}


class Certificates(unittest.TestCase):
    shell = None

    def node(self, days=364, hostname="k8s-1"):
        """A master whose certificates are good for so many days more."""
        node = Node(self.shell, role="master")
        self.addCleanup(node.__exit__)
        node.install("crictl", "kubeadm", "kubectl", "systemctl")
        node.set("ends", "".join(f"{name} {file}\n" for name, file in FILES.items()))
        for fact, value in (("validity", YEAR), ("failures", 0), ("members", "m0 voter started"), ("unwell", "")):
            node.set(fact, f"{value}\n" if value != "" else "")
        node.set("masters", "k8s-1 Ready control-plane 1d\nk8s-2 Ready control-plane 1d\n")
        for number, file in enumerate(FILES.values()):
            node.write(f"etc/kubernetes/{file}", f"{LATER + days * DAY + number * 600}\n")
        node.write("etc/kubernetes/pki/ca.crt", "the authority")
        node.write("etc/kubernetes/kubelet.conf", "identity")
        node.write("etc/imgforge/kubeadm/init.yaml", "clusterName: home\n")
        node.write("run/kubelet", "")
        environment = (node.root / "etc/imgforge/node.env").read_text()
        node.write("etc/imgforge/node.env", environment.replace("k8s-1", hostname))
        return node

    def renew(self, node, *words, **options):
        return node.run("usr/lib/imgforge/renew-certificates", *words, **options)

    def ends(self, node):
        """How many days each is good for, from now."""
        return [(int((node.root / "etc/kubernetes" / file).read_text()) - node.clock) // DAY for file in FILES.values()]

    def restarted(self, node):
        return [call.split("id-")[1] for call in node.calls("crictl") if "stop" in call]

    def test_long_before_their_end_nothing_is_done(self):
        node = self.node(days=121)
        self.assertEqual((self.renew(node), self.restarted(node)), ((0, ""), []))
        self.assertEqual(node.calls("sleep"), [])

    def test_when_a_third_is_left_they_are_renewed_and_read_by_what_uses_them(self):
        node = self.node(days=119)
        code, said = self.renew(node)
        self.assertEqual((code, self.restarted(node)), (0, COMPONENTS), node.errors)
        self.assertTrue(all(days >= 364 for days in self.ends(node)))
        for component in COMPONENTS:
            self.assertEqual(node.fact(f"reads-{component}"), (node.root / "etc/kubernetes/pki/apiserver.crt").read_text())
        self.assertIn("renewed, the next ends in 364 days", said)
        node.reboot()
        self.assertEqual((self.renew(node), self.restarted(node)), ((0, ""), []))

    def test_a_cluster_that_is_left_alone_is_well_after_three_years(self):
        node = self.node()
        for _ in range(3 * 13):
            node.clock += 28 * DAY
            self.assertEqual(self.renew(node)[0], 0, node.errors)
            self.assertGreater(min(self.ends(node)), 90)
            node.reboot()
            node.write("run/kubelet", "")

    def test_each_master_has_its_own_moment(self):
        moments = []
        for hostname in ("k8s-1", "k8s-2", "k8s-3", "berta"):
            node = self.node(days=60, hostname=hostname)
            self.renew(node)
            moments.append(int(node.calls("sleep")[0].split()[1]))
        moments.sort()
        self.assertTrue(all(later - earlier > 300 for earlier, later in zip(moments, moments[1:])), moments)

    def test_a_cluster_that_is_not_well_is_left_alone_as_long_as_there_is_time(self):
        for fact, text, why in (
            ("unwell", "localhost:6443\n", "the API server does not answer"),
            ("masters", "k8s-1 Ready\nk8s-2 NotReady\n", "a master is not ready"),
        ):
            node = self.node(days=60)
            node.set(fact, text)
            code, said = self.renew(node)
            self.assertEqual((code, self.restarted(node)), (0, []))
            self.assertIn(f"in 60 days, but the cluster is not well: {why}; another try tomorrow", said.replace("59", "60"))
            self.assertLess(max(self.ends(node)), 61)

    def test_near_the_end_nothing_holds_it_up(self):
        node = self.node(days=20)
        node.set("masters", "k8s-2 NotReady\n")
        self.assertEqual(self.renew(node)[0], 0)
        self.assertEqual((node.calls("sleep"), self.restarted(node)), ([], COMPONENTS))

    def node_long_without_power(self, days):
        """The kubelet's own certificate has ended, which is good for a year; the others may be good for five."""
        node = self.node(days=days)
        (node.root / "run/kubelet").unlink()
        node.write("etc/kubernetes/kubelet.conf", "identity")
        node.write("var/lib/kubelet/config.yaml", "settings")
        node.write("var/lib/kubelet/pki/kubelet-client-current.pem", "ended")
        return node

    def has_good_kubelet(self, node):
        identity = (node.root / "etc/kubernetes/kubelet.conf").read_text()
        pem = node.root / "var/lib/kubelet/pki/kubelet-client-current.pem"
        return identity == "identity\n" and not pem.exists() and (node.root / "run/kubelet").exists()

    def test_after_a_year_without_power_the_kubelet_gets_an_identity_whatever_the_others_have(self):
        for days in (-30, 20, 1400):
            node = self.node_long_without_power(days)
            self.assertEqual(self.renew(node)[0], 0, node.errors)
            self.assertIn("systemctl restart kubelet", node.calls(), days)
            self.assertTrue(self.has_good_kubelet(node), days)

    def test_the_power_may_go_again_before_it_has_it(self):
        for days in (-30, 1400):
            for moment in range(1, 100):
                node = self.node_long_without_power(days)
                when = f"{days} days, after a cut before command {moment}"
                try:
                    self.renew(node, cut_before=moment)
                except Cut:
                    node.reboot()
                    self.assertEqual(self.renew(node, "undo")[0], 0, when)
                    identity = node.root / "etc/kubernetes/kubelet.conf"
                    if identity.exists() and identity.read_text() == "identity\n":
                        node.write("run/kubelet", "")
                    self.assertEqual(self.renew(node)[0], 0, when)
                    self.assertTrue(self.has_good_kubelet(node), when)
                    self.assertGreater(min(self.ends(node)), 363, when)
                else:
                    self.assertGreater(moment, 5)
                    break

    def test_a_kubelet_that_somebody_stopped_stays_so(self):
        node = self.node()
        (node.root / "run/kubelet").unlink()
        self.assertEqual((self.renew(node)[0], node.calls("systemctl restart")), (0, []))
        self.assertFalse((node.root / "run/kubelet").exists())

    def test_a_component_that_does_not_come_back_is_told_and_the_rest_is_done_later(self):
        node = self.node(days=20)
        node.set("unwell", "localhost:10257\n")
        node.set("when-asleep", ': >"$FAKE/calls"')
        code, said = self.renew(node)
        self.assertEqual(code, 1)
        self.assertIn("FAILED: kube-controller-manager is not well after its restart: error: connection refused", said)
        node.set("unwell", "")
        (node.fake / "when-asleep").unlink()
        (node.fake / "calls").unlink()
        self.assertEqual(self.renew(node)[0], 0)
        self.assertEqual(self.restarted(node), COMPONENTS[2:])

    def test_a_renewal_that_fails_leaves_what_was_there(self):
        node = self.node(days=20)
        node.set("failures", "1\n")
        code, said = self.renew(node)
        self.assertEqual((code, self.restarted(node)), (1, []))
        self.assertIn("FAILED: kubeadm certs renew: error: the control plane does not answer", said)
        self.assertLess(max(self.ends(node)), 21)

    def test_the_power_may_go_at_any_moment(self):
        """What a boot finds is whole, and the next look renews to the end."""
        for moment in range(1, 100):
            node = self.node(days=20)
            when = f"after a cut before command {moment}"
            try:
                self.renew(node, cut_before=moment)
            except Cut:
                node.reboot()
                self.assertEqual(self.renew(node, "undo")[0], 0, when)
                node.write("run/kubelet", "")
                found = set(self.ends(node))
                self.assertIn(found, ({20}, {19, 20}, {364}, {365}), when)
                self.assertEqual(self.renew(node)[0], 0, when)
                self.assertGreater(min(self.ends(node)), 363, when)
                # Undone and done again: what runs has the new ones. Renewed before the cut: the boot itself has read them.
                self.assertIn(self.restarted(node), ([], COMPONENTS), when)
                self.assertEqual(list((node.root / "var/lib/imgforge").glob("certificates.before*")), [], when)
                self.assertEqual((node.root / "etc/kubernetes/pki/ca.crt").read_text(), "the authority")
            else:
                self.assertGreater(moment, 15)
                return
        self.fail("more than 100 commands?")

    def test_the_copy_is_for_root_only(self):
        for moment in range(5, 30):
            node = self.node(days=20)
            try:
                self.renew(node, cut_before=moment)
            except Cut:
                for copy in (node.root / "var/lib/imgforge").glob("certificates.before*"):
                    self.assertEqual(copy.stat().st_mode & 0o077, 0)
                    return
        self.fail("no copy was made")

    def test_imgforge_status_says_when_they_end(self):
        node = self.node(days=200)
        self.renew(node)
        table = node.run("usr/bin/imgforge-status")[1]
        self.assertIn("Certificates are good until 2027-04-09T14:30:00Z (admin.conf).", table)
        metrics = node.root / "var/lib/imgforge/metrics/certificates.prom"
        self.assertIn('imgforge_certificate_end_seconds{certificate="etcd-server"} ', metrics.read_text())
        self.assertEqual((metrics.stat().st_mode & 0o777, metrics.parent.stat().st_mode & 0o777), (0o644, 0o755))

    def test_a_node_without_a_control_plane_has_nothing_to_renew(self):
        node = self.node()
        (node.root / "etc/kubernetes/admin.conf").unlink()
        self.assertEqual((self.renew(node), node.calls("kubeadm")), ((0, ""), []))

    def test_wrong_use(self):
        self.assertEqual(self.renew(self.node(), "now")[0], 64)
