//! Vendors' signatures: what is not signed by a key that counts is not pinned.

use std::fs;

use crate::published::{IMAGE, ON_MIRROR, Published};
use imgforge_tests::{Gnupg, sha256, succeeds};

const KEY: &str = "/vendor/key.asc";

/// 2023-11-14, when the keys were made that have expired since.
const LONG_AGO: u64 = 1_700_000_000;

/// What the user is told who must not go on.
const DO_NOT_USE: &str = "hint: do not use the image: ask the vendor who signs it now";

/// A vendor who publishes checksum, signature and key beside the image.
struct Signed {
    published: Published,
    gnupg: Gnupg,
    fingerprint: String,
}

impl Signed {
    /// All is as it should be.
    fn new() -> Self {
        Self::with(Gnupg::new(), "never")
    }

    fn with(gnupg: Gnupg, life: &str) -> Self {
        let published = Published::new();
        published.pin("checksum-file: .sha, signature-file: .asc");
        let sums = published.bench.write("sums", sha256(&published.file).as_bytes());
        for path in [IMAGE, ON_MIRROR] {
            published.server.add(&format!("{path}.sha"), &sums);
        }
        let fingerprint = gnupg.key("vendor", life);
        let signed = Self { published, gnupg, fingerprint };
        signed.trust(&signed.fingerprint, Some(KEY));
        signed.serve(KEY, signed.gnupg.public_key("vendor").as_bytes());
        signed.serve_signature(&signed.gnupg.sign("vendor", &signed.published.file));
        signed
    }

    /// Says in the vendor's description whose signatures count.
    fn trust(&self, fingerprint: &str, key: Option<&str>) {
        const VENDOR: &str = "board-profiles/vendors/armbian.yaml";
        let key = key.map(|path| format!(", key-url: '{}'", self.published.server.url(path)));
        let signer = format!("{{ name: x, fingerprint: {fingerprint}{} }}", key.unwrap_or_default());
        let text = fs::read_to_string(self.published.bench.path(VENDOR)).expect("the vendor");
        let rest = text.split("image-signers:").next().expect("what is before the signers");
        self.published.bench.write(VENDOR, format!("{rest}image-signers: [{signer}]\n").as_bytes());
    }

    fn serve(&self, path: &str, bytes: &[u8]) {
        let name = path.rsplit('/').next().expect("a name");
        self.published.server.add(path, &self.published.bench.write(name, bytes));
    }

    fn serve_signature(&self, signature: &[u8]) {
        for path in [IMAGE, ON_MIRROR] {
            self.serve(&format!("{path}.asc"), signature);
        }
    }

    /// Puts a file among the user's own keys.
    fn own_key(&self, text: &str) {
        fs::create_dir_all(self.published.bench.path("board-profiles/keys")).expect("a folder");
        self.published.bench.write("board-profiles/keys/vendor.asc", text.as_bytes());
    }

    /// The signature is found not to count; `why` is the beginning of the reason.
    fn refuses(&self, why: &str) {
        let (signature, image) = (self.published.server.url(ON_MIRROR), self.published.server.url(IMAGE));
        let first = format!("error: {signature}.asc does not vouch for {image}");
        self.published.refuses(1, &[&first, &format!("  caused by: {why}"), DO_NOT_USE]);
    }
}

#[test]
fn what_the_vendor_signed_is_pinned_with_the_signer() {
    let signed = Signed::new();
    succeeds(&mut signed.published.build());
    let lock =
        fs::read_to_string(signed.published.bench.path("board-profiles/tiny.lock.yaml")).expect("a lock");
    let (sha256, signer) = (sha256(&signed.published.file), &signed.fingerprint);
    assert!(lock.contains(&format!("  sha256: {sha256}\n")), "{lock}");
    assert!(lock.contains(&format!("  signer: {signer}\n")), "{lock}");
    // The next build has what it needs.
    let asked = signed.published.server.requests();
    succeeds(&mut signed.published.build());
    assert_eq!(signed.published.server.requests(), asked);
}

#[test]
fn a_key_in_the_users_folder_is_not_asked_for() {
    let signed = Signed::new();
    signed.own_key(&signed.gnupg.public_key("vendor"));
    succeeds(&mut signed.published.build());
    assert!(!signed.published.server.requests().contains(&format!("GET {KEY}")));
}

