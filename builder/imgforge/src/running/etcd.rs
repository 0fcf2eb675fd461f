//! The members of etcd, asked one by one by gRPC, which each speaks at its port for clients:
//! <https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/>, and for the fields' numbers `api/etcdserverpb/rpc.proto`. Not by HTTP: the
//! members in k3s have that for their own node only (`listenClientHTTPURLs` in its `pkg/etcd`).

use std::{thread, time::Duration};

use imgforge_kube::{cluster::Cluster, engine::Engine, pki::Secrets};
use reqwest::blocking::Response;

use super::{
    Error,
    connection::{Connection, Server, certificate_end},
    grpc,
    places::Places,
    protobuf::{self, Malformed},
};

/// etcd's port for clients, on each master's own address as kubeadm sets it up.
const PORT: u16 = 2379;
const MOST: u64 = 1 << 20;
/// Seconds after which a member gives up. It waits for ever by itself if what it asked of the others was lost with their leader.
const ANSWER: u8 = 15;
/// Times a change is asked for.
const ATTEMPTS: usize = 4;
/// An election takes a second, on slow boards a few.
const PAUSE: Duration = Duration::from_secs(2);

/// The members of a cluster's etcd.
#[derive(Debug)]
pub(crate) struct Etcd {
    connection: Connection,
    /// Whose members they are: k3s gives them names of its own.
    engine: Engine,
}

/// A member as the others have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Member {
    /// Its number.
    pub id: u64,
    /// The node's name; empty as long as it has never started.
    pub name: String,
    /// Where the others reach it: `https://192.168.1.10:2380`.
    pub peer_urls: Vec<String>,
    /// Where its clients reach it: `https://192.168.1.10:2379`.
    pub client_urls: Vec<String>,
    /// Whether it has no vote yet.
    pub is_learner: bool,
}

impl Member {
    /// `Member`.
    fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut member = Self::default();
        protobuf::read(message, |field, value| match field {
            1 => member.id = value.number(),
            2 => member.name = value.text(),
            3 => member.peer_urls.push(value.text()),
            4 => member.client_urls.push(value.text()),
            5 => member.is_learner = value.number() != 0,
            _ => {}
        })?;
        Ok(member)
    }

    /// `MemberListResponse` and `MemberRemoveResponse`: a header, and members.
    fn decode_all(message: &[u8]) -> Result<Vec<Self>, Malformed> {
        let mut members = Vec::new();
        protobuf::read(message, |field, value| {
            if field == 2 {
                members.push(Self::decode(value.bytes()));
            }
        })?;
        members.into_iter().collect()
    }
}

/// What a member says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MemberStatus {
    id: u64,
    /// etcd's release.
    pub version: String,
    /// Bytes of the database on the disk.
    pub db_size: u64,
    /// Bytes of it that are in use.
    pub db_size_in_use: u64,
    /// Who leads; 0: nobody.
    pub leader: u64,
    /// What is wrong with it.
    pub errors: Vec<String>,
    /// When the certificate that it shows ends.
    pub certificate_end: Option<i64>,
}

impl MemberStatus {
    /// Its own number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// `StatusResponse`, whose header says who answers.
    fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let (mut status, mut header) = (Self::default(), Ok(()));
        protobuf::read(message, |field, value| match field {
            1 => {
                header = protobuf::read(value.bytes(), |field, value| {
                    if field == 2 {
                        status.id = value.number();
                    }
                });
            }
            2 => status.version = value.text(),
            3 => status.db_size = value.number(),
            4 => status.leader = value.number(),
            8 => status.errors.push(value.text()),
            9 => status.db_size_in_use = value.number(),
            _ => {}
        })?;
        header.map(|()| status)
    }
}

/// Something that is wrong with a member until somebody says that it is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Alarm {
    /// Whose.
    pub member: u64,
    /// `NOSPACE`, `CORRUPT`.
    pub alarm: String,
}

impl Alarm {
    /// `AlarmMember`.
    fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut alarm = Self::default();
        protobuf::read(message, |field, value| match (field, value.number()) {
            (1, member) => alarm.member = member,
            (2, 1) => alarm.alarm = "NOSPACE".into(),
            (2, 2) => alarm.alarm = "CORRUPT".into(),
            (2, other) => alarm.alarm = format!("number {other}"),
            _ => {}
        })?;
        Ok(alarm)
    }

    /// `AlarmResponse`: a header, and alarms.
    fn decode_all(message: &[u8]) -> Result<Vec<Self>, Malformed> {
        let mut alarms = Vec::new();
        protobuf::read(message, |field, value| {
            if field == 2 {
                alarms.push(Self::decode(value.bytes()));
            }
        })?;
        alarms.into_iter().collect()
    }
}

/// A piece of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Piece {
    /// Bytes of the database that are still to come.
    pub remaining: u64,
    /// The bytes.
    pub blob: Vec<u8>,
}

impl Piece {
    /// `SnapshotResponse`.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut piece = Self::default();
        protobuf::read(message, |field, value| match field {
            2 => piece.remaining = value.number(),
            3 => piece.blob = value.bytes().to_vec(),
            _ => {}
        })?;
        Ok(piece)
    }
}

impl Etcd {
    /// The members on the masters of `cluster`.
    pub fn new(cluster: &Cluster, secrets: &Secrets, places: &Places) -> Result<Self, Error> {
        let connection = Connection::new(&secrets.etcd_ca.certificate, &secrets.etcd_client()?, places)?;
        Ok(Self { connection, engine: cluster.engine })
    }

