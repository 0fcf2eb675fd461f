//! Debian packages without dpkg: archives, control files, versions, signed repositories, resolution, the dpkg database.
