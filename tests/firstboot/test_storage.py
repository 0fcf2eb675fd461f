"""storage: nothing is stored on the card that belongs on a disk."""

import unittest

from node import Cut, Node

CARD = "/|/dev/mmcblk0p1|179:1\n"
DISKS = "UUID=655a39e8|/dev/sda1\nLABEL=my data|/dev/sdb1\n"
FSTAB = (
    "mnt-root.mount|/mnt/root|/dev/sda1|8:1\n"
    "mnt-my\\x20data.mount|/mnt/my data|/dev/sdb1|8:17\n"
    "var-lib-etcd.mount|/var/lib/etcd|/dev/sda1[/var/lib/etcd]|8:1\n"
)
HELD_BACK = "systemctl --no-block start multi-user.target sockets.target timers.target paths.target default.target"
RAID = "disk required UUID=655a39e8 /mnt/root\nbind required /mnt/root/var/lib/etcd /var/lib/etcd\n"


class Storage(unittest.TestCase):
    shell = None

    def node(self, mounts=RAID, disks=DISKS, mounted=CARD, fstab=FSTAB):
        node = Node(self.shell)
        self.addCleanup(node.__exit__)
        node.install("findfs", "findmnt", "systemctl", "systemd-escape", "umount")
        node.write("etc/imgforge/mounts", "# comment\n" + mounts)
        for fact, text in (("disks", disks), ("mounted", mounted), ("fstab", fstab)):
            node.set(fact, text)
        return node

    def test_disks_and_binds_are_mounted_in_their_order(self):
        node = self.node()
        code, said = node.stage("storage")
        self.assertEqual((code, said), (0, "imgforge: [storage] 2 declared mounts in place\n"))
        self.assertEqual(
            node.calls("systemctl"), ["systemctl start mnt-root.mount", "systemctl start var-lib-etcd.mount", HELD_BACK]
        )

    def test_what_systemd_gave_up_with_a_late_disk_is_started_after_all(self):
        """After its device-timeout and before this stage looks: nobody waited, and containerd's start has failed."""
        node = self.node()
        said = node.stage("storage")[1]
        self.assertNotIn("WAITING", said)
        self.assertEqual(node.calls("systemctl")[-1], HELD_BACK)

    def test_what_systemd_has_mounted_is_left_alone(self):
        node = self.node(mounted=CARD + "/mnt/root|/dev/sda1|8:1\n/var/lib/etcd|/dev/sda1[/x]|8:1\n")
        self.assertEqual(node.stage("storage")[0], 0)
        self.assertEqual(node.calls("systemctl"), [HELD_BACK])

    def test_a_node_without_disks_has_nothing_to_wait_for(self):
        self.assertEqual(self.node(mounts="").stage("storage")[0], 0)

    def test_a_missing_disk_is_named_once_and_awaited(self):
        node = self.node(disks="")
        node.set("when-asleep", '[ "$clock" -lt 1790001040 ] || echo "UUID=655a39e8|/dev/sda1" >"$FAKE/disks"')
        code, said = node.stage("storage")
        self.assertEqual(code, 0)
        self.assertEqual(said.count("disk UUID=655a39e8 for /mnt/root is missing: attach it"), 1)
        self.assertEqual(len(node.calls("sleep")), 9)
        self.assertEqual(node.calls("systemctl")[-1], HELD_BACK)

    def test_while_a_disk_is_missing_nothing_is_bound_to_the_card(self):
        node = self.node(disks="")
        node.set("when-asleep", 'cp "$IMGFORGE_ROOT/run/imgforge/stages/storage" "$FAKE/seen"; kill -9 0')
        with self.assertRaises(Cut):
            node.stage("storage")
        self.assertIn("state=waiting", node.fact("seen"))
        self.assertEqual(node.calls("systemctl"), [])
        self.assertFalse((node.root / "mnt/root/var/lib/etcd").exists())

    def test_a_disk_that_cannot_be_mounted_is_told_apart_from_a_missing_one(self):
        node = self.node(fstab="")
        node.set("when-asleep", "kill -9 0")
        with self.assertRaises(Cut):
            node.stage("storage")
        message = node.state("storage")["message"]
        self.assertEqual(message, "/mnt/root cannot be mounted: Unit mnt-root.mount not found.")

    def test_another_disk_at_the_mount_point_does_not_count(self):
        node = self.node(mounted=CARD + "/mnt/root|/dev/sdc1|8:33\n")
        node.set("when-asleep", "kill -9 0")
        with self.assertRaises(Cut):
            node.stage("storage")
        self.assertEqual(node.state("storage")["message"], "/mnt/root holds /dev/sdc1, not the disk UUID=655a39e8")

    def test_a_directory_bound_to_the_card_is_bound_to_the_disk_instead(self):
        node = self.node(mounted=CARD + "/var/lib/etcd|/dev/mmcblk0p1[/mnt/root/var/lib/etcd]|179:1\n")
        self.assertEqual(node.stage("storage")[0], 0)
        self.assertEqual(node.calls("umount"), ["umount /var/lib/etcd"])
        self.assertEqual(node.fact("mounted").splitlines()[-1], "/var/lib/etcd|/dev/sda1[/var/lib/etcd]|8:1")

    def test_a_missing_optional_disk_is_told_and_not_awaited(self):
        node = self.node(mounts=RAID + "disk optional UUID=none /mnt/usb\nbind optional /mnt/usb/x /srv/x\n")
        code, said = node.stage("storage")
        self.assertEqual(code, 0)
        self.assertIn("missing but optional: /mnt/usb /srv/x", said)

    def test_a_required_bind_on_a_missing_optional_disk_is_a_problem(self):
        node = self.node(mounts="disk optional UUID=none /mnt/usb\nbind required /mnt/usb/x /srv/x\n")
        node.set("when-asleep", "kill -9 0")
        with self.assertRaises(Cut):
            node.stage("storage")
        self.assertEqual(node.state("storage")["message"], "/mnt/usb/x for /srv/x is on a disk that is missing")

    def test_shares_and_memory_are_mounted_or_not_and_need_no_device(self):
        sources = ["nas.home.example:/export", "//nas/share", "tmpfs", "overlay", "pi@nas:/srv", "hostshare", "[fd00::1]:/a=b"]
        mounts = "".join(f"disk required {source} /mnt/{n}\n" for n, source in enumerate(sources))
        fstab = "".join(f"mnt-{n}.mount|/mnt/{n}|{source}|0:{n}\n" for n, source in enumerate(sources))
        node = self.node(mounts=mounts, fstab=fstab)
        code, said = node.stage("storage")
        self.assertEqual((code, said), (0, f"imgforge: [storage] {len(sources)} declared mounts in place\n"), node.errors)
        self.assertEqual(len(node.calls("systemctl")), len([*sources, HELD_BACK]))

    def test_a_share_whose_server_is_off_is_awaited_if_it_is_required(self):
        share = "mnt-nas.mount|/mnt/nas|nas:/export|0:40\n"
        node = self.node(mounts="disk required nas:/export /mnt/nas\nbind required /mnt/nas/a /srv/a\n", fstab="")
        node.set("when-asleep", f'[ "$clock" -lt 1790001040 ] || printf "%s" "{share}srv-a.mount|/srv/a|nas:/export|0:40\n" >"$FAKE/fstab"')
        code, said = node.stage("storage")
        self.assertEqual(code, 0)
        self.assertEqual(said.count("WAITING: /mnt/nas cannot be mounted: Unit mnt-nas.mount not found."), 1)
        node = self.node(mounts="disk optional nas:/export /mnt/nas\n", fstab="")
        self.assertIn("missing but optional: /mnt/nas", node.stage("storage")[1])

    def test_names_may_have_blanks(self):
        node = self.node(mounts="disk required LABEL=my\\040data /mnt/my\\040data\n")
        self.assertEqual(node.stage("storage")[0], 0, node.errors)
        self.assertTrue((node.root / "mnt/my data").is_dir())

    def test_every_boot_looks_again(self):
        node = self.node()
        node.stage("storage")
        node.reboot()
        node.set("mounted", CARD)
        self.assertEqual(node.stage("storage")[0], 0)
        self.assertIn("systemctl start mnt-root.mount", node.calls())
