//! Time zone, language and keyboard, where Debian keeps them: localtime(5), locale.gen(5), keyboard(5).

use imgforge_spec::{ImagePath, System};

use super::{Draft, Error};
use crate::{
    image::{
        change::{Origin, Volume},
        read::Kind,
    },
    yaml::nearest,
};

const ORIGIN: Origin = Origin::Node("system");

/// The tz database (package tzdata).
const ZONES: &str = "/usr/share/zoneinfo";

/// The locales that can be made, a name and a character set a line (package locales).
const LOCALES: &str = "/usr/share/i18n/SUPPORTED";

/// The layouts of keyboards, in the section `! layout` (package xkb-data).
const LAYOUTS: &str = "/usr/share/X11/xkb/rules/base.lst";

/// What Debian's systemd makes at every boot: tmpfiles.d(5).
const DEBIAN_TMPFILES: &str = "/usr/lib/tmpfiles.d/debian.conf";

/// What console-setup has made of an earlier keyboard: with these there it looks no further.
const CACHED_KEYBOARD: &str = "/etc/console-setup/cached_*";

/// Sets what `system` says. A base that knows no such zone, locale or layout gives an error: the node would start with another.
pub(crate) fn set(draft: &mut Draft<'_>, system: &System) -> Result<(), Error> {
    if let Some(zone) = &system.time_zone {
        set_time_zone(draft, zone)?;
    }
    if let Some(locale) = &system.locale {
        set_locale(draft, locale)?;
    }
    if let Some(keyboard) = &system.keyboard {
        check_layouts(draft, &keyboard.layout)?;
        let imgforge_spec::Keyboard { layout, variant, model, options } = keyboard;
        let text = format!(
            "# KEYBOARD CONFIGURATION FILE: keyboard(5)\n\nXKBMODEL=\"{model}\"\nXKBLAYOUT=\"{layout}\"\nXKBVARIANT=\"{variant}\"\n\
             XKBOPTIONS=\"{options}\"\n\nBACKSPACE=\"guess\"\n"
        );
        draft.write(Volume::Root, &ImagePath::new("/etc/default/keyboard")?, text, None, ORIGIN)?;
        for path in draft.matching(Volume::Root, &ImagePath::new(CACHED_KEYBOARD)?)? {
            draft.remove(Volume::Root, &path, ORIGIN)?;
        }
    }
    Ok(())
}

fn set_time_zone(draft: &mut Draft<'_>, zone: &str) -> Result<(), Error> {
    let zones = ImagePath::new(ZONES)?;
    let path = zones.join(zone)?;
    if !matches!(draft.kind(Volume::Root, &path)?, Some(Kind::File | Kind::Symlink)) {
        if draft.kind(Volume::Root, &zones)?.is_none() {
            return Err(clash("time-zone", "the base knows no time zones: give `packages: [tzdata]`".into()));
        }
        let depth = "/*".repeat(zone.matches('/').count() + 1);
        let known = draft.matching(Volume::Root, &ImagePath::new(format!("{ZONES}{depth}"))?)?;
        let known = known.iter().filter_map(|path| path.as_bytes().strip_prefix(ZONES.as_bytes()));
        let known: Vec<String> =
            known.map(|name| String::from_utf8_lossy(name).trim_matches('/').to_owned()).collect();
        return Err(unknown("time-zone", zone, "time zone", &known));
    }
    draft.symlink(&ImagePath::new("/etc/localtime")?, path.as_bytes(), ORIGIN)?;
    // Only Debian 12 and older have it beside the link.
    let name = ImagePath::new("/etc/timezone")?;
    match draft.kind(Volume::Root, &name)? {
        Some(Kind::File) => draft.write(Volume::Root, &name, format!("{zone}\n"), None, ORIGIN),
        _ => Ok(()),
    }
}

/// The first boot makes the locale by locale-gen(8), if it is not there: offline nothing of the base is run.
fn set_locale(draft: &mut Draft<'_>, wanted: &str) -> Result<(), Error> {
    let mut locale = wanted.to_owned();
    if !is_built_in(wanted) {
        let Some(supported) = draft.read_text(Volume::Root, &ImagePath::new(LOCALES)?)? else {
            let message = "the base can make no locales: give `packages: [locales]`, or take C.UTF-8";
            return Err(clash("locale", message.into()));
        };
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let known: Vec<&str> = supported.lines().map(str::trim).collect();
        let Some(line) = known.iter().find(|line| plain(&name(line)) == plain(wanted)) else {
            let known: Vec<String> = known.iter().map(|line| name(line)).collect();
            return Err(unknown("locale", wanted, "locale", &known));
        };
        locale = name(line);
        let path = ImagePath::new("/etc/locale.gen")?;
        let before = draft.read_text(Volume::Root, &path)?.unwrap_or_default();
        if !before.lines().any(|there| there.trim() == *line) {
            let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            draft.write(Volume::Root, &path, format!("{before}{end}{line}\n"), None, ORIGIN)?;
        }
        let kept = ImagePath::new("/etc/imgforge/locale")?;
        draft.write(Volume::Root, &kept, format!("{locale}\n"), None, ORIGIN)?;
    }
    let path = language_file(draft)?;
    draft.write(Volume::Root, &path, format!("LANG={locale}\n"), None, ORIGIN)
}

/// /etc/locale.conf since Debian 13. The old name is a link to it there, which every boot makes anew over what has that name.
fn language_file(draft: &Draft<'_>) -> Result<ImagePath, Error> {
    let (new, old) = (ImagePath::new("/etc/locale.conf")?, ImagePath::new("/etc/default/locale")?);
    let at_boot = draft.read_text(Volume::Root, &ImagePath::new(DEBIAN_TMPFILES)?)?.unwrap_or_default();
    let is_made_a_link =
        at_boot.lines().any(|line| line.split_whitespace().nth(1) == Some("/etc/default/locale"));
    let is_new = is_made_a_link || draft.kind(Volume::Root, &new)? == Some(Kind::File);
    Ok(if is_new { new } else { old })
}

/// A locale's name as the C library compares it: `de_DE.UTF-8` is `de_DE.utf8`.
fn plain(locale: &str) -> String {
    locale.to_ascii_lowercase().replace('-', "")
}

/// Whether the C library has it without anything on disk.
fn is_built_in(locale: &str) -> bool {
    ["C", "POSIX", "C.UTF-8", "C.utf8"].contains(&locale)
}

fn check_layouts(draft: &Draft<'_>, layouts: &str) -> Result<(), Error> {
    if draft.kind(Volume::Root, &ImagePath::new("/usr/bin/setupcon")?)?.is_none() {
        let message = "nothing in the base sets a keyboard: give `packages: [console-setup]`";
        return Err(clash("keyboard", message.into()));
    }
    let Some(list) = draft.read_text(Volume::Root, &ImagePath::new(LAYOUTS)?)? else { return Ok(()) };
    let section = list.lines().skip_while(|line| line.trim() != "! layout").skip(1);
    let known: Vec<String> = section
        .take_while(|line| !line.starts_with('!'))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    match layouts.split(',').find(|layout| !known.iter().any(|name| name == layout)) {
        Some(layout) => Err(unknown("keyboard.layout", layout, "keyboard layout", &known)),
        None => Ok(()),
    }
}

fn unknown(setting: &str, given: &str, what: &str, known: &[String]) -> Error {
    let meant = nearest(given, known.iter().map(String::as_str));
    let meant = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    clash(setting, format!("the base knows no {what} `{given}`{meant}"))
}

fn clash(setting: &str, message: String) -> Error {
    Error::clash(format!("system.{setting}"), message)
}
