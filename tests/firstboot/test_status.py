"""ready and imgforge-status: what people and programs are told."""

import json
import unittest

from node import LATER, Node


class Status(unittest.TestCase):
    shell = None

    def node(self, role="base"):
        node = Node(self.shell, role=role)
        self.addCleanup(node.__exit__)
        return node

    def record(self, node, name, state, message="", since=LATER, retry_at="", below="run/imgforge/stages"):
        node.write(f"{below}/{name}", f"state={state}\nsince={since}\nmessage={message}\nretry_at={retry_at}\n")

    def finish(self, node, *names):
        for name in names:
            self.record(node, name, "done", below="var/lib/imgforge/stages")

    def status(self, node):
        code, text = node.run("usr/bin/imgforge-status", "--json")
        answer = json.loads(text)
        return code, answer, {stage["stage"]: stage for stage in answer["stages"]}

    def test_ready_announces_the_end_with_name_and_role_once(self):
        node = self.node()
        self.finish(node, "grow", "clock", "storage", "packages")
        self.assertEqual(
            node.stage("ready"),
            (0, "imgforge: first boot finished: k8s-1 (base)\nimgforge: [ready] every stage is done\n"),
        )
        node.reboot()
        self.assertEqual(node.stage("ready"), (0, ""))

    def test_ready_ends_the_images_presets(self):
        node = self.node()
        self.finish(node, "grow", "clock", "storage", "packages")
        node.stage("ready")
        preset = node.root / "etc/systemd/system-preset/00-imgforge.preset"
        self.assertTrue(preset.read_text().startswith("#"))

    def test_ready_tells_which_stages_are_not_done_and_why(self):
        node = self.node(role="worker")
        self.finish(node, "grow", "clock", "storage", "kernel", "images")
        self.record(node, "packages", "failed", "not configured: kubelet")
        code, said = node.stage("ready")
        self.assertEqual(code, 1)
        self.assertIn(
            "imgforge: first boot not finished: "
            "packages is failed: not configured: kubelet; kubeadm is pending\n", said,
        )
        self.assertFalse(node.is_stamped("ready"))

    def test_a_stage_that_is_not_configured_does_not_hold_up_the_end(self):
        node = self.node(role="worker")
        self.finish(node, "grow", "clock", "storage", "packages", "kernel")
        self.record(node, "images", "not configured")
        self.record(node, "kubeadm", "not configured")
        self.assertEqual(node.stage("ready")[0], 0)

    def test_a_finished_node(self):
        node = self.node()
        self.finish(node, "grow", "clock", "storage", "packages", "ready")
        code, answer, stages = self.status(node)
        self.assertEqual((code, answer["finished"], answer["hostname"], answer["role"]), (0, True, "k8s-1", "base"))
        self.assertEqual(stages["packages"], {
            "stage": "packages", "state": "done", "since": LATER, "message": "", "retry_at": None,
        })
        self.assertEqual(stages["kubeadm"]["state"], "not configured")

    def test_a_node_that_has_just_been_switched_on(self):
        code, answer, stages = self.status(self.node())
        self.assertEqual((code, answer["finished"], stages["clock"]["state"]), (2, False, "pending"))

    def test_a_waiting_stage_with_its_next_try(self):
        node = self.node(role="worker")
        self.record(node, "kubeadm", "waiting", 'no "answer" \\ yet', retry_at=LATER + 40)
        code, _, stages = self.status(node)
        self.assertEqual((code, stages["kubeadm"]["message"]), (2, 'no "answer" \\ yet'))
        self.assertEqual(stages["kubeadm"]["retry_at"], LATER + 40)
        table = node.run("usr/bin/imgforge-status")[1]
        self.assertIn('kubeadm   waiting         2026-09-21T14:30:00Z  no "answer"', table)
        self.assertIn("(next try 2026-09-21T14:30:40Z)", table)

    def test_what_happened_since_power_on_outweighs_the_stamp(self):
        node = self.node()
        self.finish(node, "grow", "clock", "storage", "packages", "ready")
        self.record(node, "storage", "waiting", "disk UUID=655a39e8 for /mnt/root is missing")
        code, _, stages = self.status(node)
        self.assertEqual((code, stages["storage"]["state"]), (2, "waiting"))

    def test_a_failed_stage_is_seen_in_the_exit_code(self):
        node = self.node()
        self.record(node, "packages", "failed", "why")
        self.assertEqual(self.status(node)[0], 1)

    def test_wrong_use(self):
        self.assertEqual(self.node().run("usr/bin/imgforge-status", "--yaml")[0], 64)
