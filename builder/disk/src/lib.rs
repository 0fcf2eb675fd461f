//! Disk images as an immutable base plus a delta: partition tables, FAT, emitters.
