//! People who may log in: entries in the four account files, a home, authorized keys, sudo.

use imgforge_spec::{ImagePath, User};

use super::{Draft, Error};
use crate::image::change::{Access, Origin, Volume};

/// First id for people (adduser.conf), and the last before the ids of `nobody` and systemd's dynamic users.
const PEOPLE: std::ops::Range<u32> = 1000..60000;

const ORIGIN: Origin = Origin::Node("users");

/// Adds `users`; one the base already has keeps its ids and home and gets the keys and the password.
pub fn add_users(draft: &mut Draft<'_>, users: &[User], epoch: i64) -> Result<(), Error> {
    for (index, user) in users.iter().enumerate() {
        add(draft, user, index, epoch)?;
    }
    Ok(())
}

fn add(draft: &mut Draft<'_>, user: &User, index: usize, epoch: i64) -> Result<(), Error> {
    let account = match existing(draft, user)? {
        Some(account) => account,
        None => create(draft, user)?,
    };
    let password = user.password_hash.as_deref().unwrap_or("!");
    let days = epoch.div_euclid(86_400);
    set_line(draft, "/etc/shadow", &user.name, &format!("{}:{password}:{days}:0:99999:7:::", user.name))?;
    if !user.ssh_keys.is_empty() {
        let folder = account.home.join(".ssh")?;
        let keys = user.ssh_keys.join("\n") + "\n";
        draft.directory(Volume::Root, &folder, account.owns(0o700), ORIGIN)?;
        draft.write(
            Volume::Root,
            &folder.join("authorized_keys")?,
            keys,
            Some(account.owns(0o600)),
            ORIGIN,
        )?;
    }
    if user.sudo {
        if draft.kind(Volume::Root, &ImagePath::new("/usr/bin/sudo")?)?.is_none() {
            let message = "the base has no sudo".to_owned();
            return Err(Error::Clash { setting: format!("users[{index}].sudo"), message });
        }
        let path = ImagePath::new("/etc/sudoers.d")?.join(format!("imgforge-{}", user.name))?;
        let rule = format!("{} ALL=(ALL:ALL) NOPASSWD: ALL\n", user.name);
        draft.write(Volume::Root, &path, rule, Some(Access::root(0o440)), ORIGIN)?;
    }
    Ok(())
}

/// Locks the password of the base's account `name`; keys still let in.
pub fn lock_password(draft: &mut Draft<'_>, name: &str, origin: &Origin) -> Result<(), Error> {
    let path = ImagePath::new("/etc/shadow")?;
    let Some(shadow) = draft.read_text(Volume::Root, &path)? else { return Ok(()) };
    let locked = |line: &str| match line.splitn(3, ':').collect::<Vec<_>>()[..] {
        [account, password, ref rest @ ..] if account == name && !password.starts_with(['!', '*']) => {
            format!("{account}:!:{}", rest.concat())
        }
        _ => line.to_owned(),
    };
    let lines: Vec<String> = shadow.lines().map(locked).collect();
    draft.write(Volume::Root, &path, lines.join("\n") + "\n", None, origin.clone())
}

struct Account {
    uid: u32,
    gid: u32,
    home: ImagePath,
}

impl Account {
    fn owns(&self, mode: u16) -> Access {
        Access { mode, uid: self.uid, gid: self.gid }
    }
}

/// The account of that name in the base, with a shell if it had none to log in with.
fn existing(draft: &mut Draft<'_>, user: &User) -> Result<Option<Account>, Error> {
    let passwd = read(draft, "/etc/passwd")?;
    let Some(line) = passwd.lines().find(|line| line.split(':').next() == Some(&user.name)) else {
        return Ok(None);
    };
    let fields: Vec<&str> = line.split(':').collect();
    let [name, x, uid, gid, gecos, home, shell] = fields[..] else {
        return Err(malformed("/etc/passwd", line));
    };
    let number = |field: &str| field.parse::<u32>().map_err(|_| malformed("/etc/passwd", line));
    let account = Account { uid: number(uid)?, gid: number(gid)?, home: ImagePath::new(home)? };
    if shell.ends_with("/nologin") || shell.ends_with("/false") {
        let line = format!("{name}:{x}:{uid}:{gid}:{gecos}:{home}:/bin/bash");
        set_line(draft, "/etc/passwd", name, &line)?;
    }
    Ok(Some(account))
}

fn create(draft: &mut Draft<'_>, user: &User) -> Result<Account, Error> {
    let (passwd, group) = (read(draft, "/etc/passwd")?, read(draft, "/etc/group")?);
    let name = &user.name;
    if group.lines().any(|line| line.split(':').next() == Some(name)) {
        let message = format!("the base has a group `{name}`, but no such user");
        return Err(Error::Clash { setting: "users".into(), message });
    }
    let taken = |id: u32| [&passwd, &group].iter().any(|text| ids(text).any(|taken| taken == id));
    let id = PEOPLE.clone().find(|&id| !taken(id)).ok_or_else(|| Error::Clash {
        setting: "users".into(),
        message: "the base has no id left for another person".into(),
    })?;
    let account = Account { uid: id, gid: id, home: ImagePath::new("/home")?.join(name)? };
    set_line(draft, "/etc/passwd", name, &format!("{name}:x:{id}:{id}:,,,:/home/{name}:/bin/bash"))?;
    set_line(draft, "/etc/group", name, &format!("{name}:x:{id}:"))?;
    set_line(draft, "/etc/gshadow", name, &format!("{name}:!::"))?;
    draft.directory(Volume::Root, &account.home, account.owns(0o700), ORIGIN)?;
    for path in draft.matching(Volume::Root, &ImagePath::new("/etc/skel/*")?)? {
        if let Some(content) = draft.read(Volume::Root, &path)? {
            draft.write(
                Volume::Root,
                &account.home.join(path.name())?,
                content,
                Some(account.owns(0o644)),
                ORIGIN,
            )?;
        }
    }
    Ok(account)
}

/// The ids (third field) in an account file.
fn ids(text: &str) -> impl Iterator<Item = u32> {
    text.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok())
}

/// Puts `line` in the place of the one for `name`, or at the end.
fn set_line(draft: &mut Draft<'_>, file: &str, name: &str, line: &str) -> Result<(), Error> {
    let text = read(draft, file)?;
    let is_for = |line: &&str| line.split(':').next() == Some(name);
    let mut lines: Vec<&str> = text.lines().collect();
    match lines.iter().position(is_for) {
        Some(at) => lines[at] = line,
        None => lines.push(line),
    }
    draft.write(Volume::Root, &ImagePath::new(file)?, lines.join("\n") + "\n", None, ORIGIN)
}

fn read(draft: &Draft<'_>, file: &str) -> Result<String, Error> {
    let text = draft.read_text(Volume::Root, &ImagePath::new(file)?)?;
    text.ok_or_else(|| Error::Missing { path: file.into(), purpose: "users".into() })
}

fn malformed(file: &str, line: &str) -> Error {
    let name = line.split(':').next().unwrap_or_default();
    Error::Clash {
        setting: "users".into(),
        message: format!("the base's {file} has a broken entry for `{name}`"),
    }
}