    /// The member on the master `hostname`.
    pub fn on(hostname: &str) -> Server {
        Server::new(hostname, PORT)
    }

    /// The answer of `server` to `call`, and when its certificate ends.
    fn call<T>(
        &self,
        server: &Server,
        call: &str,
        message: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<(T, Option<i64>), Error> {
        let unusable = |problem| Error::Answer { server: server.to_string(), request: call.into(), problem };
        let mut response = grpc::call(&self.connection, server, call, message, Some(ANSWER))?;
        let end = certificate_end(&response);
        let answer = grpc::next(&mut response, MOST).map_err(|unfit| unusable(unfit.to_string()))?;
        // What it has to say follows then where it is not read; etcd refuses mostly what may be well in a moment.
        let answer = answer.ok_or_else(|| Error::Refused {
            server: server.to_string(),
            request: call.into(),
            status: 503,
            message: "it gives no answer just now".into(),
        })?;
        decode(&answer).map(|answer| (answer, end)).map_err(|malformed| unusable(malformed.to_string()))
    }

    /// How the member `server` is.
    pub fn status(&self, server: &Server) -> Result<MemberStatus, Error> {
        let (status, certificate_end) =
            self.call(server, "/etcdserverpb.Maintenance/Status", &[], MemberStatus::decode)?;
        Ok(MemberStatus { certificate_end, ..status })
    }

    /// All members, as `server` knows them.
    pub fn members(&self, server: &Server) -> Result<Vec<Member>, Error> {
        self.members_by(server, "/etcdserverpb.Cluster/MemberList", &[])
    }

    fn members_by(&self, server: &Server, call: &str, message: &[u8]) -> Result<Vec<Member>, Error> {
        let (mut members, _) = self.call(server, call, message, Member::decode_all)?;
        for member in &mut members {
            member.name = self.engine.node_of_member(&member.name).to_owned();
        }
        Ok(members)
    }

    /// What is wrong with members, as `server` knows it.
    pub fn alarms(&self, server: &Server) -> Result<Vec<Alarm>, Error> {
        self.call(server, "/etcdserverpb.Maintenance/Alarm", &[], Alarm::decode_all).map(|(alarms, _)| alarms)
    }

    /// Has one of `servers` take a member out of etcd; returns who is left. Without a majority of the members it is not done.
    pub fn remove(&self, servers: &[&Server], id: u64) -> Result<Vec<Member>, Error> {
        let message = protobuf::with_number(1, id);
        let mut last = Error::NobodyAnswers { problems: Vec::new() };
        for server in servers.iter().cycle().take(ATTEMPTS.max(servers.len())) {
            match self.members_by(server, "/etcdserverpb.Cluster/MemberRemove", &message) {
                Ok(members) => return Ok(members),
                Err(error) => last = error,
            }
            // The answer may be lost, and the work done: etcd has a leader less just now, or a new one.
            match self.members(server) {
                Ok(members) if members.iter().all(|member| member.id != id) => return Ok(members),
                Ok(_) if last.is_passing() => thread::sleep(PAUSE),
                Ok(_) => return Err(last),
                Err(_) => {}
            }
        }
        Err(last)
    }

    /// Begins to read all that `server` has: messages of [`Piece`]s.
    pub fn snapshot(&self, server: &Server) -> Result<Response, Error> {
        grpc::call(&self.connection, server, SNAPSHOT, &[], None)
    }
}

/// The call for a snapshot.
pub(super) const SNAPSHOT: &str = "/etcdserverpb.Maintenance/Snapshot";

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with bytes in it.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
    }

    #[test]
    fn members_are_read_by_their_fields_numbers() {
        let header = field(1, &protobuf::with_number(2, 7));
        let first = [
            protobuf::with_number(1, 10_276_657_743_932_975_437),
            field(2, b"k8s-master-1"),
            field(3, b"https://127.0.0.1:2380"),
            field(4, b"https://127.0.0.1:2379"),
        ]
        .concat();
        let second =
            [protobuf::with_number(1, 1), field(3, b"https://127.0.0.2:2380"), protobuf::with_number(5, 1)]
                .concat();
        let members = Member::decode_all(&[header, field(2, &first), field(2, &second)].concat()).unwrap();
        assert_eq!((members[0].id, members[0].name.as_str()), (10_276_657_743_932_975_437, "k8s-master-1"));
        assert_eq!(members[0].client_urls, ["https://127.0.0.1:2379"]);
        assert!(members[1].is_learner && members[1].name.is_empty() && !members[0].is_learner);
        assert!(Member::decode_all(&field(2, &[0x08])).is_err());
    }

    #[test]
    fn a_status_and_an_alarm_are_read_too() {
        let message = [
            field(1, &protobuf::with_number(2, 7)),
            field(2, b"3.6.8"),
            protobuf::with_number(3, 20_480),
            protobuf::with_number(4, 7),
            field(8, b"etcdserver: no leader"),
        ]
        .concat();
        let status = MemberStatus::decode(&message).unwrap();
        assert_eq!((status.id(), status.leader, status.db_size, status.db_size_in_use), (7, 7, 20_480, 0));
        assert_eq!((status.version.as_str(), status.errors.len()), ("3.6.8", 1));
        let alarm = [protobuf::with_number(1, 7), protobuf::with_number(2, 1)].concat();
        let alarms = Alarm::decode_all(&field(2, &alarm)).unwrap();
        assert_eq!(alarms, [Alarm { member: 7, alarm: "NOSPACE".into() }]);
    }
}
