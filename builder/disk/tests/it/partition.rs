//! Partition tables as `sfdisk` and `sgdisk` make them, and as an attacker would.

use imgforge_disk::{
    Device, Disk, Error,
    partition::{Format, Kind, SECTOR, Table},
};

use crate::fuzz::seal::seal_table;
use crate::tools::{Scratch, bytes_of, disk_over, read_error, run, save, sfdisk, try_run};

/// Sectors of the images here.
pub const SECTORS: u64 = 65_536;

/// An image in Raspberry Pi OS's layout, with bytes of a boot loader in sector 0.
fn mbr(scratch: &Scratch) -> Disk {
    let path = scratch.sparse("mbr.img", SECTORS * SECTOR);
    let script =
        "label: dos\nlabel-id: 0x4f2c9ea0\nstart=2048, size=16384, type=c, bootable\nstart=18432, type=83\n";
    sfdisk(&path, script);
    let mut disk = disk_over(&path);
    disk.write_at(0, &[0xA5; 440]).unwrap();
    disk
}

/// A GPT with gaps in its slots, a name, attributes.
fn gpt(scratch: &Scratch) -> Disk {
    gpt_of(scratch, 0)
}

/// The same with a root partition of `root` sectors; 0 for all there are.
fn gpt_of(scratch: &Scratch, root: u64) -> Disk {
    let path = scratch.sparse("gpt.img", SECTORS * SECTOR);
    let root = format!("-n1:20480:{}", if root == 0 { 0 } else { 20480 + root - 1 });
    let boot = ["-n14:2048:18431", "-c14:efi boot", "-t14:ef00", "-A14:set:2"];
    run("sgdisk", &[boot.as_slice(), &[&root, "-c1:rööt", "-t1:8305", path.to_str().unwrap()]].concat());
    disk_over(&path)
}

#[test]
fn an_mbr_is_read_as_the_kernel_sees_it() {
    let scratch = Scratch::new();
    let table = Table::read(&mbr(&scratch)).unwrap();
    assert_eq!((table.format(), table.disk_id().as_str()), (Format::Mbr, "4f2c9ea0"));
    let [boot, root] = table.partitions() else { panic!("{table:?}") };
    assert_eq!((boot.number, boot.start, boot.sectors, boot.bootable), (1, 2048, 16384, true));
    assert_eq!((root.number, root.start, root.sectors, root.bootable), (2, 18432, SECTORS - 18432, false));
    assert_eq!((&boot.kind, &root.kind), (&Kind::Mbr(0x0C), &Kind::Mbr(0x83)));
    assert_eq!(root.partuuid, "4f2c9ea0-02");
}

#[test]
fn growing_an_mbr_changes_four_bytes() {
    let scratch = Scratch::new();
    let mut disk = mbr(&scratch);
    let before = bytes_of(&disk);
    let mut table = Table::read(&disk).unwrap();
    disk.resize(2 * SECTORS * SECTOR);
    table.grow(2, 2 * SECTORS - 18432).unwrap();
    table.write(&mut disk).unwrap();

    let after = bytes_of(&disk);
    let changed: Vec<_> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    assert!(changed.iter().all(|at| (474..478).contains(at)) && !changed.is_empty(), "{changed:?}");
    assert_eq!(Table::read(&disk).unwrap().partition(2).unwrap().sectors, 2 * SECTORS - 18432);
    run("sfdisk", &["--verify", &save(&scratch, &disk)]);
}

#[test]
fn a_gpt_is_read_with_slots_names_and_attributes() {
    let scratch = Scratch::new();
    let disk = gpt(&scratch);
    let table = Table::read(&disk).unwrap();
    assert_eq!(table.format(), Format::Gpt);
    let [root, boot] = table.partitions() else { panic!("{table:?}") };
    assert_eq!((root.number, root.start, root.name.as_str()), (1, 20480, "rööt"));
    assert_eq!((boot.number, boot.start, boot.sectors), (14, 2048, 16384));
    assert_eq!((boot.name.as_str(), boot.attributes, boot.bootable), ("efi boot", 4, true));
    assert_eq!(boot.kind, Kind::Gpt("c12a7328-f81f-11d2-ba4b-00a0c93ec93b".into()));
    let listed = run("sgdisk", &["-i1", &scratch.arg("gpt.img")]).to_lowercase();
    assert!(listed.contains(&root.partuuid), "{listed}\n{}", root.partuuid);
    let listed = run("sgdisk", &["-p", &scratch.arg("gpt.img")]).to_lowercase();
    assert!(listed.contains(&table.disk_id()), "{listed}\n{}", table.disk_id());
}

