"""A lab: nodes as namespaces of this machine on a network of their own, and what their owner can do: switch on, cut the power, look."""

import base64
import datetime
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENDPOINT = "192.168.76.9"
PORT = 6443


def sh(command, check=True):
    return subprocess.run(["/bin/sh", "-c", command], check=check, capture_output=True, text=True).stdout


class Node:
    """A board: a card in it, perhaps a disk, and the power."""

    def __init__(self, lab, name, address, role):
        self.lab, self.name, self.address, self.role = lab, name, address, role
        self.card = lab.folder / name / "card"
        self.disk = None
        self.power = self.init = None
        self.since = "9"  # never

    @property
    def is_on(self):
        return self.power is not None

    def write_card(self, tree=None):
        """A card as imgforge made it: the node's, or that of another tree."""
        assert not self.is_on
        shutil.rmtree(self.card, ignore_errors=True)
        shutil.rmtree(f"{self.card}.usr", ignore_errors=True)
        tree = self.lab.cards.trees / (tree or self.name)
        self.card.mkdir(parents=True)
        for part in ("etc", "var"):
            subprocess.run(["cp", "-a", tree / part, self.card], check=True)
        subprocess.run(["cp", "-a", tree / "usr", f"{self.card}.usr"], check=True)

    def attach_blank_disk(self):
        self.disk = self.lab.folder / self.name / "disk"
        shutil.rmtree(self.disk, ignore_errors=True)
        self.disk.mkdir(parents=True)
        self.disk.chmod(0o700)

    def switch_on(self):
        assert not self.is_on
        n = self.name
        sh(f"ip netns add {n} && ip link add {n} type veth peer name eth0 netns {n} && ip link set {n} master lan up && "
           f"ip -n {n} link set lo up && ip -n {n} address add {self.address}/24 dev eth0 && ip -n {n} link set eth0 up && ip -n {n} route add default via 192.168.76.1")
        log = open(self.lab.folder / n / "power-on.log", "ab")
        self.power = subprocess.Popen(
            ["ip", "netns", "exec", n, "unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "/bin/sh", "-c", f'hostname {n} && exec "$@"', "sh",
             HERE / "power-on", self.card, self.lab.tools, self.disk or "", str(self.lab.moved)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        children = Path(f"/proc/{self.power.pid}/task/{self.power.pid}/children")
        until = time.monotonic() + 20
        while not (words := children.read_text().split()):
            assert time.monotonic() < until, f"{n} does not start"
            time.sleep(0.01)
        self.init = int(words[0])
        self.since = datetime.datetime.utcfromtimestamp(time.time() + self.lab.moved).isoformat()

    def cut(self):
        """The cable first: nobody hears of it. Then everything at once."""
        if not self.is_on:
            return
        sh(f"ip link set {self.name} down", check=False)
        try:
            os.kill(self.init, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.power.wait()
        sh(f"ip link del {self.name}; ip netns del {self.name}", check=False)
        self.power = self.init = None

    def run(self, *words, **options):
        """A command on the node."""
        return subprocess.run(["nsenter", "--target", str(self.init), "--all", f"--root=/proc/{self.init}/root", "--wd=/", "env", "-i", "PATH=/usr/sbin:/usr/bin", *self.lab.clock(), *words], capture_output=True, text=True, **options)

    def state(self, stage):
        """What the stage says since power-on, or the stamp of an earlier one."""
        for path in (Path(f"/proc/{self.init}/root/run/imgforge/stages/{stage}"), self.card / f"var/lib/imgforge/stages/{stage}"):
            try:
                return dict(line.split("=", 1) for line in path.read_text().splitlines())
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
        return {"state": "pending", "message": ""}

    def console(self):
        try:
            return (self.card / "var/log/console").read_text()
        except FileNotFoundError:
            return ""

    def has_data(self):
        return any(Path(self.disk or self.card / "var/lib/etcd").glob("member/wal/*.wal"))


class Lab:
    """A network, its nodes and the endpoint; `equip` makes cards and tools. `moved`: seconds by which everybody's clock is ahead of this machine's."""

    def __init__(self, folder, equip, nodes):
        self.folder, self.moved = Path(folder), 0
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(f"{self.folder}.lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"{self.folder} is in use: give another name in LIFETIME_LAB") from None
        shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        self.cards, self.tools = equip()
        self.nodes = {name: Node(self, name, address, role) for name, address, role in nodes}
        sh(f"ip link set lo up; ip link del lan; ip link add lan type bridge && ip address add 192.168.76.1/24 dev lan && ip address add {ENDPOINT}/24 dev lan && ip link set lan up")
        self.endpoint = Endpoint(self)
        self.api = Api(self.cards.kubeconfig)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.nodes.values():
            node.cut()
        self.endpoint.close()
        self.lock.close()

    def __getitem__(self, name):
        return self.nodes[name]

    def masters(self):
        return [node for node in self.nodes.values() if node.role == "master"]

    def clock(self):
        if not self.moved:
            return []
        return [f"CLOCK_MOVED_BY={self.moved}", f"FAKETIME=+{self.moved}", "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"]

    def kubectl(self, *words, stdin=None, server=None):
        """As the administrator on the workstation; None if it fails."""
        command = ["env", *self.clock(), str(self.tools / "bin/kubectl"), f"--kubeconfig={self.cards.kubeconfig}", "--request-timeout=20s", *words]
        if server:
            command.append(f"--server=https://{server}:{PORT}")
        done = subprocess.run(command, input=stdin, capture_output=True, text=True)
        self.said = done.stderr
        return done.stdout if done.returncode == 0 else None

    def get(self, path, at=ENDPOINT):
        """What the API server says of a path to the administrator; None if it does not answer."""
        status, answer = self.api.ask("GET", path, at=at)
        return answer if status == 200 else None

    def ready(self):
        """The names of the nodes that are Ready and have said so since they were switched on."""
        nodes = self.get("/api/v1/nodes") or {"items": []}
        leases = self.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases") or {"items": []}
        signs = {lease["metadata"]["name"]: lease["spec"]["renewTime"] for lease in leases["items"]}
        return {
            name for node in nodes["items"]
            if any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])
            and signs.get(name := node["metadata"]["name"], "") > self[name].since
        }

    def identity(self):
        """Another cluster has another; None while nobody answers."""
        system = self.get("/api/v1/namespaces/kube-system")
        return system and system["metadata"]["uid"]

    def members(self, at):
        """etcd's list, as the master `at` has it: {name: (status, is a learner)}."""
        pki = "/etc/kubernetes/pki/etcd"
        done = at.run("etcdctl", "--cacert", f"{pki}/ca.crt", "--cert", f"{pki}/server.crt", "--key", f"{pki}/server.key", "--command-timeout=5s", "member", "list")
        rows = [line.split(", ") for line in done.stdout.splitlines()]
        return {row[2]: (row[1], row[5]) for row in rows if len(row) > 5}

    def wait(self, what, condition, patience):
        began = time.monotonic()
        while time.monotonic() - began < patience:
            if condition():
                return time.monotonic() - began
            time.sleep(0.5)
        raise Failed(f"not after {patience} s: {what}\n{self.story()}")

    def formed(self, *nodes, patience=600):
        """Waits until these nodes have finished and the cluster is as it should be; seconds."""
        names = {node.name for node in nodes}
        began = time.monotonic()
        for node in nodes:
            self.wait(f"{node.name}: stage kubeadm", lambda: node.state("kubeadm")["state"] == "done", patience)
        self.wait(f"Ready: {sorted(names)}", lambda: names <= self.ready(), patience)
        masters = [node for node in nodes if node.role == "master"]
        wanted = {node.name: ("started", "false") for node in masters}
        self.wait(f"etcd's members are {sorted(wanted)}", lambda: self.members(masters[0]) == wanted, patience)
        for master in masters:
            self.wait(f"{master.name}'s API server", lambda: self.api.ask("GET", "/readyz", at=master.address)[0] == 200, patience)
        return time.monotonic() - began

    def story(self):
        lines = [f"endpoint: {self.endpoint.ready}; kubectl: {getattr(self, 'said', '')}"]
        for node in self.nodes.values():
            if node.console():
                lines += [f"--- {node.name}, {'on' if node.is_on else 'off'}", *node.console().splitlines()[-12:]]
        return "\n".join(lines)


class Failed(Exception):
    """The cluster is not what it should be."""


class Api:
    """The administrator's access, as a program has it: quicker than kubectl. It looks at nobody's certificate."""

    def __init__(self, kubeconfig):
        self.context = ssl._create_unverified_context()
        text = Path(kubeconfig).read_text()
        with tempfile.NamedTemporaryFile() as file:
            for field in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(re.search(rf"{field}: *\"?([A-Za-z0-9+/=]+)", text)[1]))
                file.write(b"\n")
            file.flush()
            self.context.load_cert_chain(file.name)

    def ask(self, verb, path, body=None, at=ENDPOINT, patience=10):
        """A status, 0 if there is no answer, and what was said."""
        connection = http.client.HTTPSConnection(at, PORT, timeout=patience, context=self.context)
        try:
            connection.request(verb, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            try:
                return answer.status, json.loads(text)
            except ValueError:
                return answer.status, text.decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()


class Witness:
    """Writes objects all the time. What it was told is written must be there ever after."""

    def __init__(self, lab):
        self.lab, self.kept, self.identity, self.number, self.open = lab, [], None, 0, True
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self):
        while self.open:
            name = f"witness-{self.number}"
            self.number += 1
            thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
            if self.lab.api.ask("POST", "/api/v1/namespaces/default/configmaps", thing, patience=5)[0] == 201:
                self.kept.append(name)
                self.identity = self.identity or self.lab.identity()
            time.sleep(0.2)

    def stop(self):
        self.open = False
        self.thread.join()

    def judge(self):
        """How many objects there are; raises Failed if one is gone, or the cluster is another."""
        kept, identity = list(self.kept), self.identity
        found = self.lab.get("/api/v1/namespaces/default/configmaps")
        names = {one["metadata"]["name"] for one in (found or {"items": []})["items"]}
        if lost := [name for name in kept if name not in names]:
            raise Failed(f"{len(lost)} of {len(kept)} objects are gone: {lost[:5]}\n{self.lab.story()}")
        if identity and self.lab.identity() != identity:
            raise Failed(f"the cluster is another: {identity} before, {self.lab.identity()} now\n{self.lab.story()}")
        return len(kept)


class Endpoint:
    """What an owner has before several masters: passes connections on to one whose API server is ready, and ends those to one that is not."""

    def __init__(self, lab):
        self.lab, self.ready, self.turn, self.pairs, self.open = lab, [], 0, {}, True
        self.door = socket.create_server((ENDPOINT, PORT), backlog=256)
        for job in (self.accept, self.look):
            threading.Thread(target=job, daemon=True).start()

    def close(self):
        self.open = False
        shut(self.door)
        self.door.close()

    def look(self):
        context = ssl._create_unverified_context()
        while self.open:
            ready = [node.address for node in self.lab.masters() if node.is_on and self.is_ready(node.address, context)]
            for address in set(self.ready) - set(ready):
                for pair in list(self.pairs.get(address, ())):
                    shut(*pair)
            self.ready = ready
            time.sleep(1)

    def is_ready(self, address, context):
        try:
            with socket.create_connection((address, PORT), 2) as plain, context.wrap_socket(plain) as door:
                door.settimeout(3)
                door.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                return b" 200 " in door.recv(64)
        except OSError:
            return False

    def accept(self):
        while self.open:
            try:
                client, _ = self.door.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        others = [node.address for node in self.lab.masters() if node.is_on and node.address not in self.ready]
        self.turn += 1
        ready = list(self.ready)
        shift = self.turn % len(ready) if ready else 0
        for address in [*ready[shift:], *ready[:shift], *others]:
            try:
                server = socket.create_connection((address, PORT), 2)
            except OSError:
                continue
            server.settimeout(None)
            pair = (client, server)
            self.pairs.setdefault(address, set()).add(pair)
            threading.Thread(target=copy, args=[client, server], daemon=True).start()
            copy(server, client)
            self.pairs[address].discard(pair)
            break
        client.close()


def copy(source, target):
    try:
        while part := source.recv(65536):
            target.sendall(part)
    except OSError:
        pass
    shut(source, target)


def shut(*doors):
    for door in doors:
        try:
            door.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
