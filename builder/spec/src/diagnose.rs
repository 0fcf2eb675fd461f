//! What an error tells whoever ran into it, besides its message: what can be done, and whose fault it is.

/// Whose fault an error is; each has an exit code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// An input or setting must be changed.
    #[default]
    Input,
    /// An image is not what it should be: damaged, or other than planned.
    Image,
    /// The build machine or the network could not do it; the same may succeed later or elsewhere.
    Machine,
    /// A cluster is not what it should be, or not yet.
    Cluster,
}

impl Class {
    /// The exit code of a command that ends so. 2 is the command line's own, for what it cannot parse.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Input => 1,
            Class::Image => 3,
            Class::Machine => 4,
            Class::Cluster => 5,
        }
    }
}

/// An error that knows what its reader can do.
///
/// It is implemented beside each error. One that wraps others names the one [below](Diagnose::below), whose answers are its
/// own unless it knows better.
///
/// ```
/// use imgforge_spec::{Class, Diagnose};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("no space left in {0}")]
/// struct Full(String);
///
/// impl Diagnose for Full {
///     fn hint(&self) -> Option<String> {
///         Some(format!("make room in {}", self.0))
///     }
///
///     fn class(&self) -> Class {
///         Class::Machine
///     }
/// }
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("cannot write")]
/// struct Write(#[from] Full);
///
/// impl Diagnose for Write {
///     fn below(&self) -> Option<&dyn Diagnose> {
///         Some(&self.0)
///     }
/// }
///
/// let error = Write(Full("/tmp".into()));
/// assert_eq!(error.hint().as_deref(), Some("make room in /tmp"));
/// assert_eq!(error.class().exit_code(), 4);
/// ```
pub trait Diagnose: std::error::Error {
    /// The error that lies under this one and knows more, if there is one.
    fn below(&self) -> Option<&dyn Diagnose> {
        None
    }

    /// What the user can do, where that is not plain from the message.
    fn hint(&self) -> Option<String> {
        self.below()?.hint()
    }

    /// Whose fault it is.
    fn class(&self) -> Class {
        self.below().map_or(Class::Input, Diagnose::class)
    }
}
