//! What is made: from what is asked for to the files of an image, stage by stage.

pub mod error;
pub mod layer;
pub mod manifest;
pub mod output;
pub mod personalize;
pub mod prepare;
pub mod release;
pub mod sbom;
