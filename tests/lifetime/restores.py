"""A cluster that is lost, and comes back from a snapshot or from a copy."""

import time

from bench import Cuts, expect, lab, plan, switch_on, tell, write_some
from lab import Witness, sh


def restore_from_a_snapshot(*names):
    """A master's own backup, then the loss of all masters' cards and disks, then a card with `--restore`; the other masters get new ones, workers go on."""
    with lab() as it:
        m1, nodes = it["m1"], [it[name] for name in names]
        m1.attach_blank_disk()
        switch_on(it, *names)
        it.formed(*nodes)
        witness = write_some(it)
        snapshot = back_up(m1, it.folder)
        later = Witness(it)
        it.wait("objects are written that the snapshot does not have", lambda: len(later.kept) > 2, 60)
        later.stop()
        masters = [node for node in nodes if node.role == "master"]
        for node in masters:
            node.cut()
        m1.attach_blank_disk()
        m1.write_card(it.cards.with_snapshot("m1", snapshot))
        m1.switch_on()
        switch_on(it, *(node.name for node in masters if node is not m1))
        took = it.formed(*nodes)
        expect("etcd's data is restored from the card's snapshot" in m1.console(), m1.console())
        objects = witness.judge()
        expect(it.get(f"/api/v1/namespaces/default/configmaps/{later.kept[-1]}") is None, "an object is there that came after the snapshot")
        # Revisions go on far beyond, so that nobody takes new ones for old ones.
        revision = int(it.get("/api/v1/namespaces/default/configmaps")["metadata"]["resourceVersion"])
        expect(revision > 1_000_000_000, f"the revision is {revision}")
        for node in nodes:
            if node.role == "worker":
                expect("kubeadm join: takes" not in node.console().split("kubeadm join succeeded")[-1], "the worker has joined anew")
        sees_new_pods(it, nodes[-1].name)
        return f"restored in {took:.0f} s, all of {objects} objects are there"


def restore_before_a_worker():
    """The worker joined after the snapshot, so the cluster does not know it any more: switched off and on it is there again."""
    with lab() as it:
        m1, w1 = it["m1"], it["w1"]
        m1.attach_blank_disk()
        switch_on(it, "m1")
        it.formed(m1)
        snapshot = back_up(m1, it.folder)
        switch_on(it, "w1")
        it.formed(m1, w1)
        m1.cut()
        m1.attach_blank_disk()
        m1.write_card(it.cards.with_snapshot("m1", snapshot))
        m1.switch_on()
        it.formed(m1)
        time.sleep(20)
        known = it.get("/api/v1/nodes/w1") is not None
        w1.cut()
        w1.switch_on()
        took = it.formed(m1, w1)
        sees_new_pods(it, "w1")
        return f"the worker {'was known' if known else 'was unknown'} after the restore, and Ready {took:.0f} s after it was switched on again"


def cuts_in_a_restore():
    """A master whose power goes at random moments while it restores a snapshot."""
    cuts = Cuts(*plan(12))
    with lab() as it:
        m1 = it["m1"]
        m1.attach_blank_disk()
        switch_on(it, "m1")
        it.formed(m1)
        witness = write_some(it)
        tree = it.cards.with_snapshot("m1", back_up(m1, it.folder))
        m1.cut()
        while cuts.done < cuts.number:
            m1.cut()
            m1.attach_blank_disk()
            m1.write_card(tree)
            # The restore is over in seconds; then the control plane starts.
            cuts.longest = 3 if cuts.done % 2 else 25
            cuts.took.append(cuts.at_random(it, [m1], [m1], [m1]))
            cuts.objects = witness.judge()
            tell(cuts)
    return cuts.figures()


def back_up(master, folder):
    """What imgforge-backup.timer does; the snapshot, fetched from the disk as the owner would."""
    done = master.run("/usr/lib/imgforge/back-up-etcd", "now")
    expect(done.returncode == 0, done.stdout + done.stderr)
    newest = max(master.disk.glob("imgforge-backups/*.snapshot"))
    snapshot = folder / newest.name
    snapshot.write_bytes(newest.read_bytes())
    return snapshot


def sees_new_pods(lab, name):
    """The node's kubelet hears of what happens after the restore: a new pod is started there."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late"},
           "spec": {"nodeName": name, "hostNetwork": True, "automountServiceAccountToken": False, "tolerations": [{"operator": "Exists"}],
                    "containers": [{"name": "late", "image": "any"}]}}
    lab.wait("the API server takes a pod", lambda: lab.api.ask("POST", "/api/v1/namespaces/default/pods", pod)[0] in (201, 409), 60)
    lab.wait(f"a new pod runs on {name}", lambda: lab.get("/api/v1/namespaces/default/pods/late")["status"].get("phase") == "Running", 120)


def restore_from_a_cold_copy():
    """The same with a copy of etcd's folder, taken while etcd was off."""
    with lab() as it:
        m1, w1 = it["m1"], it["w1"]
        m1.attach_blank_disk()
        switch_on(it, "m1", "w1")
        it.formed(m1, w1)
        witness = write_some(it)
        copied = m1.run("sh", "-c", "systemctl stop kubelet && crictl stop $(crictl ps --quiet --name '^etcd$') && "
                        "tar -C /var/lib/etcd -cf /var/etcd.tar member imgforge-cluster && systemctl start kubelet")
        expect(copied.returncode == 0, copied.stderr)
        it.formed(m1, w1)
        text = (m1.card / "var/etcd.tar").read_bytes()
        m1.cut()
        m1.attach_blank_disk()
        (m1.disk.parent / "etcd.tar").write_bytes(text)
        sh(f"tar -C {m1.disk} -xf {m1.disk.parent}/etcd.tar")
        switch_on(it, "m1")
        took = it.formed(m1, w1)
        return f"restored in {took:.0f} s, all of {witness.judge()} objects are there"
