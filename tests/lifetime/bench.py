"""What all scenarios share: the cluster, its lab, and what their owner does again and again."""

import os
import random
import time

from cards import TOP, Cards, tools
from lab import Failed, Lab, Witness

OUT = TOP / "out/lifetime"

CLUSTER = """name: lab
kubernetes: 1.20.2
carry-images: false
images: { etcd: 3.5.16-0 } # Debian's
lan: { gateway: 192.168.76.1, dns: [192.168.76.1] }
endpoint: { host: 192.168.76.9 }
add-ons: { network: none, monitoring: {} }
firewall: {} # of all: what a cluster lives through, it lives through behind one
backups: { keep: 2, every: 24h } # the file does not know of the disks here
nodes:
  - { hostname: m1, board: virt-arm64, performance: fast, role: master, address: 192.168.76.11/24, taints: [] }
  - { hostname: m2, board: virt-arm64, performance: fast, role: master, address: 192.168.76.12/24 }
  - { hostname: m3, board: virt-arm64, performance: fast, role: master, address: 192.168.76.13/24 }
  - { hostname: w1, board: virt-arm64, performance: fast, address: 192.168.76.21/24, labels: { lab.example/kind: tried } }
"""
NODES = [("m1", "192.168.76.11", "master"), ("m2", "192.168.76.12", "master"), ("m3", "192.168.76.13", "master"), ("w1", "192.168.76.21", "worker")]

ETCDCTL = "etcdctl --cacert $pki/ca.crt --cert $pki/server.crt --key $pki/server.key"


FOLDER = OUT / os.environ.get("LIFETIME_LAB", "lab")


def cards():
    return Cards(f"{FOLDER}.cards", CLUSTER)


def lab(moved=False):
    return Lab(FOLDER, lambda: (cards(), tools(f"{FOLDER}.tools", moved)), NODES)


def switch_on(lab, *names):
    for name in names:
        lab[name].write_card()
        lab[name].switch_on()


class Cuts:
    """Power cuts at random moments of an act, each followed by a look whether the cluster is whole."""

    def __init__(self, number, seed):
        self.number, self.random, self.seed = number, random.Random(seed), seed
        self.done, self.longest, self.objects, self.took = 0, 8.0, 0, []

    def at_random(self, lab, nodes, on, off):
        """Switches `nodes` on, cuts the power of `off` at some moment, perhaps again while they recover, and forms the cluster of all that are `on`."""
        for again in [True] * (1 + (self.random.random() < 0.3)):
            for node in nodes:
                if not node.is_on:
                    node.switch_on()
            moment = self.random.uniform(0, self.longest)
            time.sleep(moment)
            for node in off:
                node.cut()
            self.done += 1
        for node in on:
            if not node.is_on:
                node.switch_on()
        return lab.formed(*on)

    def figures(self):
        self.took.sort()
        return (f"{self.done} cuts (seed {self.seed}), {len(self.took)} clusters formed again in {self.took[len(self.took) // 2]:.0f} s (median), "
                f"{self.took[-1]:.0f} s (longest), {self.objects} objects written before, none lost")


def write_some(lab):
    """A witness who has written, and has stopped."""
    witness = Witness(lab)
    lab.wait("objects are written", lambda: len(witness.kept) > 5, 120)
    witness.stop()
    return witness


def expect(condition, otherwise):
    if not condition:
        raise Failed(otherwise)


def plan(number):
    """How many cuts, and the seed: LIFETIME_CUTS and LIFETIME_SEED, or as it comes."""
    return int(os.environ.get("LIFETIME_CUTS", number)), int(os.environ.get("LIFETIME_SEED", int(time.time())))


def tell(cuts):
    print(f"  {cuts.done} cuts; formed again after {cuts.took[-1]:.0f} s", flush=True)