#[test]
fn growing_a_gpt_moves_the_backup_and_keeps_the_rest() {
    // One growth leaves the old backup free, one lays the new backup over the old.
    for more in [SECTORS, 8] {
        let scratch = Scratch::new();
        let mut disk = gpt(&scratch);
        let before = Table::read(&disk).unwrap();
        let described = |image: &str| {
            [1, 14].map(|number| {
                let text = run("sgdisk", &[&format!("-i{number}"), image]);
                text.lines()
                    .filter(|line| !line.contains("Last") && !line.contains("size"))
                    .collect::<String>()
            })
        };
        let was = described(&scratch.arg("gpt.img"));

        let mut table = before.clone();
        disk.resize((SECTORS + more) * SECTOR);
        let sectors = SECTORS + more - table.tail_sectors() - 20480;
        table.grow(1, sectors).unwrap();
        table.write(&mut disk).unwrap();

        let out = save(&scratch, &disk);
        let verdict = run("sgdisk", &["-v", &out]);
        assert!(verdict.contains("No problems found"), "{verdict}");
        run("sfdisk", &["--verify", &out]);
        assert_eq!(described(&out), was);
        assert!(!run("sgdisk", &["-p", &out]).contains("Problem"));
        let after = Table::read(&disk).unwrap();
        assert_eq!(after.disk_id(), before.disk_id());
        assert_eq!(after.partition(1).unwrap().sectors, sectors);
        assert_eq!(after.partition(14), before.partition(14));
        if more > 100 {
            let bytes = bytes_of(&disk);
            let old_backup = ((SECTORS - 33) * SECTOR) as usize..(SECTORS * SECTOR) as usize;
            assert!(bytes[old_backup].iter().all(|byte| *byte == 0), "the old backup is gone");
        }
    }
}

#[test]
fn a_table_that_did_not_change_writes_nothing() {
    let scratch = Scratch::new();
    for mut disk in [gpt(&scratch), mbr(&scratch)] {
        let before = bytes_of(&disk);
        Table::read(&disk).unwrap().write(&mut disk).unwrap();
        assert!(bytes_of(&disk) == before);
    }
}

