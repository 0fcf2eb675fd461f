"""scripts: what the owner wants to have run once."""

import unittest

from node import Node

# Scripts as the docs ask for them: they may be cut off and run again.
REPEATABLE = {
    "motd": 'cd "$IMGFORGE_ROOT/etc"\ncat imgforge/node.env >motd.new\nmv motd.new motd\n',
    "share": 'mkdir -p "$IMGFORGE_ROOT/mnt/nas"\ntouch "$IMGFORGE_ROOT/mnt/nas/.keep"\n',
}


class Scripts(unittest.TestCase):
    shell = None

    def node(self, **scripts):
        """A node whose card brings these scripts, by names, in this order."""
        node = Node(self.shell)
        self.addCleanup(node.__exit__)
        for number, (name, text) in enumerate(scripts.items(), 1):
            path = f"etc/imgforge/run-once/{number:02}-{name}"
            node.write(path, f"#!/bin/sh\n{text}")
            (node.root / path).chmod(0o700)
        return node

    def runs(self, node):
        path = node.root / "runs"
        return path.read_text().split() if path.exists() else []

    @staticmethod
    def noting(name, then=""):
        return f'echo {name} >>"$IMGFORGE_ROOT/runs"\n{then}'

    def log(self, node):
        return (node.root / "var/log/imgforge/scripts.log").read_text()

    def test_they_run_in_their_order_and_once(self):
        node = self.node(zebra=self.noting("zebra"), ant=self.noting("ant"))
        code, said = node.stage("scripts")
        self.assertEqual((code, node.errors), (0, ""))
        self.assertEqual(
            said,
            "imgforge: [scripts] running zebra\nimgforge: [scripts] running ant\nimgforge: [scripts] 2 scripts have run\n",
        )
        node.reboot()
        self.assertEqual(node.stage("scripts"), (0, ""))
        self.assertEqual(self.runs(node), ["zebra", "ant"])

    def test_the_eleventh_is_not_the_second(self):
        names = [f"s{number}" for number in range(1, 13)]
        node = self.node(**{name: self.noting(name) for name in names})
        self.assertEqual(node.stage("scripts")[0], 0)
        self.assertEqual(self.runs(node), names)

    def test_without_any_there_is_nothing_to_do(self):
        node = self.node()
        self.assertEqual(node.stage("scripts"), (0, "imgforge: [scripts] not configured: no scripts on the card\n"))
        self.assertFalse(node.is_stamped("scripts"))

    def test_what_they_print_is_in_the_log_for_root_only_and_not_on_the_console(self):
        node = self.node(nas="echo hello\necho password=secret >&2\nexit 3\n")
        code, said = node.stage("scripts")
        self.assertEqual(code, 1)
        self.assertIn("/etc/imgforge/run-once/01-nas\nhello\npassword=secret\n", self.log(node))
        self.assertEqual((node.root / "var/log/imgforge/scripts.log").stat().st_mode & 0o777, 0o600)
        self.assertNotIn("secret", said + node.state("scripts")["message"])

    def test_one_that_fails_does_not_keep_the_others_from_running_and_runs_again_alone(self):
        node = self.node(
            first=self.noting("first"),
            nas=self.noting("nas", '[ -e "$IMGFORGE_ROOT/repaired" ] || exit 3\n'),
            last=self.noting("last"),
        )
        code, said = node.stage("scripts")
        self.assertEqual(code, 1)
        log = f"{node.root}/var/log/imgforge/scripts.log"
        self.assertIn(f"imgforge: [scripts] FAILED: nas: exit code 3 (see {log})\n", said)
        self.assertEqual(self.runs(node), ["first", "nas", "last"])
        self.assertFalse(node.is_stamped("scripts"))
        node.reboot()
        node.write("repaired", "")
        self.assertEqual(node.stage("scripts")[0], 0)
        self.assertEqual(self.runs(node), ["first", "nas", "last", "nas"])
        self.assertTrue(node.is_stamped("scripts"))

    def test_all_that_fail_are_named(self):
        node = self.node(one="exit 1\n", two=self.noting("two"), three="kill -9 $$\n", four="no-such-command\n")
        self.assertIn("FAILED: one: exit code 1; three: exit code 137; four: exit code 127 (see ", node.stage("scripts")[1])

    def test_one_whose_interpreter_is_not_there_is_told_as_well(self):
        node = self.node(one="", two=self.noting("two"))
        node.write("etc/imgforge/run-once/01-one", "#!/no/such/interpreter\n")
        code, said = node.stage("scripts")
        self.assertEqual(code, 1)
        self.assertRegex(said, "FAILED: one: exit code 12[67] ")
        self.assertEqual(self.runs(node), ["two"])

    def test_the_one_that_runs_is_told_while_it_does(self):
        node = self.node(slow='cat "$IMGFORGE_ROOT/run/imgforge/stages/scripts" >"$IMGFORGE_ROOT/seen"\n')
        node.stage("scripts")
        self.assertIn("state=running\n", (node.root / "seen").read_text())
        self.assertIn("message=slow\n", (node.root / "seen").read_text())

    def test_a_script_knows_whose_node_it_is(self):
        node = self.node(who='echo "$IMGFORGE_HOSTNAME $IMGFORGE_ROLE $IMGFORGE_BOARD" >"$IMGFORGE_ROOT/who"\n')
        node.stage("scripts")
        self.assertEqual((node.root / "who").read_text(), "k8s-1 base virt\n")

    def test_a_script_whose_stamp_is_taken_away_runs_again(self):
        node = self.node(one=self.noting("one"), two=self.noting("two"))
        node.stage("scripts")
        (node.root / "var/lib/imgforge/stages/scripts").unlink()
        (node.root / "var/lib/imgforge/run-once/02-two").unlink()
        node.stage("scripts")
        self.assertEqual(self.runs(node), ["one", "two", "two"])

    def test_a_node_with_scripts_waits_for_them_before_it_is_finished(self):
        node = self.node(one="exit 1\n")
        (node.root / "etc/systemd/system/imgforge-first-boot.target.wants/imgforge-scripts.service").symlink_to(
            "/usr/lib/systemd/system/imgforge-scripts.service"
        )
        for stage in ("grow", "clock", "storage", "packages"):
            node.write(f"var/lib/imgforge/stages/{stage}", "state=done\nsince=1\nmessage=\nretry_at=\n")
        node.stage("scripts")
        code, said = node.stage("ready")
        self.assertEqual(code, 1)
        self.assertIn("first boot not finished: scripts is failed: one: exit code 1 ", said)
