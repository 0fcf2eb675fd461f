"""packages: what was unpacked offline is configured on the board; no service starts in the middle of it."""

import unittest

from node import Node

POLICY = "usr/sbin/policy-rc.d"


def database(**states):
    return "".join(
        f"Package: {name}\nStatus: install ok {state}\nArchitecture: all\nMaintainer: x\nVersion: 1\nDescription: x\n\n"
        for name, state in states.items()
    )


class Packages(unittest.TestCase):
    shell = None

    def node(self, stubborn="", **states):
        node = Node(self.shell)
        self.addCleanup(node.__exit__)
        node.install("dpkg", "dpkg-query", "systemctl")
        (node.fake / "dpkg").mkdir()
        node.set("dpkg/status", database(**states))
        node.set("stubborn", f"{stubborn}\n" if stubborn else "")
        return node

    def test_unpacked_packages_are_configured_while_services_are_held_back(self):
        node = self.node(runc="unpacked", bash="installed")
        code, said = node.stage("packages")
        self.assertEqual((code, node.errors), (0, ""))
        self.assertIn("imgforge: [packages] configuring 1 packages\n", said)
        self.assertEqual(node.calls("dpkg"), ["dpkg --configure -a --force-confdef --force-confold"])
        self.assertEqual(node.fact("starts"), "denied\n")
        self.assertFalse((node.root / POLICY).exists())
        self.assertEqual(node.calls("systemctl")[-1], "systemctl --no-block start multi-user.target sockets.target timers.target paths.target default.target")

    def test_services_of_new_packages_are_enabled_though_the_images_presets_enable_nothing(self):
        preset = "systemd/system-preset/00-imgforge.preset"
        node = self.node(runc="unpacked")
        self.assertIn("\ndisable *", (node.root / "usr/lib" / preset).read_text())
        node.stage("packages")
        self.assertEqual((node.root / "run" / preset).read_text(), "enable *\n")

    def test_every_unfinished_state_counts_and_no_other(self):
        unfinished = ["unpacked", "half-configured", "half-installed", "triggers-awaited", "triggers-pending"]
        for state in [*unfinished, "installed"]:
            node = self.node(**{"some-package": state})
            if state.startswith("triggers"):
                extra = "Triggers-Awaited: other" if state.endswith("awaited") else "Triggers-Pending: x"
                node.set("dpkg/status", node.fact("dpkg/status").replace("\nVersion: 1", f"\nVersion: 1\n{extra}"))
            node.stage("packages")
            self.assertEqual(bool(node.calls("dpkg")), state in unfinished, state)

    def test_configuration_left_of_a_removed_package_is_no_work(self):
        node = self.node()
        node.set("dpkg/status", database(old="config-files").replace("install ok", "deinstall ok"))
        self.assertEqual(node.stage("packages")[0], 0)
        self.assertEqual(node.calls("dpkg"), [])

    def test_nothing_unpacked_means_nothing_to_do(self):
        node = self.node(bash="installed")
        self.assertEqual(node.stage("packages"), (0, "imgforge: [packages] every package is configured\n"))
        self.assertEqual(node.calls("dpkg") + node.calls("systemctl"), [])

    def with_locale(self, card="", **states):
        node = self.node(**states)
        node.install("locale", "locale-gen")
        node.set("locales", "C\nC.utf8\nPOSIX\n")
        node.set("card", card)
        node.write("etc/imgforge/locale", "de_DE.UTF-8\n")
        node.write("etc/locale.gen", "# en_GB.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\n")
        return node

    def test_the_language_is_made_once_packages_are_configured(self):
        for states in ({"locales": "unpacked"}, {"locales": "installed"}):
            node = self.with_locale(**states)
            self.assertEqual(node.stage("packages")[0], 0)
            self.assertIn("de_DE.utf8\n", node.fact("locales"))
            self.assertEqual(len(node.calls("locale-gen")), 1)

    def test_a_language_that_is_there_is_not_made_again(self):
        node = self.with_locale(locales="installed")
        node.set("locales", "C\nde_DE.utf8\n")
        node.stage("packages")
        self.assertEqual(node.calls("locale-gen"), [])

    def test_without_its_language_a_node_goes_on(self):
        node = self.with_locale("full", locales="installed")
        code, said = node.stage("packages")
        self.assertEqual(code, 0)
        self.assertIn("[packages] locale-gen: cannot create locale archive: No space left on device\n", said)

    def with_authority(self, card="", **states):
        node = self.node(**states)
        node.install("update-ca-certificates")
        node.set("card", card)
        for number in (1, 2):
            text = f"-----BEGIN CERTIFICATE-----\nMIIB{number}\n-----END CERTIFICATE-----\n"
            node.write(f"usr/local/share/ca-certificates/imgforge-{number}.crt", text)
        return node

    def bundle(self, node):
        return (node.root / "etc/ssl/certs/ca-certificates.crt").read_text()

    def test_authorities_are_trusted_before_services_start(self):
        for state in ("unpacked", "installed"):
            node = self.with_authority(**{"ca-certificates": state})
            self.assertEqual(node.stage("packages")[0], 0)
            self.assertIn("\nMIIB2\n", self.bundle(node))
            calls = [call.split(" ")[0] for call in node.calls()]
            last = [call for call in calls if call in ("update-ca-certificates", "systemctl")][-2:]
            self.assertEqual(last, ["update-ca-certificates", "systemctl"] if state == "unpacked" else ["update-ca-certificates"])

    def test_authorities_that_are_trusted_already_are_no_work(self):
        node = self.with_authority(bash="installed")
        node.write("etc/ssl/certs/ca-certificates.crt", "MIIB0\nMIIB1\nMIIB2\n")
        node.stage("packages")
        self.assertEqual(node.calls("update-ca-certificates"), [])

    def test_an_authority_that_did_not_get_into_the_bundle_is_told(self):
        node = self.with_authority("full", bash="installed")
        code, said = node.stage("packages")
        self.assertEqual(code, 1)
        self.assertIn("FAILED: update-ca-certificates: mv: cannot create regular file: No space left on device", said)
        self.assertFalse(node.is_stamped("packages"))

    def test_packages_that_cannot_be_configured_are_named_after_three_attempts(self):
        node = self.node(stubborn="kubelet", kubelet="unpacked", runc="unpacked")
        code, said = node.stage("packages")
        self.assertEqual(code, 1)
        self.assertEqual(len(node.calls("dpkg")), 3)
        self.assertIn("FAILED: not configured: kubelet (see ", said)
        self.assertFalse((node.root / POLICY).exists())
        self.assertFalse(node.is_stamped("packages"))

    def test_the_next_boot_tries_again(self):
        node = self.node(stubborn="kubelet", kubelet="unpacked")
        node.stage("packages")
        node.reboot()
        node.set("stubborn", "")
        self.assertEqual(node.stage("packages")[0], 0)

    def test_the_owners_own_policy_stays(self):
        node = self.node(runc="unpacked")
        node.write(POLICY, "#!/bin/sh\nexit 104\n")
        node.stage("packages")
        self.assertEqual((node.root / POLICY).read_text(), "#!/bin/sh\nexit 104\n")

    def test_a_policy_left_by_a_power_cut_goes_even_if_all_is_configured(self):
        node = self.node(runc="unpacked")
        node.run("usr/lib/imgforge/stage", "packages")
        policy = "#!/bin/sh\n# imgforge: no service starts while packages are configured\nexit 101\n"
        (node.root / "var/lib/imgforge/stages/packages").unlink()
        node.write(POLICY, policy)
        node.stage("packages")
        self.assertFalse((node.root / POLICY).exists())
