//! The four files that hold a system's accounts: passwd(5), group(5), shadow(5), gshadow(5).

use std::collections::{BTreeMap, BTreeSet};

use imgforge_debian::Pattern;
use imgforge_spec::ImagePath;

use super::{Draft, Error};
use crate::image::change::{Origin, Volume};

/// First id for people (adduser.conf), and the last before the ids of `nobody` and systemd's dynamic users.
const PEOPLE: std::ops::Range<u32> = 1000..60000;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const SHADOW: &str = "/etc/shadow";

/// The accounts of an image, read once and written once, however many people come.
pub(crate) struct Accounts {
    passwd: Table,
    group: Table,
    shadow: Table,
    gshadow: Table,
    /// The ids that users and groups have.
    ids: BTreeSet<u32>,
    /// All people's ids below this one are taken.
    free_from: u32,
}

/// Somebody who has an account.
pub(crate) struct Account {
    /// Its number.
    pub uid: u32,
    /// Its group's.
    pub gid: u32,
    /// Its home.
    pub home: ImagePath,
}

impl Accounts {
    /// Those that are there so far; each file has to be there.
    pub fn read(draft: &Draft<'_>) -> Result<Self, Error> {
        let table = |path: &'static str| {
            let missing = || Error::Missing { path: path.into(), purpose: "users".into() };
            Table::read(draft, path)?.ok_or_else(missing)
        };
        let (passwd, group) = (table(PASSWD)?, table(GROUP)?);
        let ids = passwd.ids().chain(group.ids()).collect();
        let (shadow, gshadow) = (table(SHADOW)?, table("/etc/gshadow")?);
        Ok(Self { passwd, group, shadow, gshadow, ids, free_from: PEOPLE.start })
    }

    /// The account called `name`, with a shell from now on if it had none to log in with; `None` where there is none.
    pub(crate) fn existing(&mut self, name: &str) -> Result<Option<Account>, Error> {
        let Some(line) = self.passwd.line(name).map(str::to_owned) else { return Ok(None) };
        let broken = || Error::clash("users", format!("the base's {PASSWD} has a broken entry for `{name}`"));
        let [_, password, uid, gid, gecos, home, shell] = line.split(':').collect::<Vec<_>>()[..] else {
            return Err(broken());
        };
        let number = |field: &str| field.parse::<u32>().map_err(|_| broken());
        let account = Account { uid: number(uid)?, gid: number(gid)?, home: ImagePath::new(home)? };
        if shell.ends_with("/nologin") || shell.ends_with("/false") {
            self.passwd.set(name, format!("{name}:{password}:{uid}:{gid}:{gecos}:{home}:/bin/bash"));
        }
        Ok(Some(account))
    }

    /// A new account called `name`, with a group of its own and the next number that is free.
    pub fn create(&mut self, name: &str) -> Result<Account, Error> {
        let clash = |message: String| Error::clash("users", message);
        if self.group.line(name).is_some() {
            return Err(clash(format!("the base has a group `{name}`, but no such user")));
        }
        let id = (self.free_from..PEOPLE.end).find(|id| !self.ids.contains(id));
        let id = id.ok_or_else(|| clash("the base has no id left for another person".into()))?;
        self.ids.insert(id);
        self.free_from = id + 1;
        self.passwd.set(name, format!("{name}:x:{id}:{id}:,,,:/home/{name}:/bin/bash"));
        self.group.set(name, format!("{name}:x:{id}:"));
        self.gshadow.set(name, format!("{name}:!::"));
        Ok(Account { uid: id, gid: id, home: ImagePath::new("/home")?.join(name)? })
    }

    /// Gives `name` the password of this hash, set on the day `days` after 1970; without one it is locked.
    pub(crate) fn set_password(&mut self, name: &str, hash: Option<&str>, days: i64) {
        self.shadow.set(name, format!("{name}:{}:{days}:0:99999:7:::", hash.unwrap_or("!")));
    }

    /// Puts the files that have changed into `draft`.
    pub fn write(self, draft: &mut Draft<'_>, origin: &Origin) -> Result<(), Error> {
        [self.passwd, self.group, self.shadow, self.gshadow]
            .into_iter()
            .try_for_each(|table| table.write(draft, origin))
    }
}

/// The numbers of the user `name` and of its group, as the plan has them so far.
pub(crate) fn numbers(draft: &Draft<'_>, name: &str) -> Result<Option<(u32, u32)>, Error> {
    let Some(passwd) = Table::read(draft, PASSWD)? else { return Ok(None) };
    let line = passwd.line(name).unwrap_or_default();
    Ok(number(line, 2).zip(number(line, 3)))
}

/// The number of the group `name`.
pub(crate) fn group(draft: &Draft<'_>, name: &str) -> Result<Option<u32>, Error> {
    let Some(group) = Table::read(draft, GROUP)? else { return Ok(None) };
    Ok(number(group.line(name).unwrap_or_default(), 2))
}

fn number(line: &str, field: usize) -> Option<u32> {
    line.split(':').nth(field)?.parse().ok()
}

/// Locks the passwords of the accounts whose names fit `pattern`; keys still let in.
///
/// A password may stand in passwd(5), too, where `x` says that it does not; an empty field asks for none.
pub(crate) fn lock_passwords(draft: &mut Draft<'_>, pattern: &str, origin: &Origin) -> Result<(), Error> {
    let pattern = Pattern::of_stars(pattern.as_bytes());
    for path in [PASSWD, SHADOW] {
        let Some(mut table) = Table::read(draft, path)? else { continue };
        for line in &mut table.lines {
            let [name, password, rest] = line.splitn(3, ':').collect::<Vec<_>>()[..] else { continue };
            let is_locked = password.starts_with(['!', '*']) || (path == PASSWD && password == "x");
            if !is_locked && pattern.matches(name.as_bytes()) {
                *line = format!("{name}:!:{rest}");
                table.is_changed = true;
            }
        }
        table.write(draft, origin)?;
    }
    Ok(())
}

/// One of the files: a line each, of fields with colons between them, the first of which is a name.
struct Table {
    path: ImagePath,
    lines: Vec<String>,
    /// The first line of each name, which is the one that counts.
    index: BTreeMap<String, usize>,
    is_changed: bool,
}

impl Table {
    fn read(draft: &Draft<'_>, path: &str) -> Result<Option<Self>, Error> {
        let path = ImagePath::new(path)?;
        let Some(text) = draft.read_text(Volume::Root, &path)? else { return Ok(None) };
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut index = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            index.entry(name_of(line).to_owned()).or_insert(at);
        }
        Ok(Some(Self { path, lines, index, is_changed: false }))
    }

    fn line(&self, name: &str) -> Option<&str> {
        self.index.get(name).and_then(|&at| self.lines.get(at)).map(String::as_str)
    }

    /// The numbers in the third field.
    fn ids(&self) -> impl Iterator<Item = u32> {
        self.lines.iter().filter_map(|line| number(line, 2))
    }

    /// Puts `line` in the place of the one for `name`, or at the end.
    fn set(&mut self, name: &str, line: String) {
        self.is_changed = true;
        match self.index.get(name).and_then(|&at| self.lines.get_mut(at)) {
            Some(there) => *there = line,
            None => {
                self.index.insert(name.to_owned(), self.lines.len());
                self.lines.push(line);
            }
        }
    }

    fn write(self, draft: &mut Draft<'_>, origin: &Origin) -> Result<(), Error> {
        if !self.is_changed {
            return Ok(());
        }
        draft.write(Volume::Root, &self.path, self.lines.join("\n") + "\n", None, origin.clone())
    }
}

fn name_of(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}
