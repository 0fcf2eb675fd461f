//! What is made: from what is wanted to the files of an image, stage by stage.
//!
//! A [request](crate::plan::Request) becomes [pinned](crate::plan::Pinned) when base, time and lock are known,
//! [layered](layer::Layered) when its plan is applied to a disk, [written](output::Written) when its files are whole; each
//! of these is complete when it exists.

pub(crate) mod common;
pub mod destination;
pub mod error;
pub mod layer;
pub mod manifest;
pub mod misfit;
pub mod output;
pub mod personalize;
pub mod prepare;
pub mod release;
pub mod sbom;

use std::path::PathBuf;

use crate::{
    catalogue::Catalogue,
    host::{console::Console, settings::Settings},
    supply::{Rules, Supply, store::Store},
};

/// How images are made, whatever they are of.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A local image in place of the profile's.
    pub base: Option<PathBuf>,
    /// The folder with the overlays, in place of the one beside the profiles.
    pub overlays: Option<PathBuf>,
    /// The time that is written into the image, in seconds since 1970, in place of the lock's or the base's.
    pub epoch: Option<i64>,
    /// What may be done to have a lock.
    pub rules: Rules,
}

/// What the stages work with.
#[derive(Debug, Clone, Copy)]
pub struct Workbench<'a> {
    /// What is known.
    pub catalogue: &'a Catalogue,
    /// What was fetched.
    pub store: &'a Store,
    /// Mirrors.
    pub settings: &'a Settings,
    /// Progress, and what there is to say.
    pub console: &'a Console,
    /// How it is to be done.
    pub options: &'a Options,
}

impl<'a> Workbench<'a> {
    /// The part of it that fetches.
    pub fn supply(&self) -> Supply<'a> {
        let Self { store, settings, console, options, .. } = *self;
        Supply { store, settings, console, rules: options.rules }
    }
}
