//! Logical partitions as `sfdisk` makes them, and as an attacker would.

use imgforge_disk::{
    Device, Disk, Error,
    partition::{Kind, SECTOR, Table},
};

use crate::{
    partition::SECTORS,
    tools::{Scratch, bytes_of, disk_over, read_error, run, save, sfdisk},
};

/// Two primary partitions, one before and one behind an extended one with three logical ones.
fn logical(scratch: &Scratch) -> Disk {
    let path = scratch.sparse("logical.img", SECTORS * SECTOR);
    sfdisk(
        &path,
        "label: dos\nlabel-id: 0x4f2c9ea0\n\
         1 : start=2048, size=2048, type=c\n2 : start=8192, size=32768, type=5\n\
         3 : start=40960, size=2048, type=83\n5 : start=10240, size=2048, type=83\n\
         6 : start=14336, size=4096, type=c, bootable\n7 : start=20480, size=20480, type=83\n",
    );
    disk_over(&path)
}

#[test]
fn logical_partitions_are_listed_as_sfdisk_lists_them() {
    let scratch = Scratch::new();
    let table = Table::read(&logical(&scratch)).unwrap();
    let program = "import json, sys\n\
        for p in json.load(sys.stdin)['partitiontable']['partitions']:\n\
        \x20   print(p['node'][len(sys.argv[1]):], p['start'], p['size'], p['type'], 'bootable' in p)\n";
    let image = scratch.arg("logical.img");
    let command = format!("sfdisk -J '{image}' | python3 -c \"$0\" '{image}'");
    let theirs = run("sh", &["-c", &command, program]);
    let ours: String = table
        .partitions()
        .iter()
        .map(|p| {
            let Kind::Mbr(kind) = p.kind else { panic!("{p:?}") };
            let bootable = if p.bootable { "True" } else { "False" };
            format!("{} {} {} {kind:x} {bootable}\n", p.number, p.start, p.sectors)
        })
        .collect();
    assert_eq!(ours, theirs);
    assert_eq!(table.partitions().len(), 6);
    assert_eq!(table.partition(6).unwrap().partuuid, "4f2c9ea0-06");
    let extended: Vec<_> = table.partitions().iter().map(|p| p.kind.is_extended()).collect();
    assert_eq!(extended, [false, true, false, false, false, false]);
    assert_eq!(table.partitions().iter().filter(|p| p.is_logical()).count(), 3);
}

#[test]
fn a_primary_partition_grows_beside_logical_ones_and_nothing_else_changes() {
    let scratch = Scratch::new();
    let mut disk = logical(&scratch);
    let before = bytes_of(&disk);
    let mut table = Table::read(&disk).unwrap();
    table.write(&mut disk).unwrap();
    assert!(bytes_of(&disk) == before);
    disk.resize(2 * SECTORS * SECTOR);
    table.grow(3, 2 * SECTORS - 40960).unwrap();
    table.write(&mut disk).unwrap();
    let after = bytes_of(&disk);
    let changed: Vec<_> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    assert!(changed.iter().all(|at| (490..494).contains(at)), "{changed:?}");
    run("sfdisk", &["--verify", &save(&scratch, &disk)]);

    let refused = |table: &mut Table, number| table.grow(number, 40_000).unwrap_err();
    for number in [5, 7] {
        let error = refused(&mut table, number);
        assert!(matches!(error, Error::Unsupported(_)) && error.to_string().contains("logical"), "{error}");
    }
    assert!(refused(&mut table, 2).to_string().contains("extended"));
    assert!(refused(&mut table, 1).to_string().contains("partition 2 comes after it"));
}

#[test]
fn an_extended_partition_without_a_record_is_empty() {
    let scratch = Scratch::new();
    let mut disk = logical(&scratch);
    disk.zero(8192 * SECTOR, SECTOR).unwrap();
    assert_eq!(Table::read(&disk).unwrap().partitions().len(), 3);
}

#[test]
fn a_chain_of_logical_partitions_that_lies_is_refused_with_the_reason() {
    let scratch = Scratch::new();
    let disk = logical(&scratch);
    // The second record of the chain: sfdisk lays it a megabyte before its partition.
    let second = 14336 - 2048;
    let damaged = |sector: u64, at: u64, bytes: &[u8]| {
        let mut disk = disk.clone();
        disk.write_at(sector * SECTOR + at, bytes).unwrap();
        read_error(&disk)
    };
    let (partition, link) = (446, 446 + 16);
    assert!(damaged(second, 510, &[0, 0]).contains("leads to sector 12288, where no record is"));
    // A link to the first record, to the record itself, beyond the extended partition; a third record in use.
    assert!(damaged(second, link + 8, &[0; 4]).contains("returns to sector 8192"));
    assert!(damaged(second, link + 8, &4096u32.to_le_bytes()).contains("returns to sector 12288"));
    assert!(damaged(second, link + 8, &[0xFF; 4]).contains("leaves the extended partition"));
    assert!(
        damaged(second, 446 + 32, &[0, 0, 0, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]).contains("a link")
    );
    assert!(damaged(second, partition, &[3]).contains("boot indicator 0x03"));
    // A partition beyond the extended one, over the chain, over another.
    assert!(damaged(second, partition + 12, &[0xFF; 4]).contains("partition 6"));
    assert!(damaged(second, partition + 8, &[0; 4]).contains("over the partition table in sector"));
    assert!(damaged(8192, partition + 12, &[0, 0x20, 0, 0]).contains("over the partition table in sector"));
    assert!(damaged(0, 446 + 32 + 4, &[0x0F]).contains("more than one extended"));
}
