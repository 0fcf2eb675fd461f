//! Snapshots of etcd: what is whole, and whose it is. The real ones are those of `tests/tests/restore.rs`; here are databases of which
//! every byte is known.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::io::Cursor;

use base64ct::{Base64, Encoding};
use common::{HOME, cluster, random};
use imgforge_kube::{
    pki::{Lifetime, Secrets},
    snapshot::{Error, Snapshot},
    version::Version,
};
use imgforge_spec::Sha256;
use proptest::prelude::*;

const PAGE: usize = 4096;

/// A page with elements: 16 bytes each, whose third word is how far away its key is.
fn page(number: u64, kind: u16, elements: &[(u32, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (index, (flags, key, value)) in elements.iter().enumerate() {
        let to_data = ((elements.len() - index) * 16 + data.len()) as u32;
        for field in [*flags, to_data, key.len() as u32, value.len() as u32] {
            table.extend(field.to_le_bytes());
        }
        data.extend(key.iter().chain(value));
    }
    let body = [table, data].concat();
    finished(number, kind, elements.len(), body)
}

fn finished(number: u64, kind: u16, count: usize, body: Vec<u8>) -> Vec<u8> {
    let pages = (16 + body.len()).div_ceil(PAGE);
    let mut page = number.to_le_bytes().to_vec();
    page.extend(kind.to_le_bytes());
    page.extend((count as u16).to_le_bytes());
    page.extend((pages as u32 - 1).to_le_bytes());
    page.extend(body);
    page.resize(pages * PAGE, 0);
    page
}

fn branch(number: u64, children: &[u64]) -> Vec<u8> {
    let mut body = Vec::new();
    for child in children {
        body.extend([0; 8]);
        body.extend(child.to_le_bytes());
    }
    finished(number, 1, children.len(), body)
}

fn meta(number: u64, root: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for word in [0xED0C_DAED_u32, 2, PAGE as u32, 0] {
        body.extend(word.to_le_bytes());
    }
    for word in [root, 0, 2, 99, 7 - number] {
        body.extend(word.to_le_bytes());
    }
    let sum = body
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum: u64, b| (sum ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
    body.extend(sum.to_le_bytes());
    finished(number, 4, 0, body)
}

/// etcd's KeyValue.
fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    let mut field = |tag: u8, bytes: &[u8]| {
        message.push(tag);
        let mut length = bytes.len();
        while length > 127 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend(bytes);
    };
    field(0x0a, key.as_bytes());
    field(0x2a, value);
    message.extend([0x10, 0x96, 0x01]);
    message
}

fn revision(number: usize, is_deleted: bool) -> Vec<u8> {
    let mut key = (number as u64).to_be_bytes().to_vec();
    key.push(b'_');
    key.extend([0; 8]);
    key.extend(is_deleted.then_some(b't'));
    key
}

/// A database to which these were put one after the other; `None` deletes.
fn database(puts: &[(&str, Option<Vec<u8>>)]) -> Vec<u8> {
    let elements: Vec<_> = puts
        .iter()
        .enumerate()
        .map(|(number, (key, value))| {
            (0, revision(number, value.is_none()), entry(key, value.as_deref().unwrap_or_default()))
        })
        .collect();
    let (mut leaves, mut children) = (Vec::new(), Vec::new());
    for part in elements.chunks(3) {
        let number = 5 + (leaves.len() / PAGE) as u64;
        children.push(number);
        leaves.extend(page(number, 2, part));
    }
    let bucket = |root: u64| [root.to_le_bytes(), [0; 8]].concat();
    let root = page(
        3,
        2,
        &[(1, b"key".to_vec(), bucket(4)), (1, b"meta".to_vec(), [bucket(0), vec![0; 16]].concat())],
    );
    [meta(0, 3), meta(1, 3), finished(2, 0x10, 0, Vec::new()), root, branch(4, &children), leaves].concat()
}

fn sealed(database: &[u8]) -> Vec<u8> {
    [database, Sha256::of(database).as_bytes()].concat()
}

fn read(bytes: &[u8]) -> Result<Snapshot, Error> {
    Snapshot::read(&mut Cursor::new(bytes))
}

fn secrets(seed: u64) -> Secrets {
    let mut random = random(seed);
    Secrets::generate(&cluster(&HOME), Lifetime::generous(1_767_225_600), &mut random).unwrap()
}

fn cluster_info(certificate: &str) -> Vec<u8> {
    let data = Base64::encode_string(certificate.as_bytes());
    format!("k8s\0\n\x0ckubeconfig\x12 apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {data}\n    server: x\n")
        .into_bytes()
}

/// What kubeadm leaves in etcd, and what comes before and after.
fn of_cluster(certificate: &str) -> Vec<u8> {
    let settings =
        b"k8s\0ClusterConfiguration\x12apiServer:\n  x: y\nclusterName: home\nkubernetesVersion: v1.36.4\n";
    database(&[
        ("/registry/pods/default/large", Some(vec![b'x'; 3 * PAGE])),
        ("/registry/configmaps/kube-system/kubeadm-config", Some(settings.to_vec())),
        ("/registry/configmaps/kube-public/cluster-info", Some(b"before".to_vec())),
        ("/registry/configmaps/kube-public/cluster-info", Some(cluster_info(certificate))),
        ("/registry/pods/default/small", Some(b"y".to_vec())),
    ])
}

#[test]
fn a_snapshot_says_whose_it_is() {
    let (ours, others) = (secrets(1).ca.certificate, secrets(2).ca.certificate);
    let database = of_cluster(&ours);
    let snapshot = read(&sealed(&database)).unwrap();
    assert_eq!((snapshot.size, snapshot.sha256), (database.len() as u64, Sha256::of(&database)));
    assert_eq!((snapshot.cluster.as_deref(), snapshot.release), (Some("home"), Some(Version::new(36, 4))));
    assert!(snapshot.is_of(&ours) && !snapshot.is_of(&others));
    assert!(!snapshot.is_of("") && !snapshot.is_of("-----BEGIN CERTIFICATE-----\n"));
}

#[test]
fn each_of_the_two_places_is_enough_and_json_is_as_good() {
    let ours = secrets(1).ca.certificate;
    let in_json = format!("{{\"data\":{{\"ca.crt\":\"{}\"}}}}", ours.replace('\n', "\\n"));
    for value in [format!("k8s\0ca.crt\x12{ours}"), in_json] {
        let database = database(&[("/x/configmaps/kube-system/kube-root-ca.crt", Some(value.into_bytes()))]);
        assert!(read(&sealed(&database)).unwrap().is_of(&ours));
    }
}

#[test]
fn what_was_deleted_or_replaced_does_not_count() {
    let (ours, others) = (secrets(1).ca.certificate, secrets(2).ca.certificate);
    let name = "/registry/configmaps/kube-public/cluster-info";
    let deleted = database(&[(name, Some(cluster_info(&ours))), (name, None)]);
    assert!(matches!(read(&sealed(&deleted)), Err(Error::NoCluster)));
    let replaced = database(&[(name, Some(cluster_info(&others))), (name, Some(cluster_info(&ours)))]);
    assert!(!read(&sealed(&replaced)).unwrap().is_of(&others));
}

#[test]
fn what_is_not_whole_is_told_by_what_is_wrong() {
    let whole = sealed(&of_cluster(&secrets(1).ca.certificate));
    let said = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    for length in [0, 1, 31, 32, 33, 4096 + 31, whole.len() - 33] {
        assert!(said(&whole[..length]).contains("it is cut off, or something else"), "{length}");
    }
    assert!(said(&whole[..whole.len() - 32]).contains("it is a copy of etcd's file, and no snapshot"));
    // Cut off where something looks like a hash.
    assert!(said(&whole[..PAGE + 32]).contains("it was altered, or is cut off"));
    for at in [0, PAGE, whole.len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        assert!(said(&altered).contains("it was altered, or is cut off"), "{at}");
    }
}

#[test]
fn a_database_whose_hash_is_right_may_still_be_none() {
    let good = of_cluster(&secrets(1).ca.certificate);
    let said = |alter: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        alter(&mut bytes);
        read(&sealed(&bytes)).unwrap_err().to_string()
    };
    assert!(said(&|bytes| bytes.fill(0)).contains("its first page is none"));
    assert!(said(&|bytes| bytes[17] ^= 1).contains("its first page is none"));
    // The branch leads to itself, to a page that there is not, and to one of another kind.
    for child in [4_u64, 1 << 40, 2] {
        let at = 4 * PAGE + 16 + 8;
        let said = said(&|bytes| bytes[at..at + 8].copy_from_slice(&child.to_le_bytes()));
        assert!(said.starts_with("its database is damaged: a page "), "{said}");
    }
    assert!(said(&|bytes| bytes[5 * PAGE + 12..5 * PAGE + 16].fill(0xff)).contains("longer than can be"));
    assert!(
        said(&|bytes| bytes[5 * PAGE + 16 + 8..5 * PAGE + 16 + 16].fill(0xff)).contains("not in its page")
    );
    assert!(matches!(read(&sealed(&database(&[("/x", Some(Vec::new()))]))), Err(Error::NoCluster)));
}

proptest! {
    #[test]
    fn altered_databases_end_in_a_value_or_an_error(
        changes in prop::collection::vec((0usize..12 * PAGE, any::<u8>()), 1..40), length in 0usize..12 * PAGE
    ) {
        let mut bytes = of_cluster("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        for (at, byte) in changes {
            if let Some(there) = bytes.get_mut(at) {
                *there = byte;
            }
        }
        drop(read(&bytes));
        drop(read(&sealed(&bytes)));
        bytes.truncate(length);
        drop(read(&sealed(&bytes)));
    }
}
