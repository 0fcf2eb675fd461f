# Stand-in for Armbian's boot script of rockchip64: same names and same inputs, written for imgforge's tests.
#
# Recompile after editing: mkimage -C none -A arm64 -T script -d /boot/boot.cmd /boot/boot.scr

setenv load_addr "0x45000000"
setenv rootdev "/dev/mmcblk0p1"
setenv rootfstype "ext4"
setenv verbosity "1"
setenv console "both"
setenv docker_optimizations "on"

if test -e ${devtype} ${devnum} ${prefix}armbianEnv.txt; then
	load ${devtype} ${devnum} ${load_addr} ${prefix}armbianEnv.txt
	env import -t ${load_addr} ${filesize}
fi

# Under QEMU the emulator's own device tree describes the machine, and its serial port is another one.
setenv emulated "no"
if test "${board}" = "qemu-arm"; then setenv emulated "yes"; fi

if test "${emulated}" = "yes"; then
	setenv consoleargs "console=ttyAMA0"
else
	setenv consoleargs ""
	if test "${console}" = "display" || test "${console}" = "both"; then setenv consoleargs "console=tty1"; fi
	if test "${console}" = "serial" || test "${console}" = "both"; then setenv consoleargs "console=ttyS2,1500000 ${consoleargs}"; fi
fi

if test "${devtype}" = "mmc"; then part uuid mmc ${devnum}:1 partuuid; fi

setenv bootargs "root=${rootdev} rootwait rootfstype=${rootfstype} ${consoleargs} loglevel=${verbosity} ubootpart=${partuuid} ${extraargs} ${extraboardargs}"
if test "${docker_optimizations}" = "on"; then setenv bootargs "${bootargs} cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"; fi

load ${devtype} ${devnum} ${ramdisk_addr_r} ${prefix}uInitrd
load ${devtype} ${devnum} ${kernel_addr_r} ${prefix}Image

if test "${emulated}" = "yes"; then
	booti ${kernel_addr_r} ${ramdisk_addr_r} ${fdtcontroladdr}
else
	load ${devtype} ${devnum} ${fdt_addr_r} ${prefix}dtb/${fdtfile}
	fdt addr ${fdt_addr_r}
	booti ${kernel_addr_r} ${ramdisk_addr_r} ${fdt_addr_r}
fi
