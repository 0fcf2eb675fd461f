//! `imgforge inspect`: what is in an image.

use std::sync::Arc;

use imgforge_disk::{Disk, probe::Contents};
use imgforge_ext4::{Editor, dump};
use imgforge_spec::ImagePath;

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

/// Runs the command.
pub fn run(args: &InspectArgs, console: &Console) -> Result<(), Error> {
    let image = OpenImage::open(&args.image, console)?;
    let table = &image.table;
    let mut text =
        format!("{} B, {:?} table, disk id {}\n", image.content.len(), table.format(), table.disk_id());
    for partition in table.partitions() {
        let contents = image.contents(partition);
        text.push_str(&format!(
            "partition {}: sectors {} to {} ({} MiB), {}, PARTUUID {}\n",
            partition.number,
            partition.start,
            partition.start + partition.sectors - 1,
            partition.sectors / 2048,
            describe(contents),
            partition.partuuid,
        ));
    }
    if let Some(partitions) = image.guess_partitions() {
        let trees = Trees::open(&image.content, &partitions)?;
        for (what, value) in facts(&*trees.root, &Survey::of(&trees)?) {
            text.push_str(&format!("{what}: {value}\n"));
        }
        if args.dump {
            text.push_str(&dump_of(&image, &partitions)?);
        }
    }
    super::print(console, &text)
}

fn describe(contents: Option<Contents>) -> &'static str {
    match contents {
        Some(Contents::Ext) => "ext4",
        Some(contents) => contents.name(),
        None => "no known file system",
    }
}

/// What the root file system says of itself.
fn facts(root: &dyn Tree, survey: &Survey) -> Vec<(&'static str, String)> {
    let text = |path: &str| {
        let bytes = ImagePath::new(path).ok().and_then(|path| root.read(&path).ok())?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut facts = Vec::new();
    facts.extend(survey.name.clone().map(|name| ("system", name)));
    facts.extend(text("/etc/hostname").map(|name| ("hostname", name.trim().to_owned())));
    facts.push(("packages installed", survey.packages.installed.to_string()));
    facts.extend(behaviour(survey).into_iter().filter(|(_, value)| !value.is_empty()));
    facts.extend(text("/etc/imgforge/node.env").map(|_| ("built by", "imgforge".to_owned())));
    facts
}

/// What the system will do by itself.
fn behaviour(survey: &Survey) -> [(&'static str, String); 7] {
    let unfinished = survey.packages.unfinished.iter().map(|package| package.name.clone());
    let init = survey.init.as_ref().map(|init| match init {
        Init::Systemd => "systemd".to_owned(),
        Init::Other(program) => program.clone(),
    });
    let network = survey.network.managers.iter().map(ToString::to_string);
    let netplan = survey.network.has_netplan.then(|| "by netplan".to_owned());
    let times = survey.time_services.iter().map(|unit| unit.trim_end_matches(".service").to_owned());
    let hooks = survey.hooks.iter().map(|hook| hook.name.to_owned());
    let accounts = survey.accounts.iter().map(|account| account.name.clone());
    [
        ("packages not finished", listed(unfinished)),
        ("kernels", listed(survey.kernels.iter().map(|kernel| kernel.version.clone()))),
        ("started by", init.unwrap_or_default()),
        ("network by", listed(network.chain(netplan))),
        ("time by", listed(times)),
        ("set up at first boot by", listed(hooks)),
        ("accounts with a password", listed(accounts)),
    ]
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The structures of the root file system, as the ext4 room describes them.
fn dump_of(image: &OpenImage, partitions: &Partitions) -> Result<String, Error> {
    let mut disk = Disk::new(Arc::clone(&image.content));
    let window = Disk::window(&mut disk, partitions.root.range()).map_err(apply::Error::Window)?;
    let failed = |source| apply::Error::FileSystem { what: "open", source };
    let editor = Editor::open(window, 0).map_err(failed)?;
    Ok(dump::superblock(editor.superblock()) + &dump::groups(&editor))
}
