//! Making directories.

use crate::{
    Attributes, Device, Editor, Error, FileType, Result, directory::Directory, directory_block::Target,
};

impl<D: Device> Editor<D> {
    /// Makes a directory; sets the given attributes of one that is there. The directories above must exist.
    pub fn make_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result<()> {
        match self.volume.locate(path)?.target {
            Some(Target { file_type: FileType::Directory, .. }) => {
                return self.set_attributes(path, attributes);
            }
            Some(_) => return Err(Error::AlreadyExists(path.to_vec())),
            None => {}
        }
        let place = self.place(path)?;
        self.check_links_of_directory(place.directory, path)?;
        let xattr_blocks = self.check_new(FileType::Directory, attributes)?;
        self.require_at(&place, 1 + xattr_blocks)?;
        self.change(|editor| {
            let (number, mut inode) = editor.new_inode(FileType::Directory)?;
            inode.set_permissions(0o755);
            inode.core.i_links_count.set(2);
            editor.set_mapping(number, &mut inode, &[])?;
            editor.apply(number, &mut inode, attributes)?;
            editor.volume.inodes.insert(number, inode);
            let directory = Directory { changed: true, ..Directory::new(place.directory) };
            editor.volume.directories.get_mut().map.insert(number, directory);
            editor.promise(number, 1)?;
            editor.enter(
                place.directory,
                &place.name,
                Target { inode: number, file_type: FileType::Directory },
            )
        })
    }
}
