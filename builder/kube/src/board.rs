//! What the rules need to know of a board.

pub use imgforge_spec::{Architecture, BoardFacts};
