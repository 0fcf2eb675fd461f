//! The kernels of a system and what they can load: modules(5) as depmod has listed them, and what is built in.

use std::collections::BTreeSet;

use super::look::Look;
use crate::image::read::Error;

/// A kernel by its folder of modules.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Its version: `6.12.44-current-rockchip64`.
    pub version: String,
    /// Names of its modules and of what is built in, `_` for `-`; `None` where the folder does not list them.
    modules: Option<BTreeSet<String>>,
}

impl Kernel {
    /// Whether it has the module `name`; `None` where that is not known.
    pub fn has(&self, name: &str) -> Option<bool> {
        self.modules.as_ref().map(|modules| modules.contains(name))
    }
}

/// The kernels below /lib/modules.
pub(crate) fn kernels(root: Look<'_>) -> Result<Vec<Kernel>, Error> {
    let mut kernels = Vec::new();
    // Where /lib is no link, the second is another folder.
    for folder in ["/usr/lib/modules", "/lib/modules"] {
        for version in root.names(folder)? {
            if kernels.iter().all(|kernel: &Kernel| kernel.version != version) {
                let modules = modules(root, &format!("{folder}/{version}"))?;
                kernels.push(Kernel { version, modules });
            }
        }
    }
    Ok(kernels)
}

fn modules(root: Look<'_>, folder: &str) -> Result<Option<BTreeSet<String>>, Error> {
    let loadable = root.text(&format!("{folder}/modules.dep"))?;
    let built_in = root.text(&format!("{folder}/modules.builtin"))?;
    let (Some(loadable), Some(built_in)) = (loadable, built_in) else { return Ok(None) };
    let loadable = loadable.lines().filter_map(|line| line.split(':').next());
    Ok(Some(loadable.chain(built_in.lines()).map(name_of).collect()))
}

/// `kernel/net/bridge/br_netfilter.ko.xz` is called `br_netfilter`.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.split('.').next().unwrap_or_default().replace('-', "_")
}
