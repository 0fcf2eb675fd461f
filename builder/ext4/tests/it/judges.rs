//! The judges agree with each other about images that nobody edited: otherwise their word about ours means nothing.

use crate::{
    fixture::{Format, altered_by, vendor_tree, vendor_tree_in},
    model::Model,
    oracle::assert_holds,
};

fn agree(format: &Format) {
    let linear = format.make_from(vendor_tree().path());
    // Through the model, which counts the links that ext4-view does not show.
    let tree = Model::of(&vendor_tree_in(&linear)).tree();
    assert_holds(&linear, &tree);
    assert_holds(&altered_by(&linear, "e2fsck", &["-fyD"]), &tree);
}

for_each_format!(agree);
