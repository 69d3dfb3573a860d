//! Owns what stands for a secret where its content is not to be known: the same for who has the key and who has not.

use sha2::{Digest, Sha256};

use super::folder::{Folder, Spot};
use crate::yaml::Shape;

impl Folder {
    /// A text that is another one as soon as the secret is stored anew, even with the same content. It holds what filters
    /// of templates change, so that it also is another one where another filter is used. `None` = there is no such secret.
    pub fn stand_in(&self, name: &str) -> Option<String> {
        let hash = match self.find(name).ok()? {
            Spot::Key(file, path) => {
                let filed = self.files().iter().find(|filed| filed.name == file)?;
                let part = filed.locked.as_ref().ok()?.part(&path)?;
                let Shape::Scalar { text, .. } = &part.shape else { return None };
                Sha256::digest(text.as_bytes())
            }
            Spot::Whole(file) => Sha256::digest(self.whole(&file).ok()?),
        };
        let hash = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Some(format!("{name} '\"$%\\`<&;\n {hash}"))
    }
}
