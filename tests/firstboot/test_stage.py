"""What all stages share: the runner, stamps, states."""

import unittest

from node import Node


class Stage(unittest.TestCase):
    shell = None

    def node(self, script=None, **options):
        node = Node(self.shell, **options)
        self.addCleanup(node.__exit__)
        if script:
            node.write("usr/lib/imgforge/stages/trial", script)
        return node

    def test_a_stage_that_succeeds_is_stamped_and_says_so(self):
        node = self.node("run() { RESULT='it works'; }")
        self.assertEqual(node.stage("trial"), (0, "imgforge: [trial] it works\n"))
        self.assertTrue(node.is_stamped("trial"))
        self.assertEqual(node.state("trial")["message"], "it works")

    def test_a_stamped_stage_does_nothing_at_the_next_boot(self):
        node = self.node("run() { echo x >>\"$ROOT/worked\"; }")
        node.stage("trial")
        node.reboot()
        self.assertEqual(node.stage("trial"), (0, ""))
        self.assertEqual((node.root / "worked").read_text(), "x\n")

    def test_a_stage_of_every_boot_works_again(self):
        node = self.node("EVERY_BOOT=yes\nrun() { echo x >>\"$ROOT/worked\"; }")
        node.stage("trial")
        node.reboot()
        node.stage("trial")
        self.assertEqual((node.root / "worked").read_text(), "x\nx\n")

    def test_a_stage_that_fails_tells_why_and_is_tried_again(self):
        node = self.node('run() { [ -e "$ROOT/repaired" ] || fail "no luck"; }')
        self.assertEqual(node.stage("trial"), (1, "imgforge: [trial] FAILED: no luck\n"))
        self.assertFalse(node.is_stamped("trial"))
        self.assertEqual((node.state("trial")["state"], node.state("trial")["message"]), ("failed", "no luck"))
        node.write("repaired", "")
        self.assertEqual(node.stage("trial")[0], 0)
        self.assertTrue(node.is_stamped("trial"))

    def test_a_command_nobody_checks_fails_the_stage(self):
        node = self.node("run() { env false-does-not-exist; RESULT=unreached; }")
        code, said = node.stage("trial")
        self.assertEqual(code, 127)
        self.assertIn("FAILED: stopped with exit code 127", said)
        self.assertFalse(node.is_stamped("trial"))

    def test_cleanup_runs_however_the_stage_ends(self):
        for end in ("return 0", "fail why", "not_configured why", "env false-does-not-exist"):
            node = self.node('cleanup() { rm -f "$ROOT/litter"; }\nrun() { touch "$ROOT/litter"; ' + end + "; }")
            node.stage("trial")
            self.assertFalse((node.root / "litter").exists(), end)

    def test_a_stage_with_nothing_to_do_looks_again_at_the_next_boot(self):
        node = self.node('run() { [ -e "$ROOT/wish" ] || not_configured "no wish"; }')
        self.assertEqual(node.stage("trial"), (0, "imgforge: [trial] not configured: no wish\n"))
        self.assertFalse(node.is_stamped("trial"))
        node.write("wish", "")
        node.stage("trial")
        self.assertTrue(node.is_stamped("trial"))

    def test_attempts_come_ever_later_but_at_least_every_five_minutes(self):
        node = self.node('run() { until [ "$attempt" -eq 8 ]; do wait_and_retry "not yet"; done; }')
        node.stage("trial")
        self.assertEqual([int(call.split()[1]) for call in node.calls("sleep")], [10, 20, 40, 80, 120, 120, 120, 120])

    def test_a_waiting_stage_tells_when_it_tries_again(self):
        node = self.node("run() { wait_and_retry 'not yet'; }")
        node.set("when-asleep", 'cp "$IMGFORGE_ROOT/run/imgforge/stages/trial" "$FAKE/seen"')
        start = node.clock
        node.stage("trial")
        self.assertEqual(
            node.fact("seen"), f"state=waiting\nsince={start}\nmessage=not yet\nretry_at={start + 10}\n"
        )

    def test_the_log_is_for_root_only_and_does_not_grow_for_ever(self):
        node = self.node("run() { for _ in 1 2 3 4; do logged cat \"$ROOT/long\"; done; }")
        node.write("long", "x" * 200_000 + "\n")
        node.stage("trial")
        log = node.root / "var/log/imgforge/trial.log"
        self.assertEqual(log.stat().st_mode & 0o777, 0o600)
        self.assertEqual((log.parent / "trial.log.1").stat().st_mode & 0o777, 0o600)
        self.assertLess(log.stat().st_size, 500_000)

    def test_an_unknown_stage_is_wrong_use(self):
        node = self.node()
        for name in ("nonsense", "", "../stage"):
            self.assertEqual(node.stage(name)[0], 64, name)
