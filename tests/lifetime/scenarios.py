"""What a cluster lives through. Each scenario returns a line of figures, or raises Failed."""

import os
import socket
import threading
import time

from bench import ETCDCTL, Cuts, expect, lab, plan, switch_on, tell, write_some
from lab import Failed, Witness, sh
from restores import cuts_in_a_restore, restore_before_a_worker, restore_from_a_cold_copy, restore_from_a_snapshot


def form():
    """A master and a worker, switched on in that order."""
    with lab() as it:
        m1, w1 = it["m1"], it["w1"]
        switch_on(it, "m1")
        made = it.formed(m1)
        switch_on(it, "w1")
        joined = it.formed(m1, w1)
        it.wait("add-ons", lambda: m1.state("addons")["state"] == "done", 120)
        it.wait("m1: ready", lambda: "first boot finished: m1 (master)" in m1.console(), 30)
        it.wait("w1: ready", lambda: "first boot finished: w1 (worker)" in w1.console(), 30)
        label = it.get("/api/v1/nodes/w1")["metadata"]["labels"].get("lab.example/kind")
        if label != "tried":
            raise Failed(f"w1's label is {label}")
        return f"init {made:.0f} s, a worker's join {joined:.0f} s"


def firewall():
    """Behind `firewall: {}` a cluster forms and its parts reach each other; from another network nobody of them is heard."""
    with lab() as it:
        m1, w1 = it["m1"], it["w1"]
        switch_on(it, "m1", "w1")
        took = it.formed(m1, w1)
        # The API server asks the worker's kubelet.
        status, said = it.api.ask("GET", "/api/v1/nodes/w1/proxy/healthz")
        expect((status, said) == (200, "ok"), f"the API server is told by w1's kubelet: {status} {said}")
        sh(f"ip address add {INTERNET}/24 dev lan")
        doors = [(m1, port) for port in (6443, 2379, 2380, 10250)] + [(w1, 10250)]
        for source, heard in (("192.168.76.1", True), (INTERNET, False)):
            for node, port in doors:
                expect(is_heard(source, node.address, port) == heard, f"{source} is {'not ' if heard else ''}heard at {node.name}, port {port}")
        return f"formed in {took:.0f} s; {len(doors)} doors open at home and shut to others"


# An address of another network than the home's (RFC 5737).
INTERNET = "203.0.113.9"


def is_heard(source, target, port):
    try:
        socket.create_connection((target, port), timeout=3, source_address=(source, 0)).close()
        return True
    except OSError:
        return False


def cuts_in_init():
    """The first master, in the midst of making the cluster."""
    cuts = Cuts(*plan(25))
    cuts.longest = 40
    with lab() as it:
        m1 = it["m1"]
        while cuts.done < cuts.number:
            m1.cut()
            m1.write_card()
            witness = Witness(it)
            try:
                cuts.took.append(cuts.at_random(it, [m1], [m1], [m1]))
                cuts.objects += witness.judge()
            finally:
                witness.stop()
            tell(cuts)
    return cuts.figures()


def cuts_in_join(name, number, others=("m1",)):
    """A node in the midst of joining masters that run; every second time the power of all goes, and sometimes of one of the others as well."""
    cuts = Cuts(*plan(number))
    with lab() as it:
        others, node = [it[other] for other in others], it[name]
        switch_on(it, *(other.name for other in others))
        it.formed(*others)
        began = time.monotonic()
        switch_on(it, name)
        it.formed(*others, node)
        cuts.longest = (time.monotonic() - began) * 1.1
        witness = Witness(it)
        try:
            while cuts.done < cuts.number:
                remove(it, others[0], node)
                node.write_card()
                off = cuts.random.choice([[node], [*others, node], [*others, node], [cuts.random.choice(others), node]])
                cuts.took.append(cuts.at_random(it, [*others, node], [*others, node], off))
                cuts.objects = witness.judge()
                tell(cuts)
        finally:
            witness.stop()
    return cuts.figures()