#[test]
fn growth_that_cannot_be_is_refused() {
    let scratch = Scratch::new();
    for mut disk in [gpt(&scratch), mbr(&scratch)] {
        let mut table = Table::read(&disk).unwrap();
        let last = table.partitions().iter().max_by_key(|partition| partition.start).unwrap().clone();
        let first = table.partitions().iter().min_by_key(|partition| partition.start).unwrap().clone();
        let refused = |result: Result<(), Error>| match result {
            Err(error @ Error::Layout(_)) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(refused(table.grow(first.number, first.sectors + 4096)).contains("comes after it"));
        assert!(refused(table.grow(9, 1)).contains("no partition 9"));
        assert!(refused(table.grow(last.number, last.sectors - 1)).contains("cannot shrink"));
        table.grow(last.number, last.sectors + 1).unwrap();
        assert!(refused(table.write(&mut disk)).contains("would end at sector"));
    }
    let mut table = Table::read(&mbr(&scratch)).unwrap();
    assert!(table.grow(2, 1 << 32).is_err());
}

#[test]
fn a_partition_grows_into_the_room_before_the_next() {
    let scratch = Scratch::new();
    let path = scratch.sparse("gap.img", SECTORS * SECTOR);
    sfdisk(&path, "label: dos\nstart=2048, size=2048, type=83\nstart=8192, size=2048, type=83\n");
    let mut disk = disk_over(&path);
    let mut table = Table::read(&disk).unwrap();
    table.grow(1, 8192 - 2048).unwrap();
    table.write(&mut disk).unwrap();
    run("sfdisk", &["--verify", &save(&scratch, &disk)]);
    let error = table.grow(1, 8193 - 2048).unwrap_err();
    assert!(matches!(error, Error::Layout(_)), "{error:?}");
    assert!(error.to_string().contains("partition 2 comes after it at sector 8192"), "{error}");
}

#[test]
fn a_gpt_that_is_cut_behind_its_last_partition_gets_a_new_backup() {
    let scratch = Scratch::new();
    let whole = gpt_of(&scratch, 32_768);
    for sectors in [20480 + 32_768, SECTORS - 40, SECTORS - 1] {
        let mut disk = whole.clone();
        disk.resize(sectors * SECTOR);
        let mut table = Table::read(&disk).unwrap();
        let before = table.clone();
        // Without room for a backup there is nowhere to write it.
        if sectors < SECTORS - 40 {
            assert!(matches!(table.clone().write(&mut disk), Err(Error::Layout(_))));
        }
        table.restore_backup(&mut disk).unwrap();
        let verdict = run("sgdisk", &["-v", &save(&scratch, &disk)]);
        assert!(verdict.contains("No problems found"), "{verdict}");
        let after = Table::read(&disk).unwrap();
        assert_eq!(after.partitions(), before.partitions());
        let restored = bytes_of(&disk);
        table.restore_backup(&mut disk).unwrap();
        assert!(bytes_of(&disk) == restored, "a whole table stays");
    }
    // What cuts a partition cuts data.
    let mut disk = whole.clone();
    disk.resize((20480 + 32_767) * SECTOR);
    assert!(read_error(&disk).contains("is it cut off?"));
}

#[test]
fn a_gpt_without_backup_grows() {
    let scratch = Scratch::new();
    let mut disk = gpt_of(&scratch, 32_768);
    disk.resize((20480 + 32_768) * SECTOR);
    let mut table = Table::read(&disk).unwrap();
    disk.resize(2 * SECTORS * SECTOR);
    table.grow(1, 2 * SECTORS - table.tail_sectors() - 20480).unwrap();
    table.write(&mut disk).unwrap();
    let verdict = run("sgdisk", &["-v", &save(&scratch, &disk)]);
    assert!(verdict.contains("No problems found"), "{verdict}");
}

/// Nobody has looked whether that sector can be, and nobody needs it.
#[test]
fn a_gpt_whose_backup_is_beyond_all_disks_grows() {
    let scratch = Scratch::new();
    let mut bytes = bytes_of(&gpt_of(&scratch, 32_768));
    bytes.truncate((20480 + 32_768) * SECTOR as usize);
    bytes[512 + 32..][..8].copy_from_slice(&u64::MAX.to_le_bytes());
    seal_table(&mut bytes);
    let mut disk = Disk::new(std::sync::Arc::new(bytes));
    Table::read(&disk).unwrap().restore_backup(&mut disk).unwrap();
    let verdict = run("sgdisk", &["-v", &save(&scratch, &disk)]);
    assert!(verdict.contains("No problems found"), "{verdict}");
}

#[test]
fn a_damaged_mbr_is_refused_with_the_reason() {
    let scratch = Scratch::new();
    let disk = mbr(&scratch);
    let damaged = |at: u64, bytes: &[u8]| {
        let mut disk = disk.clone();
        disk.write_at(at, bytes).unwrap();
        read_error(&disk)
    };
    assert!(damaged(510, &[0, 0]).contains("no partition table"));
    assert!(damaged(446, &[0; 64]).contains("no partition table"));
    assert!(damaged(446, &[0x33]).contains("boot indicator 0x33"));
    assert!(damaged(458, &[0; 4]).contains("partition 1 at sector 2048 has no sectors"));
    assert!(damaged(454, &[0; 4]).contains("sector 0"));
    assert!(damaged(458, &[0, 0x50, 0, 0]).contains("overlap at sector 18432"));
    assert!(damaged(474, &[0xFF; 4]).contains("partition 2 ends at sector"));
    assert!(damaged(450, &[0xEE]).contains("hybrid"));
    assert!(damaged(512, b"EFI PART").contains("two partition tables"));
    assert!(read_error(&Disk::new(std::sync::Arc::new(vec![0; 100]))).contains("no partition table"));
}

#[test]
fn a_damaged_gpt_is_refused_with_the_reason() {
    let scratch = Scratch::new();
    let disk = gpt(&scratch);
    let damaged = |at: u64, bytes: &[u8]| {
        let mut disk = disk.clone();
        disk.write_at(at, bytes).unwrap();
        read_error(&disk)
    };
    let backup = (SECTORS - 1) * SECTOR;
    assert!(damaged(512, &[0; 8]).contains("no GPT header"));
    assert!(damaged(512 + 40, &[9]).contains("primary GPT header in sector 1 has a wrong checksum"));
    assert!(damaged(1024, &[9]).contains("entries with a wrong checksum"));
    assert!(damaged(backup, &[0; 8]).contains("backup GPT header"));
    assert!(damaged(backup + 40, &[9]).contains("backup GPT header"));
    assert!(damaged(512 + 84, &[0, 1]).contains("entries of 256 bytes"));
    assert!(damaged(512 + 12, &[93]).contains("headers of 93 bytes"));
    assert!(damaged(446 + 8, &[2]).contains("begins at sector 2"));
    let mut cut = disk.clone();
    cut.resize((SECTORS - 100) * SECTOR);
    assert!(read_error(&cut).contains("cut off"));
}

#[test]
fn gpt_entries_that_lie_are_refused() {
    let scratch = Scratch::new();
    // A table with sound checksums whose entries overlap, or leave the usable range: made by our own hand.
    let forge = |entry: usize, field: usize, value: u64| {
        let mut bytes = bytes_of(&gpt(&scratch));
        let last = bytes.len() - 512;
        for array in [1024, last - 128 * 128] {
            bytes[array + entry * 128 + field..][..8].copy_from_slice(&value.to_le_bytes());
        }
        seal_table(&mut bytes);
        read_error(&Disk::new(std::sync::Arc::new(bytes)))
    };
    assert!(forge(13, 40, 30_000).contains("overlap"));
    assert!(forge(13, 40, 2047).contains("no sectors"));
    assert!(forge(0, 40, SECTORS).contains("leaves the usable sectors"));
    assert!(forge(0, 40, u64::MAX).contains("leaves the usable sectors"));
    assert!(forge(13, 32, 1).contains("leaves the usable sectors"));
}

#[test]
fn sgdisk_agrees_that_the_fixture_is_sound() {
    let scratch = Scratch::new();
    gpt(&scratch);
    let (success, verdict) = try_run("sgdisk", &["-v", &scratch.arg("gpt.img")]);
    assert!(success && verdict.contains("No problems found"), "{verdict}");
}
