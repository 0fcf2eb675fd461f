//! `imgforge inspect`: what is in an image.

use std::sync::Arc;

use imgforge_disk::{Disk, probe::Contents};
use imgforge_ext4::{Editor, dump};
use imgforge_spec::ImagePath;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    build::error::Error,
    cli::InspectArgs,
    host::console::Console,
    image::{
        apply,
        open::OpenImage,
        partitions::{Partitions, Trees},
        read::Tree,
        survey::{Init, Survey},
    },
};

/// What `inspect --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Inspected {
    /// Size of the image in bytes.
    size: u64,
    /// `Gpt` or `Mbr`.
    table: String,
    /// The disk's id: a GUID, or eight hexadecimal digits of an MBR.
    disk_id: String,
    /// In the table's order.
    partitions: Vec<Part>,
    /// What is in the root file system; none where there is no root that can be read.
    system: Option<System>,
}

/// A partition.
#[derive(Debug, Serialize, JsonSchema)]
struct Part {
    number: u32,
    /// Its first sector, of 512 bytes.
    start: u64,
    /// How many it has.
    sectors: u64,
    /// What it holds: `ext4`, `FAT`.
    contents: String,
    partuuid: String,
}

/// What a root file system says of itself, and what the system will do by itself.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct System {
    /// What it calls itself: `Debian GNU/Linux 13 (trixie)`.
    name: Option<String>,
    hostname: Option<String>,
    packages_installed: usize,
    packages_not_finished: Vec<String>,
    /// Releases of kernels that have modules.
    kernels: Vec<String>,
    /// `systemd`, or another init's path.
    started_by: Option<String>,
    network_by: Vec<String>,
    time_by: Vec<String>,
    /// What sets the system up at its first boot.
    set_up_by: Vec<String>,
    accounts_with_a_password: Vec<String>,
    built_by_imgforge: bool,
}

/// Runs the command.
pub fn run(args: &InspectArgs, console: &Console) -> Result<(), Error> {
    let image = OpenImage::open(&args.image, console)?;
    let partitions = image.guess_partitions();
    let trees = partitions.as_ref().map(|found| Trees::open(&image.content, found)).transpose()?;
    let survey = trees.as_ref().map(Survey::of).transpose()?;
    let system = trees.iter().zip(&survey).map(|(trees, survey)| System::new(&*trees.root, survey)).next();
    let inspected = Inspected::new(&image, system);
    if args.json {
        return super::print_json(console, &inspected);
    }
    let mut text = inspected.text();
    if let Some(partitions) = partitions.filter(|_| args.dump) {
        text.push_str(&dump_of(&image, &partitions)?);
    }
    super::print(console, &text)
}

impl Inspected {
    fn new(image: &OpenImage, system: Option<System>) -> Self {
        let table = &image.table;
        let partitions = table.partitions().iter().map(|partition| Part {
            number: partition.number,
            start: partition.start,
            sectors: partition.sectors,
            contents: describe(image.contents(partition)).to_owned(),
            partuuid: partition.partuuid.to_string(),
        });
        Self {
            size: image.content.len(),
            table: format!("{:?}", table.format()),
            disk_id: table.disk_id().to_string(),
            partitions: partitions.collect(),
            system,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} B, {} table, disk id {}\n", self.size, self.table, self.disk_id);
        for Part { number, start, sectors, contents, partuuid } in &self.partitions {
            let (end, size) = (start + sectors - 1, sectors / 2048);
            text += &format!(
                "partition {number}: sectors {start} to {end} ({size} MiB), {contents}, PARTUUID {partuuid}\n"
            );
        }
        let facts = self.system.iter().flat_map(System::facts);
        text + &facts.map(|(what, value)| format!("{what}: {value}\n")).collect::<String>()
    }
}

fn describe(contents: Option<Contents>) -> &'static str {
    match contents {
        Some(Contents::Ext) => "ext4",
        Some(contents) => contents.name(),
        None => "no known file system",
    }
}

impl System {
    fn new(root: &dyn Tree, survey: &Survey) -> Self {
        let text = |path: &str| {
            let bytes = ImagePath::new(path).ok().and_then(|path| root.read(&path).ok())?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let netplan = survey.network.has_netplan.then(|| "by netplan".to_owned());
        let services = survey.time_services.iter().map(|unit| unit.trim_end_matches(".service"));
        Self {
            name: survey.name.clone(),
            hostname: text("/etc/hostname").map(|name| name.trim().to_owned()),
            packages_installed: survey.packages.installed,
            packages_not_finished: survey.packages.unfinished.iter().map(|own| own.name.clone()).collect(),
            kernels: survey.kernels.iter().map(|kernel| kernel.version.clone()).collect(),
            started_by: survey.init.as_ref().map(|init| match init {
                Init::Systemd => "systemd".to_owned(),
                Init::Other(program) => program.clone(),
            }),
            network_by: survey.network.managers.iter().map(ToString::to_string).chain(netplan).collect(),
            time_by: services.map(str::to_owned).collect(),
            set_up_by: survey.hooks.iter().map(|hook| hook.name.to_owned()).collect(),
            accounts_with_a_password: survey.accounts.iter().map(|account| account.name.clone()).collect(),
            built_by_imgforge: text("/etc/imgforge/node.env").is_some(),
        }
    }

    /// What there is to say, each with its name.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let one = |value: &Option<String>| value.clone().unwrap_or_default();
        let built_by = if self.built_by_imgforge { "imgforge".to_owned() } else { String::new() };
        let mut facts = vec![
            ("system", one(&self.name)),
            ("hostname", one(&self.hostname)),
            ("packages installed", self.packages_installed.to_string()),
            ("packages not finished", self.packages_not_finished.join(", ")),
            ("kernels", self.kernels.join(", ")),
            ("started by", one(&self.started_by)),
            ("network by", self.network_by.join(", ")),
            ("time by", self.time_by.join(", ")),
            ("set up at first boot by", self.set_up_by.join(", ")),
            ("accounts with a password", self.accounts_with_a_password.join(", ")),
            ("built by", built_by),
        ];
        facts.retain(|(_, value)| !value.is_empty());
        facts
    }
}

/// The structures of the root file system, as the ext4 room describes them.
fn dump_of(image: &OpenImage, partitions: &Partitions) -> Result<String, Error> {
    let mut disk = Disk::new(Arc::clone(&image.content));
    let window = Disk::window(&mut disk, partitions.root.range()).map_err(apply::Error::Window)?;
    let failed = |source| apply::Error::FileSystem { what: "open", source };
    let editor = Editor::open(window, 0).map_err(failed)?;
    Ok(dump::superblock(editor.superblock()) + &dump::groups(&editor))
}
