//! What is kept from pods, against what the board has.

use super::{Clash, Configuration};

/// Thousandths of a mebibyte.
const MEBIBYTE: i128 = 1000 << 20;

const FIELDS: [&str; 3] = ["kubeReserved", "systemReserved", "evictionHard"];

pub(super) fn flaws(kubelet: &Configuration) -> Vec<Clash> {
    let tiny = tiny(kubelet);
    if tiny.is_empty() { nothing_left(kubelet).into_iter().collect() } else { tiny }
}

/// Amounts of bytes in which a unit was forgotten.
fn tiny(kubelet: &Configuration) -> Vec<Clash> {
    const AMOUNTS: [(&[&str], &str); 8] = [
        (&["kubeReserved"], "memory"),
        (&["kubeReserved"], "ephemeral-storage"),
        (&["systemReserved"], "memory"),
        (&["systemReserved"], "ephemeral-storage"),
        (&["evictionHard"], "memory.available"),
        (&["evictionHard"], "nodefs.available"),
        (&["evictionHard"], "imagefs.available"),
        (&["evictionSoft"], "memory.available"),
    ];
    let tiny = |(fields, resource): (&'static [&'static str], &str)| {
        let field = fields.first()?;
        let kept = kubelet.kept(field, resource);
        let text = kubelet.get(field)?.get(resource)?.as_str()?;
        (1..MEBIBYTE).contains(&kept).then(|| {
            let message = format!(
                "`{resource}: {text}` is less than a mebibyte: a number without a unit is in bytes, `m` thousandths of one"
            );
            Clash::new(fields, message, "give it a unit, such as 512Mi")
        })
    };
    AMOUNTS.into_iter().filter_map(tiny).collect()
}

/// Thousandths of a byte of memory that are kept: for the kubelet, for the system, and free.
pub(super) fn memory(kubelet: &Configuration) -> i128 {
    let reserved = ["kubeReserved", "systemReserved"].map(|field| kubelet.kept(field, "memory"));
    reserved.into_iter().fold(free(kubelet), i128::saturating_add)
}

/// Those below which pods are stopped; the kubelet reads over a share of 0 or 100 %.
fn free(kubelet: &Configuration) -> i128 {
    let threshold = kubelet.get("evictionHard").and_then(|hard| hard.get("memory.available")?.as_str());
    match threshold.and_then(|threshold| threshold.strip_suffix('%')) {
        Some(share) => {
            let whole = share.split('.').next().and_then(|whole| whole.parse::<u8>().ok());
            let share = whole.filter(|share| *share < 100).unwrap_or(0);
            i128::from(kubelet.board.memory) * MEBIBYTE / 100 * i128::from(share)
        }
        None => kubelet.kept("evictionHard", "memory.available"),
    }
}

fn nothing_left(kubelet: &Configuration) -> Option<Clash> {
    let Configuration { hostname, board, .. } = kubelet;
    // The file is told what is wrong with these otherwise.
    if board.memory == 0 || board.cores == 0 {
        return None;
    }
    let kept = memory(kubelet);
    if kept >= i128::from(board.memory) * MEBIBYTE {
        let message = format!(
            "{} MiB of memory are kept from pods (kubeReserved, systemReserved, evictionHard), and the board of {hostname} has {}",
            kept / MEBIBYTE,
            board.memory
        );
        let largest: &[&str] = if free(kubelet).saturating_mul(2) > kept {
            &["evictionHard", "kubeReserved", "systemReserved"]
        } else if kubelet.kept("kubeReserved", "memory") >= kubelet.kept("systemReserved", "memory") {
            &FIELDS
        } else {
            &["systemReserved", "kubeReserved", "evictionHard"]
        };
        return Some(Clash::new(largest, message, "keep less, or give the node's `memory` if it has more"));
    }
    cores(kubelet)
}

fn cores(kubelet: &Configuration) -> Option<Clash> {
    let Configuration { hostname, board, .. } = kubelet;
    let by_number = kubelet.text("reservedSystemCPUs");
    if !by_number.is_empty() {
        let numbers = by_number.split([',', '-']).filter_map(|number| number.parse::<u32>().ok());
        return numbers.max().filter(|last| *last >= board.cores).map(|last| {
            let message = format!(
                "core {last} is kept from pods, and those of {hostname} are 0 to {}",
                board.cores - 1
            );
            Clash::new(&["reservedSystemCPUs"], message, "give numbers of cores that there are")
        });
    }
    let of = ["kubeReserved", "systemReserved"].map(|field| kubelet.kept(field, "cpu"));
    let kept = of[0].saturating_add(of[1]);
    (kept >= i128::from(board.cores) * 1000).then(|| {
        let message = format!(
            "{kept} thousandths of a core are kept from pods (kubeReserved, systemReserved), and the board of {hostname} has {}000",
            board.cores
        );
        let fields: &[&str] = if of[0] >= of[1] { &FIELDS } else { &["systemReserved", "kubeReserved"] };
        Clash::new(fields, message, "keep less")
    })
}
