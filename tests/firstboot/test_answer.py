"""answer: what is told to who asks over the network, by the script that imgforge.socket runs."""

import json
import socket
import subprocess
import unittest

from node import HERE, LATER, Node


class Answer(unittest.TestCase):
    shell = None

    def node(self):
        node = Node(self.shell, role="worker")
        self.addCleanup(node.__exit__)
        node.write("run/imgforge/stages/kubeadm", f"state=waiting\nsince={LATER}\nmessage=no \"answer\"\nretry_at={LATER + 40}\n")
        return node

    def ask(self, node, request):
        code, answer = node.run("usr/lib/imgforge/answer", stdin=request)
        self.assertEqual(code, 0, node.errors)
        head, body = answer.split("\n\n", 1) # text mode made \n of \r\n
        return head.splitlines(), body

    def test_it_is_what_imgforge_status_says(self):
        node = self.node()
        head, body = self.ask(node, "GET /whatever HTTP/1.1\r\nHost: k8s-1\r\n\r\n")
        self.assertEqual(head[0], "HTTP/1.0 200 OK")
        self.assertIn(f"Content-Length: {len(body.encode())}", head)
        self.assertEqual(body, node.run("usr/bin/imgforge-status", "--json")[1])
        stages = {stage["stage"]: stage for stage in json.loads(body)["stages"]}
        self.assertEqual((stages["kubeadm"]["state"], stages["kubeadm"]["message"]), ("waiting", 'no "answer"'))

    def test_nothing_else_is_done_whatever_is_asked(self):
        node = self.node()
        for request in ("POST / HTTP/1.1\r\n\r\n", "", "\n", "GET", "$(touch x)\n", "\x01" * 9000, "x" * 100_000):
            self.assertEqual(self.ask(node, request)[0][0], "HTTP/1.0 405 Method Not Allowed", request[:20])
        before = node.tree()
        self.ask(node, "GET /$(reboot)`reboot`;reboot ../../etc/shadow\r\n" + "x" * 50_000)
        self.assertEqual((node.tree(), node.calls()), (before, []))

    def test_a_token_goes_no_further(self):
        node = self.node()
        node.write("run/imgforge/stages/kubeadm", "state=failed\nsince=1\nmessage=token abcdef.0123456789abcdef is bad\nretry_at=\n")
        body = self.ask(node, "GET / HTTP/1.0\r\n\r\n")[1]
        self.assertIn("token (token) is bad", body)

    def test_a_node_that_says_nothing_says_so(self):
        node = self.node()
        (node.root / "etc/imgforge/node.env").unlink()
        self.assertEqual(self.ask(node, "GET / HTTP/1.0\r\n\r\n")[0][0], "HTTP/1.0 500 Internal Server Error")
