"""k3s: what is laid before it starts, whose data it takes, and when the node has its place."""

import shutil
import unittest

from node import Cut, Node

DATA = "var/lib/rancher/k3s"
MARKER = f"{DATA}/server/imgforge-cluster"
AUTHORITY = "a" * 64
SNAPSHOT = "var/lib/imgforge/restore/snapshot"


def identity(node="k8s-1", authority=AUTHORITY, release="1.36", address="192.168.1.10"):
    return f"cluster=home\nauthority={authority}\nrelease={release}\nnode={node}\naddress={address}\nendpoint=192.168.1.10:6443\n"


class K3s(unittest.TestCase):
    shell = None

    def node(self, role="master"):
        node = Node(self.shell, role=role, engine="k3s")
        self.addCleanup(node.__exit__)
        node.install("k3s", "systemctl")
        node.write("etc/rancher/k3s/config.yaml", "token: x\n")
        node.write("etc/imgforge/k3s/cluster", identity())
        node.write("etc/imgforge/k3s/kubelet.conf", "kind: KubeletConfiguration\n")
        if role == "master":
            for name in ("server-ca.crt", "server-ca.key", "etcd/peer-ca.key", "service.key"):
                node.write(f"etc/imgforge/k3s/tls/{name}", f"{name}\n")
        node.write("var/lib/imgforge/images/k3s.tar.zst", "images")
        return node

    def prepare(self, node, **options):
        return node.run("usr/lib/imgforge/k3s-prepare", **options)

    def with_data(self, marker):
        node = self.node()
        node.write(f"{DATA}/server/db/state.db", "data")
        if marker is not None:
            node.write(MARKER, marker)
        return node

    def refusal(self, marker):
        """What stands against the data; then it is moved away, and k3s goes on."""
        node = self.with_data(marker)
        node.set("when-asleep", f'/bin/cp "$IMGFORGE_ROOT/run/imgforge/k3s.problem" "$FAKE/why"; /bin/rm -rf "$IMGFORGE_ROOT/{DATA}/server"')
        code, _ = self.prepare(node)
        self.assertEqual(code, 0)
        self.assertFalse((node.root / "run/imgforge/k3s.problem").exists())
        return node.fact("why")

    def test_the_authorities_are_there_before_k3s_would_make_its_own(self):
        node = self.node()
        self.assertEqual(self.prepare(node)[0], 0, node)
        for name in ("server-ca.key", "etcd/peer-ca.key", "service.key"):
            path = node.root / DATA / "server/tls" / name
            self.assertEqual((path.read_text(), path.stat().st_mode & 0o777), (f"{name}\n", 0o600))
        self.assertEqual((node.root / MARKER).read_text(), identity())
        self.assertEqual((node.root / DATA / "agent/images/k3s.tar.zst").read_text(), "images")
        drop_in = node.root / DATA / "agent/etc/kubelet.conf.d/50-imgforge.conf"
        self.assertEqual(drop_in.read_text(), "kind: KubeletConfiguration\n")

    def test_an_agent_has_no_authority_and_no_marker(self):
        node = self.node("worker")
        self.assertEqual(self.prepare(node)[0], 0)
        self.assertFalse((node.root / DATA / "server").exists())
        self.assertTrue((node.root / DATA / "agent/images/k3s.tar.zst").exists())

    def test_a_new_card_goes_on_with_its_own_data(self):
        node = self.with_data(identity(release="1.35"))
        self.assertEqual((self.prepare(node)[0], node.calls("sleep")), (0, []))
        self.assertEqual((node.root / DATA / "server/db/state.db").read_text(), "data")
        self.assertEqual((node.root / MARKER).read_text(), identity(), "of this card's release from now on")

    def test_authorities_that_were_rotated_are_left_alone(self):
        node = self.with_data(identity())
        node.write(f"{DATA}/server/tls/server-ca.crt", "rotated")
        self.prepare(node)
        self.assertEqual((node.root / DATA / "server/tls/server-ca.crt").read_text(), "rotated")
        self.assertEqual((node.root / DATA / "server/tls/server-ca.key").read_text(), "server-ca.key\n")

    def test_what_is_laid_already_is_left_alone(self):
        node = self.node()
        self.prepare(node)
        before = node.tree()
        node.reboot()
        self.prepare(node)
        self.assertEqual(node.tree(), before)
        self.assertEqual([call for call in node.calls() if call.startswith("cp ")], [])

    def test_foreign_data_is_waited_out_and_never_touched(self):
        for marker, why in (
            (None, "nothing beside it says whose it is"),
            ("cluster=home\n", "is not whole"),
            (identity(release=""), "is not whole"),
            (identity(release="1.x"), "is not whole"),
            (identity(authority="b" * 64), "is of another cluster, home"),
            (identity(node="k8s-9"), "is of the master k8s-9 of this cluster"),
            (identity(release="1.37"), "newer than the card's 1.36: write a card with 1.37"),
            (identity(release="1.34"), "more than one minor release later: write a card with 1.35 first"),
        ):
            said = self.refusal(marker)
            self.assertIn(why, said)

    def test_a_power_cut_at_any_moment_leaves_no_half_file(self):
        def small():
            node = self.node()
            for name in ("server-ca.crt", "service.key"):
                (node.root / "etc/imgforge/k3s/tls" / name).unlink()
            return node

        whole = small()
        self.prepare(whole)
        expected = whole.tree()
        cut = 1
        while True:
            node = small()
            try:
                self.prepare(node, cut_before=cut)
                break
            except Cut:
                for path in (node.root / DATA).rglob("*"):
                    name = str(path.relative_to(node.root))
                    if path.is_file() and "imgforge/unfinished" not in name and not name.endswith(".tmp"):
                        self.assertEqual(path.read_bytes(), expected[name], name)
                node.reboot()
                self.assertEqual(self.prepare(node)[0], 0)
                after = node.tree()
                after.pop(f"{DATA}/imgforge/unfinished", None)
                self.assertEqual({n: b for n, b in after.items() if not n.endswith(".tmp")}, expected)
            cut += 1
        self.assertGreater(cut, 10)

    def with_snapshot(self, content="of monday"):
        node = self.node()
        node.write(SNAPSHOT, content)
        return node

    def test_a_cards_snapshot_becomes_the_data_once(self):
        node = self.with_snapshot()
        self.assertEqual(self.prepare(node)[0], 0, node.errors)
        self.assertEqual(len(node.calls("k3s")), 1)
        self.assertEqual((node.root / DATA / "server/db/etcd/data").read_text(), "restored: of monday")
        (node.root / DATA / "server/db/etcd/data").write_text("and what came since")
        node.reboot()
        self.assertEqual((self.prepare(node)[0], node.calls("sleep")), (0, []))
        self.assertEqual((node.root / DATA / "server/db/etcd/data").read_text(), "and what came since")

    def test_no_snapshot_overwrites_data(self):
        """Neither another cluster's nor this one's own, nor what came of another snapshot."""
        for restored in (None, "b" * 64 + "\n"):
            node = self.with_data(identity())
            node.write(SNAPSHOT, "of monday")
            if restored:
                node.write(f"{DATA}/server/imgforge-restored", restored)
            node.set("when-asleep", f'/bin/cp "$IMGFORGE_ROOT/run/imgforge/k3s.problem" "$FAKE/why"; /bin/rm "$IMGFORGE_ROOT/{SNAPSHOT}"')
            self.assertEqual(self.prepare(node)[0], 0)
            self.assertIn("this card brings a snapshot: nothing is overwritten. To go on with the data, remove ", node.fact("why"))
            self.assertEqual((node.root / DATA / "server/db/state.db").read_text(), "data")
            self.assertEqual(node.calls("k3s"), [])

    def test_a_restore_that_was_cut_off_begins_again(self):
        cut = 1
        while True:
            node = self.with_snapshot()
            try:
                self.prepare(node, cut_before=cut)
                break
            except Cut:
                node.reboot()
                self.assertEqual((self.prepare(node)[0], node.calls("sleep")), (0, []), cut)
                self.assertEqual((node.root / DATA / "server/db/etcd/data").read_text(), "restored: of monday")
                self.assertFalse((node.root / DATA / "server/imgforge-restoring").exists())
            cut += 1
        self.assertGreater(cut, 10)

    def test_data_that_is_half_made_of_a_snapshot_waits_for_the_card_that_brings_it(self):
        node = self.with_data(identity())
        node.write(f"{DATA}/server/imgforge-restoring", "b" * 64 + "\n")
        node.set("when-asleep", f'/bin/cp "$IMGFORGE_ROOT/run/imgforge/k3s.problem" "$FAKE/why"; /bin/rm -rf "$IMGFORGE_ROOT/{DATA}/server"')
        self.assertEqual(self.prepare(node)[0], 0)
        self.assertIn("of a snapshot, and this card brings none: put in the card that does, or move ", node.fact("why"))

    def test_that_the_snapshot_was_restored_is_on_the_disk_before_k3s_goes_on(self):
        node = self.with_snapshot()
        self.prepare(node)
        calls = node.calls()
        synced = [index for index, call in enumerate(calls) if call.startswith("sync ") and call.endswith(f"{DATA}/server")]
        made = [index for index, call in enumerate(calls) if call.startswith("k3s server ")]
        self.assertLess(made[-1], synced[-1])

    def test_a_snapshot_that_k3s_does_not_take_is_said_and_tried_again(self):
        node = self.with_snapshot("damaged")
        self.assertEqual(self.prepare(node)[0], 1)
        node.write("etc/rancher/k3s/k3s.yaml", "kubeconfig")
        node.set("when-asleep", ': >"$FAKE/active"; : >"$FAKE/answers"')
        self.assertIn("WAITING: k3s makes no data of the card's snapshot: journalctl -u k3s says why", node.stage("k3s")[1])
        node.write(SNAPSHOT, "of monday")
        self.assertEqual(self.prepare(node)[0], 0)
        self.assertFalse((node.root / "run/imgforge/k3s.problem").exists())

    def of_several(self, first=True):
        """A master of three; the others are those of the fact `masters`."""
        node = self.node()
        node.write("etc/rancher/k3s/config.yaml", "cluster-init: true\n" if first else "server: https://192.168.1.9:6443\n")
        node.write("proc/uptime", "0.00 0.00\n")
        node.write("etc/imgforge/k3s/masters", "192.168.1.11:6443\n192.168.1.12:6443\n")
        node.write("etc/imgforge/k3s/masters.kubeconfig", "identity\n")
        return node

    def joins(self, node):
        path = node.root / "etc/rancher/k3s/config.yaml.d/50-imgforge-join.yaml"
        return path.read_text() if path.exists() else None

    def waits(self, node, then):
        """What keeps it from starting, until `then` has happened; then it starts."""
        node.set("when-asleep", f'/bin/cp "$IMGFORGE_ROOT/run/imgforge/k3s.problem" "$FAKE/why"; {then}')
        self.assertEqual(self.prepare(node)[0], 0, node.errors)
        self.assertFalse((node.root / "run/imgforge/k3s.problem").exists())
        return node.fact("why")

    def test_the_first_of_several_masters_makes_the_cluster_where_nobody_else_is(self):
        """The others may be starting with the data: it gives them three minutes."""
        node = self.of_several()
        why = self.waits(node, ":")
        self.assertEqual(len(node.calls("sleep")), 18)
        self.assertIn("no other master answers; the cluster is made if none does within 10 s", why)
        self.assertIsNone(self.joins(node))

    def test_a_master_that_is_slow_to_start_is_joined_after_all(self):
        node = self.of_several()
        self.waits(node, '[ "$clock" -lt 1790001100 ] || echo "192.168.1.11:6443 /ping /readyz" >"$FAKE/masters"')
        self.assertEqual(self.joins(node), "server: https://192.168.1.11:6443\n")

    def test_what_cannot_be_asked_is_not_taken_for_absent(self):
        for fault in ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "no space left on device",
                      "dial tcp 192.168.1.11:6443: connect: network is unreachable"):
            node = self.of_several()
            node.set("strange", f"Unable to connect to the server: {fault}\n")
            why = self.waits(node, 'rm -f "$FAKE/strange"; echo "192.168.1.11:6443 /ping /readyz" >"$FAKE/masters"')
            self.assertIn(f"whether the cluster is there cannot be asked: 192.168.1.12:6443: Unable to connect to the server: {fault}", why)
            self.assertEqual(self.joins(node), "server: https://192.168.1.11:6443\n")

    def test_objects_in_sqlite_are_not_left_behind(self):
        for first, others in ((True, True), (False, True), (False, False)):
            node = self.of_several(first)
            node.write(f"{DATA}/server/db/state.db", "data")
            node.write(MARKER, identity())
            if others:
                node.set("masters", "192.168.1.11:6443 /ping /readyz\n")
            why = self.waits(node, f'echo "192.168.1.11:6443 /ping /readyz" >"$FAKE/masters"; /bin/rm -f "$IMGFORGE_ROOT/{DATA}/server/db/state.db"')
            self.assertIn("to join the other masters would leave them behind: make k8s-1 the first master", why)
        alone = self.of_several()
        alone.write(f"{DATA}/server/db/state.db", "data")
        alone.write(MARKER, identity())
        self.assertEqual(self.prepare(alone)[0], 0, "the first one takes it to etcd")
        self.assertIsNone(self.joins(alone))

    def member(self, marker, first=True):
        node = self.of_several(first)
        node.write("etc/imgforge/k3s/cluster", identity())
        (node.root / DATA / "server/db/etcd/member/wal").mkdir(parents=True)
        node.write(MARKER, marker)
        return node

    def test_what_was_cut_off_between_sqlite_and_etcd_is_said(self):
        node = self.member(identity())
        node.write(f"{DATA}/server/db/state.db", "data")
        why = self.waits(node, f'/bin/rm -f "$IMGFORGE_ROOT/{DATA}/server/db/state.db"')
        self.assertIn("k3s was cut off as it made etcd's data of SQLite's: move ", why)

    def test_a_member_of_etcd_whose_address_is_another_is_said(self):
        node = self.member(identity(address="192.168.1.20"))
        why = self.waits(node, f'/bin/rm -rf "$IMGFORGE_ROOT/{DATA}/server/db"; echo "192.168.1.11:6443 /ping /readyz" >"$FAKE/masters"')
        self.assertIn("is known at 192.168.1.20, and the card gives the node 192.168.1.10: give it the old address", why)

    def test_a_member_that_was_taken_out_joins_anew(self):
        node = self.member(identity())
        node.write(f"{DATA}/server/db/etcd/tombstone", "")
        node.set("masters", "192.168.1.11:6443 /ping /readyz\n")
        self.assertEqual(self.prepare(node)[0], 0)
        self.assertEqual(self.joins(node), "server: https://192.168.1.11:6443\n")

    def test_a_snapshot_that_was_used_is_not_used_again(self):
        """The data that came of it is lost later: the other masters have newer."""
        node = self.of_several()
        node.write(SNAPSHOT, "of monday")
        self.waits(node, ":")
        self.assertEqual((node.root / DATA / "server/db/etcd/data").read_text(), "restored: of monday")
        shutil.rmtree(node.root / DATA / "server")
        node.reboot()
        why = self.waits(node, 'echo "192.168.1.11:6443 /ping /readyz" >"$FAKE/masters"')
        self.assertIn("the data that was made of this card's snapshot is gone: to make it of the snapshot again, remove ", why)
        self.assertEqual((self.joins(node), node.calls("k3s server")), ("server: https://192.168.1.11:6443\n", []))

    def test_after_the_first_boot_the_status_says_what_k3s_waits_for(self):
        node = self.of_several(first=False)
        node.write("var/lib/imgforge/stages/k3s", "state=done\nsince=1\nmessage=k3s server is up\nretry_at=\n")
        node.set("when-asleep", '[ -e "$FAKE/seen" ] || /bin/cp "$IMGFORGE_ROOT/run/imgforge/stages/k3s" "$FAKE/seen"; echo "192.168.1.12:6443 /ping /readyz" >"$FAKE/masters"')
        code, said = self.prepare(node)
        self.assertEqual(code, 0)
        self.assertIn("state=waiting", node.fact("seen"))
        self.assertIn("none of the other masters answers", node.fact("seen"))
        self.assertIn("none of the other masters answers", said)
        self.assertFalse((node.root / "run/imgforge/stages/k3s").exists())

    def test_archives_of_another_card_are_looked_into(self):
        node = self.node("worker")
        node.write("etc/machine-id", "first\n")
        node.write(f"{DATA}/agent/images/k3s.tar.zst", "IMAGES")
        node.write(f"{DATA}/imgforge/images-of", "other\n")
        self.prepare(node)
        self.assertEqual((node.root / DATA / "agent/images/k3s.tar.zst").read_text(), "images")

    def test_what_k3s_ended_of_is_said(self):
        node = self.node()
        node.install("journalctl")
        node.set("journal", 'time="x" level=info msg="a"\ntime="x" level=fatal msg="starting kubernetes: critical configuration value mismatch"\n')
        node.write("etc/rancher/k3s/k3s.yaml", "kubeconfig")
        node.set("when-asleep", ': >"$FAKE/active"; : >"$FAKE/answers"')
        self.assertIn("WAITING: the API server does not answer yet; k3s says: starting kubernetes: critical configuration value mismatch",
                      node.stage("k3s")[1])

    def test_a_further_master_joins_the_one_that_is_ready(self):
        node = self.of_several(first=False)
        why = self.waits(node, 'echo "192.168.1.12:6443 /ping /readyz" >"$FAKE/masters"')
        self.assertIn("none of the other masters answers: 192.168.1.11:6443, 192.168.1.12:6443", why)
        self.assertEqual(self.joins(node), "server: https://192.168.1.12:6443\n")

    def test_a_first_master_whose_data_is_lost_makes_no_second_cluster(self):
        node = self.of_several()
        node.set("masters", "192.168.1.11:6443 /ping\n")
        node.set("member", "k8s-1   NotReady   control-plane,etcd,master   90d   v1.36.4+k3s1\n")
        why = self.waits(node, 'echo "192.168.1.12:6443 /ping /readyz" >>"$FAKE/masters"')
        self.assertIn("the master at 192.168.1.11:6443 answers, and is not ready: more than half", why)
        self.assertEqual(self.joins(node), "server: https://192.168.1.12:6443\n")
        self.assertTrue(any("delete node k8s-1 " in call for call in node.calls("k3s")))

    def test_a_master_that_is_well_is_not_taken_out_for_a_second_card_of_its_name(self):
        for ready in ("Ready", "Ready,SchedulingDisabled"):
            node = self.of_several(first=False)
            node.set("masters", "192.168.1.11:6443 /ping /readyz\n")
            node.set("member", f"k8s-1   {ready}   control-plane   90d   v1.36.4+k3s1\n")
            why = self.waits(node, 'rm "$FAKE/member"')
            self.assertIn("a master k8s-1 that is well: is a second card with this name switched on?", why)
            self.assertFalse(any("delete node" in call for call in node.calls("k3s")))

    def test_a_master_with_data_asks_nobody(self):
        node = self.of_several(first=False)
        node.write(MARKER, identity())
        (node.root / DATA / "server/db/etcd/member/wal").mkdir(parents=True)
        self.assertEqual((self.prepare(node)[0], node.calls("k3s"), node.calls("sleep")), (0, [], []))

    def test_a_join_that_was_cut_off_begins_again(self):
        cut = 1
        while True:
            node = self.of_several()
            node.set("masters", "192.168.1.11:6443 /ping /readyz\n")
            node.set("member", "k8s-1   NotReady   control-plane   90d   v1.36.4+k3s1\n")
            try:
                self.prepare(node, cut_before=cut)
                break
            except Cut:
                node.reboot()
                self.assertEqual((self.prepare(node)[0], node.calls("sleep")), (0, []), cut)
                self.assertEqual(self.joins(node), "server: https://192.168.1.11:6443\n")
            cut += 1
        self.assertGreater(cut, 10)

    def test_no_snapshot_is_restored_beside_masters_that_run(self):
        node = self.of_several()
        node.write(SNAPSHOT, "of monday")
        node.set("masters", "192.168.1.12:6443 /ping\n")
        why = self.waits(node, 'rm -f "$FAKE/masters"; [ -e "$FAKE/first" ] || /bin/cp "$IMGFORGE_ROOT/run/imgforge/k3s.problem" "$FAKE/first"')
        why = node.fact("first")
        self.assertIn("a cluster answers at 192.168.1.12:6443 already, and this card would take it back to a snapshot", why)
        self.assertEqual((node.root / DATA / "server/db/etcd/data").read_text(), "restored: of monday")

    def test_kube_vip_comes_and_goes_with_the_card(self):
        node = self.node()
        place = node.root / DATA / "agent/pod-manifests/kube-vip.yaml"
        node.write("etc/imgforge/k3s/kube-vip.yaml", "kind: Pod\n")
        self.prepare(node)
        self.assertEqual(place.read_text(), "kind: Pod\n")
        (node.root / "etc/imgforge/k3s/kube-vip.yaml").unlink()
        self.prepare(node)
        self.assertFalse(place.exists())

    def test_the_stage_ends_when_the_server_is_up(self):
        node = self.node()
        node.write("etc/rancher/k3s/k3s.yaml", "kubeconfig")
        node.set("when-asleep", '[ "$clock" -lt 1790001020 ] || { : >"$FAKE/active"; : >"$FAKE/answers"; }')
        code, said = node.stage("k3s")
        self.assertEqual(code, 0)
        self.assertEqual(said.count("WAITING: the API server does not answer yet"), 1)
        self.assertIn("k3s server is up", said)
        self.assertIn("systemctl --no-block start k3s.service", node.calls("systemctl"))
        self.assertTrue(node.is_stamped("k3s"))
        self.assertTrue(any("--kubeconfig" in call and "k3s.yaml get --raw /readyz" in call for call in node.calls("k3s")))

    def test_an_agent_has_joined_when_it_asks_as_itself(self):
        node = self.node("worker")
        node.write(f"{DATA}/agent/kubelet.kubeconfig", "identity")
        node.set("active", "")
        node.set("when-asleep", ': >"$FAKE/answers"')
        code, said = node.stage("k3s")
        self.assertEqual(code, 0)
        self.assertIn("WAITING: no place in the cluster yet: no answer from 192.168.1.10:6443", said)
        self.assertIn("k3s agent has joined 192.168.1.10:6443", said)
        self.assertIn("get node k8s-1", node.calls("k3s")[-1])

    def test_the_stage_says_what_k3s_waits_for(self):
        node = self.node()
        node.write("etc/rancher/k3s/k3s.yaml", "kubeconfig")
        node.write("run/imgforge/k3s.problem", "k3s' data is of another cluster\n")
        node.set("when-asleep", ': >"$FAKE/active"; : >"$FAKE/answers"')
        self.assertIn("WAITING: k3s' data is of another cluster", node.stage("k3s")[1])

    def test_add_ons_are_applied_as_k3s_administrator(self):
        node = self.node()
        node.install("kubectl")
        node.write("etc/rancher/k3s/k3s.yaml", "kubeconfig")
        node.write("etc/imgforge/addons/00-metallb.yaml", "kind: Namespace\n")
        node.set("failures", "0\n")
        self.assertEqual(node.stage("addons")[0], 0)
        self.assertIn("k3s.yaml apply --server-side", node.calls("kubectl")[0])

    def test_status_shows_the_stages_of_k3s(self):
        node = self.node()
        code, said = node.run("usr/bin/imgforge-status")
        self.assertEqual(code, 2)
        names = [line.split()[0] for line in said.splitlines()[3:] if line]
        self.assertEqual(names, "grow clock storage packages scripts kernel k3s addons ready".split())
