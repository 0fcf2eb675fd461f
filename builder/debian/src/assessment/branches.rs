//! Branches and loops.

use super::evaluation::{Evaluation, FrameKind};
use super::parser::{Arm, Branch, List};
use super::state::{Status, Text, Variable};

impl Evaluation<'_> {
    pub(super) fn branches(&mut self, branches: &[Branch], otherwise: &List, tested: bool) -> Status {
        let mut rest = branches;
        while let [(condition, body), others @ ..] = rest {
            let status = self.run(condition, true);
            match status {
                _ if !self.state.reachable => return status,
                Status::Success => return self.run(body, tested),
                Status::Failure => rest = others,
                Status::Unknown => {
                    return self.fork(
                        |this| this.run(body, tested),
                        |this| this.branches(others, otherwise, tested),
                    );
                }
            }
        }
        self.run(otherwise, tested)
    }

    pub(super) fn arms(&mut self, subject: &Text, arms: &[Arm], tested: bool) -> Status {
        let mut rest = arms;
        while let [(patterns, body), others @ ..] = rest {
            match self.matches(subject, patterns) {
                _ if !self.state.reachable => return Status::Unknown,
                Status::Success => return self.run(body, tested),
                Status::Failure => rest = others,
                Status::Unknown => {
                    return self
                        .fork(|this| this.run(body, tested), |this| this.arms(subject, others, tested));
                }
            }
        }
        Status::Success
    }

    pub(super) fn for_each(&mut self, name: &str, values: &[String], body: &List, tested: bool) -> Status {
        let values = self.words(values);
        let first = values.known.first().filter(|_| !values.open);
        let value = match first {
            None if !values.open => return Status::Success,
            None => Text::unknown(),
            Some(first) => values.known.iter().fold(first.clone(), |all, value| all.or(value)),
        };
        self.any_number(name, &value, body, tested)
    }

    /// Runs the body until nothing new is learned: any number of times.
    fn any_number(&mut self, name: &str, value: &Text, body: &List, tested: bool) -> Status {
        let (certain, departures) = (self.state.certain, self.departures);
        self.state.certain = false;
        self.state.last = Status::Unknown;
        let mut status = Status::Success;
        loop {
            let before = self.copy();
            self.assign(name, Variable::Set(value.clone()));
            status = status.or(self.framed(FrameKind::Loop, |this| this.run(body, tested)));
            let after = std::mem::replace(&mut self.state, before.clone());
            self.state = before.clone().or(after);
            if self.state == before || !self.step(0) {
                break;
            }
        }
        self.state.certain = certain && self.departures == departures;
        status
    }

    /// `while` and `until`: only one that ends at once is known to end.
    pub(super) fn repeat(&mut self, condition: &List, body: &List, ends: Status) -> Status {
        self.framed(FrameKind::Condition, |this| {
            let status = this.run(condition, true);
            if this.state.reachable && status != ends {
                this.report("a loop, which may not end");
                this.fork(
                    |this| this.framed(FrameKind::Loop, |this| this.run(body, true)),
                    |_| Status::Success,
                );
            }
            Status::Success
        })
    }
}
