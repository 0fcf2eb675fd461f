"""clock: never before the image was made; network time if it comes soon."""

import unittest

import test_kubeadm
from node import EPOCH, LATER, Node


class Clock(unittest.TestCase):
    shell = None

    def node(self, clock, ntp_at):
        node = Node(self.shell)
        self.addCleanup(node.__exit__)
        node.install("timedatectl")
        node.clock = clock
        node.set("ntp-at", f"{ntp_at}\n")
        return node

    def test_a_clock_in_1970_is_set_to_the_epoch_of_the_image(self):
        node = self.node(clock=17, ntp_at=0)
        code, said = node.stage("clock")
        self.assertEqual((code, node.clock), (0, EPOCH))
        self.assertIn("the clock was at 17", said)

    def test_a_later_clock_is_left_alone(self):
        node = self.node(clock=LATER, ntp_at=0)
        node.stage("clock")
        self.assertEqual(node.clock, LATER)

    def test_network_time_is_awaited(self):
        node = self.node(clock=LATER, ntp_at=LATER + 31)
        code, said = node.stage("clock")
        self.assertEqual((code, node.clock), (0, LATER + 32))
        self.assertIn("from network time", said)

    def test_without_network_time_the_node_goes_on_after_two_minutes_and_says_so(self):
        node = self.node(clock=LATER, ntp_at=LATER + 10_000)
        code, said = node.stage("clock")
        self.assertEqual((code, node.clock), (0, LATER + 120))
        self.assertIn("no network time after 120 s, going on", said)
        self.assertTrue(node.is_stamped("clock"))

    def test_a_board_whose_clock_has_a_battery_does_not_wait(self):
        node = self.node(clock=LATER, ntp_at=LATER + 10_000)
        node.write("sys/class/rtc/rtc0/since_epoch", f"{LATER}\n")
        code, said = node.stage("clock")
        self.assertEqual((code, node.clock, node.calls("sleep")), (0, LATER, []))
        self.assertIn("battery-backed clock", said)

    def test_a_clock_chip_without_a_battery_is_not_believed(self):
        node = self.node(clock=17, ntp_at=LATER + 10_000)
        node.write("sys/class/rtc/rtc0/since_epoch", "17\n")
        self.assertIn("no network time after 120 s", node.stage("clock")[1])

    def test_later_boots_get_the_floor_at_once(self):
        node = self.node(clock=LATER, ntp_at=LATER)
        node.stage("clock")
        node.reboot()
        node.clock = 17
        node.set("ntp-at", f"{LATER * 2}\n")
        self.assertEqual(node.stage("clock")[0], 0)
        self.assertEqual((node.clock, node.calls("sleep")), (EPOCH, []))

    def test_a_member_is_never_before_the_time_it_became_one(self):
        """Without network time its clock would be before the masters' certificates at every power-on."""
        node = self.node(clock=17, ntp_at=LATER * 2)
        node.write("var/lib/imgforge/stages/kubeadm", f"state=done\nsince={LATER + 5}\nmessage=\nretry_at=\n")
        node.write("var/lib/imgforge/stages/clock", "state=done\n")
        code, said = node.stage("clock")
        self.assertEqual((code, node.clock), (0, LATER + 5))
        self.assertIn("before this node became a member of its cluster", said)


class ClustersClock(unittest.TestCase):
    """A node without network time takes the masters' time before it joins them."""

    shell = None

    def node(self, masters, kind="worker", ntp_at=LATER * 2):
        node = test_kubeadm.Kubeadm.node(self, kind)
        node.install("timedatectl")
        node.set("ntp-at", f"{ntp_at}\n")
        node.set("masters-clock", f"{masters}\n")
        return node

    def test_it_goes_forward_to_it(self):
        for kind in ("worker", "further-master"):
            node = self.node(LATER + 86_400, kind)
            code, said = node.stage("kubeadm")
            self.assertEqual((code, node.clock), (0, LATER + 86_400), node.errors)
            self.assertIn(f"the clock was at {LATER}, before the cluster's: set to {LATER + 86_400}", said)

    def test_it_never_goes_back(self):
        node = self.node(LATER - 86_400)
        self.assertEqual((node.stage("kubeadm")[0], node.clock), (0, LATER))

    def test_it_does_not_believe_a_time_beyond_reason(self):
        node = self.node(EPOCH + 21 * 365 * 86_400)
        self.assertEqual((node.stage("kubeadm")[0], node.clock), (0, LATER))

    def test_with_network_time_it_asks_nobody(self):
        node = self.node(LATER + 86_400, ntp_at=0)
        self.assertEqual((node.stage("kubeadm")[0], node.clock), (0, LATER))
        self.assertFalse(any("--v=8" in call for call in node.calls("kubectl")))

    def test_masters_that_are_switched_on_later_are_asked_then(self):
        node = self.node(LATER + 86_400)
        node.set("m0-is-down", "")
        node.set("when-asleep", '[ "$clock" -lt 1790001100 ] || rm -f "$FAKE/m0-is-down"')
        self.assertEqual(node.stage("kubeadm")[0], 0, node.errors)
        self.assertEqual(node.clock, LATER + 86_400)

    def test_the_master_that_makes_the_cluster_has_nobody_to_ask(self):
        node = self.node(LATER + 86_400, "single-master")
        self.assertEqual((node.stage("kubeadm")[0], node.clock), (0, LATER), node.errors)
