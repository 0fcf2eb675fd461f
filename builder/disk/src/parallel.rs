//! Work done by several threads, its results taken in order.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Finished results each thread may be ahead of the one that takes them: bounds memory.
const AHEAD: usize = 1;

/// Runs `work(0..count)` on `threads` threads and gives each result to `take` in order, on the calling thread.
///
/// At most `threads × 2` results exist at a time. The first error (in order of index) ends everything and is
/// returned. `take` sees the same sequence for any number of threads.
pub fn in_order<T: Send, E: Send>(
    threads: NonZeroUsize,
    count: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
    mut take: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.get().min(count);
    let queue =
        Queue { state: Mutex::default(), changed: Condvar::new(), count, bound: threads * (1 + AHEAD) };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _stop = StopOnUnwind(&queue);
                while let Some(index) = queue.claim() {
                    queue.finish(index, work(index));
                }
            });
        }
        let _stop = Stop(&queue);
        (0..count).try_for_each(|index| match queue.next(index) {
            Some(result) => take(index, result?),
            // A worker panicked; leaving the scope passes its panic on.
            None => Ok(()),
        })
    })
}

struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    count: usize,
    bound: usize,
}

struct State<T> {
    claimed: usize,
    taken: usize,
    finished: BTreeMap<usize, T>,
    stopped: bool,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self { claimed: 0, taken: 0, finished: BTreeMap::new(), stopped: false }
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next index to work on; waits while too many results are ahead of `taken`.
    fn claim(&self) -> Option<usize> {
        let mut state = self.lock();
        while !state.stopped && state.claimed < self.count && state.claimed >= state.taken + self.bound {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped || state.claimed == self.count {
            return None;
        }
        state.claimed += 1;
        Some(state.claimed - 1)
    }

    fn finish(&self, index: usize, result: T) {
        self.lock().finished.insert(index, result);
        self.changed.notify_all();
    }

    /// The result of `index`, or nothing if the work was stopped.
    fn next(&self, index: usize) -> Option<T> {
        let mut state = self.lock();
        state.taken = index;
        self.changed.notify_all();
        loop {
            if let Some(result) = state.finished.remove(&index) {
                return Some(result);
            }
            if state.stopped {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// Ends the workers when the taker is done, whatever the reason.
struct Stop<'a, T>(&'a Queue<T>);

impl<T> Drop for Stop<'_, T> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Ends everybody when a worker panics, so that nobody waits for its result.
struct StopOnUnwind<'a, T>(&'a Queue<T>);

impl<T> Drop for StopOnUnwind<'_, T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for count in [1, 2, 7] {
            let mut seen = Vec::new();
            let work = |index| {
                thread::sleep(std::time::Duration::from_micros((97 * index as u64) % 300));
                Ok::<_, ()>(index * 2)
            };
            in_order(threads(count), 50, work, |index, value| {
                seen.push((index, value));
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, (0..50).map(|index| (index, index * 2)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn results_waiting_are_bounded() {
        let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |_| {
            let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            Ok::<_, ()>(())
        };
        in_order(threads(2), 100, work, |_, ()| {
            thread::sleep(std::time::Duration::from_micros(100));
            alive.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
        assert!(most.load(Ordering::SeqCst) <= 2 * 2 + 1, "{most:?}");
    }

    #[test]
    fn the_first_error_in_order_wins_and_ends_the_work() {
        let work = |index| if index >= 3 { Err(index) } else { Ok(()) };
        assert_eq!(in_order(threads(4), 1000, work, |_, ()| Ok(())), Err(3));
    }

    #[test]
    fn nothing_to_do_is_done() {
        assert_eq!(in_order(threads(2), 0, |_| Ok::<_, ()>(()), |_, ()| Ok(())), Ok(()));
    }
}
