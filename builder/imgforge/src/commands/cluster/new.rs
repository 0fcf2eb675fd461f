//! `imgforge cluster new`: a cluster file for the boards that are named, with what this machine tells of its user and its network.

mod text;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use imgforge_kube::{cluster::Cluster, engine::Engine, version::Version};
use imgforge_spec::{Invalid, Role, User};

use crate::{
    build::error::Error,
    catalogue::{
        Catalogue,
        limits::{self, Abilities},
        profile::Profile,
    },
    cli::{Boards, ClusterNewArgs},
    host::{console::Console, lan::Lan, person, settings::Settings, zone},
    target::{SecretsPaths, cluster::ClusterFile, node},
};

/// Where the masters' addresses begin in their network: below what most routers hand out.
const FIRST: u32 = 10;

/// Runs the command.
pub(super) fn run(args: &ClusterNewArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    let catalogue = crate::commands::catalogue(settings, args.profiles.as_deref())?;
    let path = &args.output;
    if path.exists() {
        let message = format!("{} is there already; -o names another file", path.display());
        return Err(invalid("--output", message).into());
    }
    let draft = Draft::new(args, &catalogue, lan(args)?)?;
    let fail = |source: io::Error| Error::Io { what: format!("write {}", path.display()), source };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(fail)?;
    let left = |_: &io::Error| drop(fs::remove_file(path));
    file.write_all(draft.text().as_bytes()).inspect_err(left).map_err(fail)?;
    // One that its own rules refuse is not left behind.
    say(path, &draft, &catalogue, console).inspect_err(|_| drop(fs::remove_file(path)))?;
    crate::commands::print(console, &format!("{}\n", path.display()))
}

/// The network that the boards are to stand in.
fn lan(args: &ClusterNewArgs) -> Result<Option<Lan>, node::Error> {
    let Some(lan) = args.lan else { return Ok(Lan::of_this_machine()) };
    match lan.address {
        // Room for a router, a node and everybody.
        IpAddr::V4(gateway)
            if lan.prefix <= 29 && lan.address != lan.network().address && lan.address != lan.last() =>
        {
            Ok(Some(Lan::of_gateway(gateway, lan.prefix)))
        }
        _ => Err(invalid("--lan", format!("{lan} is no router with its network, such as 192.168.1.1/24"))),
    }
}

fn invalid(setting: &str, message: String) -> node::Error {
    Invalid::new(setting, message).into()
}

/// What `cluster check` has to say of the new file, and what comes next.
fn say(path: &Path, draft: &Draft<'_>, catalogue: &Catalogue, console: &Console) -> Result<(), Error> {
    let file = ClusterFile::read(path, &SecretsPaths::default(), catalogue)?;
    file.notices()?.iter().for_each(|notice| console.note(&notice.labelled()));
    if draft.user.ssh_keys.is_empty() {
        console
            .note("~/.ssh has no key (id_*.pub), so nobody can log in to the nodes; `ssh-keygen` makes one");
    }
    let name = path.display();
    console.note(&format!(
        "look it over; then `imgforge cluster init --cluster {name}`, and `imgforge flash --cluster {name}`"
    ));
    Ok(())
}

/// All that goes into the file.
struct Draft<'a> {
    name: String,
    engine: Engine,
    nodes: Vec<Node<'a>>,
    /// The newest release that all boards run.
    kubernetes: Version,
    /// The boards that keep the cluster from a newer one, each once.
    held_back_by: Vec<&'a Profile>,
    /// The newest release that all boards run with the other engine, if it is newer.
    newer: Option<(Engine, Version)>,
    lan: Option<Lan>,
    /// Where several masters are found.
    endpoint: Option<Ipv4Addr>,
    user: User,
    /// The nodes' time zone, if it is another than UTC.
    zone: Option<String>,
}

struct Node<'a> {
    hostname: String,
    profile: &'a Profile,
    role: Role,
    address: Option<Ipv4Addr>,
}

