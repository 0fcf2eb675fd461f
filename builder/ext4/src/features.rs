//! The feature bits of the superblock and what the editor makes of each.
//!
//! <https://docs.kernel.org/filesystems/ext4/super.html> ("s_feature_compat", "s_feature_incompat",
//! "s_feature_ro_compat"). The names are those of `mke2fs -O`.

/// Which of the three words of the superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Compat,
    Incompat,
    RoCompat,
}

/// What the editor makes of a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// Must be set.
    Required,
    /// May be set.
    Supported,
    /// Must not be set.
    Refused,
}

/// One feature bit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feature {
    pub(crate) word: Word,
    pub(crate) mask: u32,
    pub(crate) name: &'static str,
    pub(crate) support: Support,
}

macro_rules! features {
    ($($constant:ident $word:ident $mask:literal $name:literal $support:ident;)*) => {
        $(
            #[allow(dead_code)]
            pub(crate) const $constant: Feature =
                Feature { word: Word::$word, mask: $mask, name: $name, support: Support::$support };
        )*
        /// Every bit that has a name.
        pub(crate) const ALL: &[Feature] = &[$($constant),*];
    };
}

features! {
    DIR_PREALLOC     Compat   0x0001 "dir_prealloc"       Supported;
    IMAGIC_INODES    Compat   0x0002 "imagic_inodes"      Refused;
    HAS_JOURNAL      Compat   0x0004 "has_journal"        Supported;
    EXT_ATTR         Compat   0x0008 "ext_attr"           Supported;
    RESIZE_INODE     Compat   0x0010 "resize_inode"       Supported;
    DIR_INDEX        Compat   0x0020 "dir_index"          Supported;
    LAZY_BG          Compat   0x0040 "lazy_bg"            Refused;
    EXCLUDE_INODE    Compat   0x0080 "exclude_inode"      Refused;
    EXCLUDE_BITMAP   Compat   0x0100 "exclude_bitmap"     Refused;
    SPARSE_SUPER2    Compat   0x0200 "sparse_super2"      Refused;
    FAST_COMMIT      Compat   0x0400 "fast_commit"        Supported;
    STABLE_INODES    Compat   0x0800 "stable_inodes"      Refused;
    ORPHAN_FILE      Compat   0x1000 "orphan_file"        Supported;

    COMPRESSION      Incompat 0x0000_0001 "compression"        Refused;
    FILETYPE         Incompat 0x0000_0002 "filetype"           Required;
    NEEDS_RECOVERY   Incompat 0x0000_0004 "needs_recovery"     Refused;
    JOURNAL_DEV      Incompat 0x0000_0008 "journal_dev"        Refused;
    META_BG          Incompat 0x0000_0010 "meta_bg"            Refused;
    EXTENT           Incompat 0x0000_0040 "extent"             Required;
    BITS_64          Incompat 0x0000_0080 "64bit"              Supported;
    MMP              Incompat 0x0000_0100 "mmp"                Refused;
    FLEX_BG          Incompat 0x0000_0200 "flex_bg"            Supported;
    EA_INODE         Incompat 0x0000_0400 "ea_inode"           Refused;
    DIRDATA          Incompat 0x0000_1000 "dirdata"            Refused;
    METADATA_CSUM_SEED Incompat 0x0000_2000 "metadata_csum_seed" Supported;
    LARGE_DIR        Incompat 0x0000_4000 "large_dir"          Refused;
    INLINE_DATA      Incompat 0x0000_8000 "inline_data"        Refused;
    ENCRYPT          Incompat 0x0001_0000 "encrypt"            Refused;
    CASEFOLD         Incompat 0x0002_0000 "casefold"           Refused;

    SPARSE_SUPER     RoCompat 0x0001 "sparse_super"       Supported;
    LARGE_FILE       RoCompat 0x0002 "large_file"         Supported;
    BTREE_DIR        RoCompat 0x0004 "btree_dir"          Refused;
    HUGE_FILE        RoCompat 0x0008 "huge_file"          Supported;
    UNINIT_BG        RoCompat 0x0010 "uninit_bg"          Supported;
    DIR_NLINK        RoCompat 0x0020 "dir_nlink"          Supported;
    EXTRA_ISIZE      RoCompat 0x0040 "extra_isize"        Supported;
    HAS_SNAPSHOT     RoCompat 0x0080 "snapshot"           Refused;
    QUOTA            RoCompat 0x0100 "quota"              Refused;
    BIGALLOC         RoCompat 0x0200 "bigalloc"           Refused;
    METADATA_CSUM    RoCompat 0x0400 "metadata_csum"      Supported;
    REPLICA          RoCompat 0x0800 "replica"            Refused;
    READONLY         RoCompat 0x1000 "read-only"          Refused;
    PROJECT          RoCompat 0x2000 "project"            Refused;
    SHARED_BLOCKS    RoCompat 0x4000 "shared_blocks"      Refused;
    VERITY           RoCompat 0x8000 "verity"             Refused;
    ORPHAN_PRESENT   RoCompat 0x1_0000 "orphan_present"   Refused;
}

/// The three words of a superblock: compat, incompat, ro_compat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeatureWords {
    pub(crate) compat: u32,
    pub(crate) incompat: u32,
    pub(crate) ro_compat: u32,
}

impl FeatureWords {
    fn word(&self, word: Word) -> u32 {
        match word {
            Word::Compat => self.compat,
            Word::Incompat => self.incompat,
            Word::RoCompat => self.ro_compat,
        }
    }

    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.word(feature.word) & feature.mask != 0
    }

    /// Names of the bits that are set; bits without a name are left out.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        ALL.iter().filter(|feature| self.has(**feature)).map(|feature| feature.name).collect()
    }

    /// What stands against editing this file system, in words; `None` if nothing does.
    pub(crate) fn objection(&self) -> Option<String> {
        let named = ALL.iter().find_map(|feature| match (feature.support, self.has(*feature)) {
            (Support::Refused, true) => Some(format!("feature {}", feature.name)),
            (Support::Required, false) => Some(format!("a file system without the feature {}", feature.name)),
            _ => None,
        });
        let words = [("compat", Word::Compat), ("incompat", Word::Incompat), ("ro_compat", Word::RoCompat)];
        let unknown = || {
            words.iter().find_map(|(name, word)| {
                let known = ALL.iter().filter(|feature| feature.word == *word);
                let rest = self.word(*word) & !known.fold(0, |mask, feature| mask | feature.mask);
                (rest != 0).then(|| format!("unknown {name} feature bits {rest:#x}"))
            })
        };
        named.or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: FeatureWords = FeatureWords { compat: 0, incompat: 0x42, ro_compat: 0 };

    #[test]
    fn a_plain_file_system_is_accepted() {
        assert_eq!(PLAIN.objection(), None);
        assert_eq!(PLAIN.names(), ["filetype", "extent"]);
    }

    #[test]
    fn refused_missing_and_unknown_bits_are_named() {
        let refusals = [
            (FeatureWords { incompat: 0x46, ..PLAIN }, "feature needs_recovery"),
            (FeatureWords { ro_compat: 0x200, ..PLAIN }, "feature bigalloc"),
            (FeatureWords { incompat: 0x02, ..PLAIN }, "a file system without the feature extent"),
            (FeatureWords { compat: 0x8000_0000, ..PLAIN }, "unknown compat feature bits 0x80000000"),
            (FeatureWords { incompat: 0x4000_0042, ..PLAIN }, "unknown incompat feature bits 0x40000000"),
        ];
        for (words, expected) in refusals {
            assert_eq!(words.objection().as_deref(), Some(expected));
        }
    }
}