#[test]
fn an_image_without_signature_is_refused() {
    let signed = Signed::new();
    signed.published.pin("checksum-file: .sha, signature-file: .gone");
    signed.published.refuses(
        4,
        &[
            &format!("error: there is no signature of {}", signed.published.server.url(IMAGE)),
            &format!("  caused by: cannot fetch {}.gone", signed.published.server.url(IMAGE)),
            "  caused by: the server answered 404 Not Found",
            "hint: pin the image with `sha256` in the board's profile, or give it with --base FILE",
        ],
    );
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let signed = Signed::new();
    signed.gnupg.key("stranger", "never");
    signed.serve_signature(&signed.gnupg.sign("stranger", &signed.published.file));
    // Having the stranger's key does not make it count.
    signed.own_key(&(signed.gnupg.public_key("vendor") + &signed.gnupg.public_key("stranger")));
    signed.refuses("not trusted: no valid signature of a pinned key (signed by ");
}

#[test]
fn a_signature_of_another_file_is_refused() {
    let signed = Signed::new();
    signed.serve_signature(&signed.gnupg.sign("vendor", &signed.published.bench.base()));
    signed.refuses(&format!(
        "not trusted: no valid signature of a pinned key ({}: signature invalid)",
        signed.fingerprint
    ));
}

#[test]
fn an_expired_key_is_refused() {
    let signed = Signed::with(Gnupg::at(LONG_AGO), "10d");
    signed.refuses(&format!(
        "not trusted: no valid signature of a pinned key ({}: key expired)",
        signed.fingerprint
    ));
}

#[test]
fn what_is_no_signature_is_refused() {
    let signed = Signed::new();
    signed.serve_signature(b"<html>not found</html>");
    signed.refuses("malformed input: ");
}

#[test]
fn without_a_key_nothing_is_believed() {
    let signed = Signed::new();
    let url = signed.published.server.url(IMAGE);
    let wanted = &signed.fingerprint;
    let first = format!(
        "error: no key to check the signature of {url} with: of {wanted} there is none in ~/board-profiles/keys"
    );
    let hint = "hint: put the key there as NAME.asc; or pin the image with `sha256`";

    signed.trust(wanted, None);
    signed.published.refuses(1, &[&first, hint]);

    signed.trust(wanted, Some("/vendor/gone.asc"));
    let causes = ["  caused by: cannot fetch ", "  caused by: the server answered 404 Not Found"];
    signed.published.refuses(4, &[&first, causes[0], causes[1], hint]);
}

#[test]
fn a_server_with_another_key_does_not_decide_whom_to_trust() {
    let signed = Signed::new();
    signed.gnupg.key("stranger", "never");
    signed.serve_signature(&signed.gnupg.sign("stranger", &signed.published.file));
    for key in [signed.gnupg.public_key("stranger"), "<html>not found</html>".to_owned()] {
        signed.serve(KEY, key.as_bytes());
        let first = format!("error: no key to check the signature of {}", signed.published.server.url(IMAGE));
        signed.published.refuses(1, &[&first, "hint: put the key there as NAME.asc"]);
    }
}

#[test]
fn a_file_that_is_no_key_is_named() {
    let signed = Signed::new();
    signed.own_key("not a key");
    signed.published.refuses(
        1,
        &[
            "error: ~/board-profiles/keys/vendor.asc is no OpenPGP key",
            "  caused by: malformed input: keyring: ",
            "hint: take the file away, or export the key again",
        ],
    );
}

#[test]
fn a_vendor_without_signers_cannot_have_signed() {
    let signed = Signed::new();
    let vendor = "board-profiles/vendors/raspberrypi.yaml";
    let text = fs::read_to_string(signed.published.bench.path(vendor)).expect("the vendor");
    let rest = text.split("image-signers:").next().expect("what is before the signers");
    signed.published.bench.write("board-profiles/vendors/armbian.yaml", rest.as_bytes());
    signed.published.refuses(
        1,
        &["error: ~/board-profiles/vendors/armbian.yaml: has no `image-signers`, but tiny asks for a signature"],
    );
}
