//! Files of overlays that are filled in for the node. A variable that is not there is an error, never an empty string.

use std::path::Path;

use imgforge_spec::{Architecture, BoardName, Hostname};
use minijinja::{Environment, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;

use super::{Error, Pinned, Request, firewall, networks, wifi};
use crate::target::node::Address;

/// What templates may use. The names are part of the overlays' format.
#[derive(Debug, Serialize)]
struct Variables {
    node: NodeVariables,
    board: BoardVariables,
    /// Seconds since 1970 that stand for the time of the build.
    epoch: i64,
    imgforge: Imgforge,
}

#[derive(Debug, Serialize)]
struct NodeVariables {
    hostname: Hostname,
    role: &'static str,
    mounts: Vec<MountVariables>,
    time_servers: Vec<String>,
    address: Option<Address>,
    /// The VLAN of the address.
    vlan: Option<u16>,
    /// Other VLANs behind its card.
    vlans: Vec<u16>,
    wifi: Option<wifi::Variables>,
    firewall: Option<firewall::Variables>,
    swap: bool,
    quiet: bool,
    /// Seconds after which the watchdog restarts the board.
    watchdog: Option<u32>,
    /// `on`, `off`, or as the vendor has it.
    security_upgrades: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct MountVariables {
    source: String,
    target: String,
    /// `disk` or `bind`.
    kind: &'static str,
    required: bool,
}

#[derive(Debug, Serialize)]
struct BoardVariables {
    name: BoardName,
    arch: Architecture,
    vendor: String,
}

#[derive(Debug, Serialize)]
struct Imgforge {
    version: &'static str,
}

/// The variables of one node, ready for any template.
#[derive(Debug)]
pub(crate) struct Context(Value);

impl Context {
    /// The values for what is asked for.
    pub fn new(Pinned { request, epoch, .. }: &Pinned) -> Self {
        let Request { board, role, node, .. } = request;
        let disks = node.mounts.iter().map(|mount| MountVariables {
            source: mount.source.clone(),
            target: mount.target.to_string(),
            kind: "disk",
            required: mount.required,
        });
        let binds = node.storage.iter().map(|bind| MountVariables {
            source: bind.on.to_string(),
            target: bind.path.to_string(),
            kind: "bind",
            required: true,
        });
        let variables = Variables {
            node: NodeVariables {
                hostname: request.hostname(),
                role: role.name(),
                mounts: disks.chain(binds).collect(),
                time_servers: node.time_servers.clone(),
                address: node.address.clone(),
                vlan: node.address.as_ref().and_then(|address| address.vlan),
                vlans: networks::vlans_of_address(node),
                wifi: node.wifi.as_ref().map(wifi::Variables::from),
                firewall: node.firewall.as_ref().map(firewall::Variables::from),
                swap: node.swap,
                quiet: node.status == Some(false),
                watchdog: node.system.watchdog,
                security_upgrades: node.system.security_upgrades.map(|on| if on { "on" } else { "off" }),
            },
            board: BoardVariables {
                name: board.profile.board.clone(),
                arch: board.profile.architecture,
                vendor: board.vendor.vendor.clone(),
            },
            epoch: *epoch,
            imgforge: Imgforge { version: env!("CARGO_PKG_VERSION") },
        };
        Self(Value::from(Serde(variables)))
    }

    /// Fills in the template `text`, which lies at `path`.
    pub fn render(&self, path: &Path, text: &str) -> Result<String, Error> {
        let rendered = environment().and_then(|environment| environment.render_str(text, &self.0));
        rendered.map_err(failed(path))
    }

    /// Whether `variable`, on which the file at `path` depends, has a value that is neither empty nor false.
    pub fn has(&self, path: &Path, variable: &str) -> Result<bool, Error> {
        let value = environment().and_then(|environment| {
            environment.compile_expression(variable).and_then(|expression| expression.eval(&self.0))
        });
        let value = value.map_err(failed(path))?;
        if value.is_undefined() {
            let message = format!("`when` names `{variable}`, and there is no such variable");
            return Err(Error::Template { path: path.to_owned(), message });
        }
        Ok(value.is_true())
    }
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let syntax =
        SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build()?;
    let mut environment = Environment::new();
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    Ok(environment)
}

fn failed(path: &Path) -> impl Fn(minijinja::Error) -> Error {
    move |error| {
        let place = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
        let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Error::Template { path: path.to_owned(), message: format!("{place}{reason}") }
    }
}