impl<'a> Draft<'a> {
    fn new(args: &ClusterNewArgs, catalogue: &'a Catalogue, lan: Option<Lan>) -> Result<Self, Error> {
        let mut nodes = self::nodes(&args.masters, Role::Master, catalogue)?;
        nodes.extend(self::nodes(&args.workers, Role::Worker, catalogue)?);
        let (kubernetes, held_back_by) = newest_for(args.engine, &nodes, catalogue)?;
        let others = Engine::ALL.into_iter().filter(|engine| *engine != args.engine);
        let others =
            others.filter_map(|engine| Some((engine, newest_for(engine, &nodes, catalogue).ok()?.0)));
        let newer = others.filter(|(_, version)| *version > kubernetes).max_by_key(|(_, version)| *version);
        let endpoint = address(&mut nodes, lan.as_ref())?;
        let name = args.output.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_name = !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let name = if is_name { name } else { "home" }.to_owned();
        Ok(Self {
            name,
            engine: args.engine,
            nodes,
            kubernetes,
            held_back_by,
            newer,
            lan,
            endpoint,
            user: person::caller(),
            zone: zone::of_this_machine(),
        })
    }
}

/// The nodes with `role`, numbered from 1 on.
fn nodes<'a>(boards: &[Boards], role: Role, catalogue: &'a Catalogue) -> Result<Vec<Node<'a>>, Error> {
    let all = boards.iter().flat_map(|boards| (0..boards.count).map(|_| &boards.board));
    let node = |(index, board): (usize, &String)| {
        let (_, profile) = catalogue.find(board)?;
        let hostname = format!("k8s-{}-{}", role.name(), index + 1);
        Ok(Node { hostname, profile, role, address: None })
    };
    all.enumerate().map(node).collect()
}

/// The newest release of Kubernetes that all boards run in their roles with `engine`, and the boards that have it no newer.
fn newest_for<'a>(
    engine: Engine,
    nodes: &[Node<'a>],
    catalogue: &Catalogue,
) -> Result<(Version, Vec<&'a Profile>), Error> {
    let releases: Vec<_> =
        catalogue.releases()?.into_iter().filter(|release| release.engine == engine).collect();
    let newest = |profile| Abilities::of(engine, profile).newest_of(&releases, profile);
    let runs: Vec<_> = nodes.iter().filter_map(|node| Some((newest(node.profile)?, node.profile))).collect();
    let version = runs.iter().map(|(version, _)| *version).min().unwrap_or(Cluster::default().kubernetes);
    let release = releases.iter().find(|release| release.version == Some(version));
    nodes.iter().try_for_each(|node| limits::check(node.profile, node.role, release).map(drop))?;
    let is_newest = releases.iter().filter_map(|release| release.version).all(|other| other <= version);
    let mut slowest: Vec<&Profile> = Vec::new();
    for (_, profile) in runs.into_iter().filter(|(own, _)| *own == version && !is_newest) {
        if slowest.iter().all(|other| other.board != profile.board) {
            slowest.push(profile);
        }
    }
    Ok((version, slowest))
}

/// Gives the masters addresses of `lan`; where there are several, one more at which they are found. Workers ask the router for
/// theirs.
fn address(nodes: &mut [Node<'_>], lan: Option<&Lan>) -> Result<Option<Ipv4Addr>, node::Error> {
    let mut masters: Vec<_> = nodes.iter_mut().filter(|node| node.role == Role::Master).collect();
    let Some(lan) = lan else {
        let message = "several masters need addresses, and of what network is not to be found out here: \
            name the router with its network, such as 192.168.1.1/24";
        return if masters.len() > 1 { Err(invalid("--lan", message.into())) } else { Ok(None) };
    };
    let mut free = lan.free(FIRST);
    for master in &mut masters {
        master.address = free.next();
    }
    if masters.last().is_some_and(|last| last.address.is_none()) {
        return Err(invalid("--lan", format!("the network has no room for {} masters", masters.len())));
    }
    Ok(if masters.len() > 1 { free.next() } else { None })
}