def cuts_in_renewal():
    """A master in the midst of renewing its certificates, eleven months old. The next look ends what was begun."""
    cuts = Cuts(*plan(10))
    with lab(moved=True) as it:
        m1 = it["m1"]
        switch_on(it, "m1")
        it.formed(m1)
        witness = write_some(it)
        m1.cut()
        young = m1.card.with_name("young")
        sh(f"rm -rf {young} && cp -a {m1.card} {young}")
        while cuts.done < cuts.number:
            m1.cut()
            sh(f"rm -rf {m1.card} && cp -a {young} {m1.card}")
            it.moved = int(11 * MONTH)
            m1.switch_on()
            it.formed(m1)
            work = threading.Thread(target=renew, args=[m1])
            work.start()
            # What kubeadm writes is written in the first seconds; then the control plane restarts.
            time.sleep(cuts.random.uniform(0, 5 if cuts.done % 2 else 60))
            m1.cut()
            cuts.done += 1
            work.join()
            m1.switch_on()
            took = it.formed(m1)
            done = renew(m1)
            expect(done.returncode == 0, done.stdout + done.stderr)
            ends = m1.run("sh", "-c", "sed 's/.* //' /var/lib/imgforge/metrics/certificates.prom").stdout.split()
            expect(ends and min(map(int, ends)) > time.time() + it.moved + 300 * 86400, f"a certificate is still old: {ends}")
            cuts.took.append(took)
            it.formed(m1)
            cuts.objects = witness.judge()
            tell(cuts)
    return cuts.figures()


def remove(lab, of, node):
    """As an owner removes a node for good."""
    if node.role == "master":
        etcdctl = ETCDCTL.replace("$pki", "/etc/kubernetes/pki/etcd")
        # etcd removes nobody in the first seconds of a member: it takes it for not well.
        lab.wait(f"{node.name} is no member any more", lambda: not of.run("sh", "-c", f"{etcdctl} member remove $({etcdctl} member list | sed -n 's/, started, {node.name}, .*//p')").returncode, 120)
    node.cut()
    lab.wait(f"{node.name} is no node any more", lambda: lab.api.ask("DELETE", f"/api/v1/nodes/{node.name}")[0] in (200, 404), 60)
    lab.wait(f"{node.name} is gone", lambda: lab.api.ask("GET", f"/api/v1/nodes/{node.name}")[0] == 404, 60)


def new_card_old_disk():
    """The master's card dies, the disk with etcd's data is kept: a new card carries on, and the worker never notices."""
    with lab() as it:
        m1, w1 = it["m1"], it["w1"]
        m1.attach_blank_disk()
        switch_on(it, "m1", "w1")
        it.formed(m1, w1)
        witness = Witness(it)
        it.wait("objects are written", lambda: len(witness.kept) > 5, 60)
        worker = it.get("/api/v1/nodes/w1")["metadata"]["uid"]
        m1.cut()
        switch_on(it, "m1")
        took = it.formed(m1, w1)
        witness.stop()
        kept = witness.judge()
        expect("etcd's data is here: kubeadm init goes on with it" in m1.console(), m1.console())
        expect(it.get("/api/v1/nodes/w1")["metadata"]["uid"] == worker, "the worker has registered anew")
        expect("kubeadm join: takes" not in w1.console().split("kubeadm join succeeded")[-1], "the worker has joined anew")
        return f"the new card carried on after {took:.0f} s, all of {kept} objects are there"


def replace_masters_of_three():
    """Three masters; the cards and data of a further one, then of the first one, are lost: new cards take their places."""
    with lab() as it:
        masters = [it[name] for name in ("m1", "m2", "m3")]
        switch_on(it, "m1", "m2", "m3")
        made = it.formed(*masters)
        witness = Witness(it)
        it.wait("objects are written", lambda: len(witness.kept) > 5, 60)
        took = []
        for name in ("m2", "m1"):
            it[name].cut()
            it.wait(f"{name} is NotReady", lambda: name not in it.ready(), 120)
            switch_on(it, name)
            took.append(it.formed(*masters))
            expect("its old member is taken out, and a new one joins" in it[name].console(), it[name].console())
        witness.stop()
        return f"three masters in {made:.0f} s; m2 replaced in {took[0]:.0f} s, m1 in {took[1]:.0f} s, all of {witness.judge()} objects are there"


