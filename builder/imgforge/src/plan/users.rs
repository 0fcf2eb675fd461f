//! People who may log in: an account, a home, authorized keys, sudo.

use std::collections::BTreeMap;

use imgforge_spec::{ImagePath, KeySource, User};

use super::{
    Draft, Error,
    accounts::{Account, Accounts},
};
use crate::image::change::{Access, Origin, Volume};

const ORIGIN: Origin = Origin::Node("users");

impl Account {
    fn owns(&self, mode: u16) -> Access {
        Access { mode, uid: self.uid, gid: self.gid }
    }
}

/// Public keys as their owners published them, by where that is.
type Published = BTreeMap<String, Vec<String>>;

/// Adds `users`; one the base already has keeps its ids and home and gets the keys, those that are `published` among them, and the
/// password.
pub(crate) fn add_users(
    draft: &mut Draft<'_>,
    users: &[User],
    published: &Published,
    epoch: i64,
) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    let (mut accounts, skeleton) = (Accounts::read(draft)?, skeleton(draft)?);
    for (index, user) in users.iter().enumerate() {
        let account = match accounts.existing(&user.name)? {
            Some(account) => account,
            None => {
                let account = accounts.create(&user.name)?;
                furnish(draft, &account, &skeleton)?;
                account
            }
        };
        accounts.set_password(&user.name, user.password_hash.as_deref(), epoch.div_euclid(86_400));
        if !user.ssh_keys.is_empty() {
            let_in(draft, &account, &keys(user, index, published)?)?;
        }
        if user.sudo {
            give_sudo(draft, user, index)?;
        }
    }
    accounts.write(draft, &ORIGIN)
}

/// The files of a new home: names and contents.
type Skeleton = Vec<(Vec<u8>, Vec<u8>)>;

/// What the base has for all new homes.
fn skeleton(draft: &Draft<'_>) -> Result<Skeleton, Error> {
    let mut files = Vec::new();
    for path in draft.matching(Volume::Root, &ImagePath::new("/etc/skel/*")?)? {
        files.extend(draft.read(Volume::Root, &path)?.map(|content| (path.name().to_vec(), content)));
    }
    Ok(files)
}

/// Makes a new home, with the files of `skeleton`.
fn furnish(draft: &mut Draft<'_>, account: &Account, skeleton: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Error> {
    draft.directory(Volume::Root, &account.home, account.owns(0o700), ORIGIN)?;
    for (name, content) in skeleton {
        let copy = account.home.join(name)?;
        draft.write(Volume::Root, &copy, content.clone(), Some(account.owns(0o644)), ORIGIN)?;
    }
    Ok(())
}

/// The lines for the `authorized_keys` of `user`, who is the one at `index`, each once.
fn keys(user: &User, index: usize, published: &Published) -> Result<Vec<String>, Error> {
    let mut all: Vec<String> = Vec::new();
    for key in &user.ssh_keys {
        let lines = match KeySource::of(key) {
            None => std::slice::from_ref(key),
            Some(_) => published.get(key).ok_or_else(|| {
                let message = format!("the keys of `{key}` are not in the lock");
                Error::clash(format!("users[{index}].ssh-keys"), message)
            })?,
        };
        for line in lines {
            if !all.contains(line) {
                all.push(line.clone());
            }
        }
    }
    Ok(all)
}

/// Writes the keys that let the account's owner in. A home that the base names and does not have is made, its owner's:
/// sshd takes no keys from another's.
fn let_in(draft: &mut Draft<'_>, account: &Account, keys: &[String]) -> Result<(), Error> {
    let home = draft.behind_links(Volume::Root, &account.home)?;
    if draft.kind(Volume::Root, &home)?.is_none() {
        draft.directory(Volume::Root, &home, account.owns(0o700), ORIGIN)?;
    }
    let folder = home.join(".ssh")?;
    let lines = keys.join("\n") + "\n";
    draft.directory(Volume::Root, &folder, account.owns(0o700), ORIGIN)?;
    draft.write(Volume::Root, &folder.join("authorized_keys")?, lines, Some(account.owns(0o600)), ORIGIN)
}

fn give_sudo(draft: &mut Draft<'_>, user: &User, index: usize) -> Result<(), Error> {
    if draft.kind(Volume::Root, &ImagePath::new("/usr/bin/sudo")?)?.is_none() {
        return Err(Error::clash(format!("users[{index}].sudo"), "the base has no sudo"));
    }
    let path = ImagePath::new("/etc/sudoers.d")?.join(format!("imgforge-{}", user.name))?;
    let rule = format!("{} ALL=(ALL:ALL) NOPASSWD: ALL\n", user.name);
    draft.write(Volume::Root, &path, rule, Some(Access::root(0o440)), ORIGIN)
}
