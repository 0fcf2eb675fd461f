"""clock: never before the image was made; network time if it comes soon."""

import unittest

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