MONTH = 30.5 * 86400


def first_birthday():
    """The clock goes on by eleven months, then to thirteen: the master renews its certificates in between, the nodes run on."""
    with lab(moved=True) as it:
        m1, w1 = it["m1"], it["w1"]
        switch_on(it, "m1", "w1")
        it.formed(m1, w1)
        witness = write_some(it)
        said = []
        for months in (11, 13):
            before = [kubelet_certificate(node) for node in (m1, w1)]
            jump(it, months)
            it.formed(m1, w1)
            done = renew(m1)
            expect(done.returncode == 0, done.stdout + done.stderr)
            said.append(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "nothing to do")
            it.formed(m1, w1)
            witness.judge()
            if months == 11:
                it.wait("the kubelets renew their own", lambda: all(old != kubelet_certificate(node) for old, node in zip(before, (m1, w1))), 900)
        return "; ".join(f"after {months} months: {line}" for months, line in zip((11, 13), said))


def thirteen_months_without_power():
    """Nothing ran when the certificates could have been renewed: the master gets new ones, its kubelet too; a worker wants a new card."""
    with lab(moved=True) as it:
        m1, w1 = it["m1"], it["w1"]
        switch_on(it, "m1", "w1")
        it.formed(m1, w1)
        witness = write_some(it)
        jump(it, 13)
        time.sleep(30)
        expect(not it.ready(), "the cluster still runs, with certificates that have ended")
        done = renew(m1)
        expect(done.returncode == 0, done.stdout + done.stderr)
        master = it.formed(m1)
        witness.judge()
        w1.cut()
        switch_on(it, "w1")
        worker = it.formed(m1, w1)
        return f"the master came back {master:.0f} s after its renewal, the worker with a new card in {worker:.0f} s; all of {witness.judge()} objects are there"


def kubelet_certificate(node):
    return os.readlink(node.card / "var/lib/kubelet/pki/kubelet-client-current.pem")


def jump(lab, months):
    on = [node for node in lab.nodes.values() if node.is_on]
    for node in on:
        node.cut()
    lab.moved = int(months * MONTH)
    for node in on:
        node.switch_on()


def renew(master):
    """What imgforge-certificates.timer does a quarter of an hour after power-on. A master's turn may be hours away: such sleeps are cut short."""
    quick = "mkdir -p /run/quick && printf '#!/bin/sh\\n[ \"$1\" -lt 300 ] || set -- 1\\nexec /usr/bin/sleep \"$@\"\\n' >/run/quick/sleep && chmod +x /run/quick/sleep"
    return master.run("sh", "-c", f"{quick} && PATH=/run/quick:$PATH /usr/lib/imgforge/renew-certificates", timeout=900)


ALL = {
    "form": form,
    "firewall": firewall,
    "cuts-in-init": cuts_in_init,
    "cuts-in-worker-join": lambda: cuts_in_join("w1", 25),
    "cuts-in-master-join": lambda: cuts_in_join("m2", 30),
    "cuts-in-third-masters-join": lambda: cuts_in_join("m3", 10, others=("m1", "m2")),
    "cuts-in-renewal": cuts_in_renewal,
    "new-card-old-disk": new_card_old_disk,
    "replace-masters-of-three": replace_masters_of_three,
    "restore-from-a-snapshot": lambda: restore_from_a_snapshot("m1", "w1"),
    "cuts-in-a-restore": cuts_in_a_restore,
    "restore-before-a-worker": restore_before_a_worker,
    "restore-two-masters-from-a-snapshot": lambda: restore_from_a_snapshot("m1", "m2"),
    "restore-from-a-cold-copy": restore_from_a_cold_copy,
    "first-birthday": first_birthday,
    "thirteen-months-without-power": thirteen_months_without_power,
}
