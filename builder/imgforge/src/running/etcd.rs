//! The members of etcd, asked one by one through the JSON gateway that each has at its port for clients:
//! <https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/>. Numbers of 64 bits are texts there, and what is zero or empty is
//! left out.

use std::{thread, time::Duration};

use imgforge_kube::pki::Secrets;
use reqwest::{Method, blocking::Response};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{
    Error,
    connection::{Answer, Connection, Request, Server},
    places::Places,
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
}

/// A member as the others have it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(crate) struct Member {
    /// Its number.
    #[serde(rename = "ID", deserialize_with = "number")]
    pub id: u64,
    /// The node's name; empty as long as it has never started.
    pub name: String,
    /// Where the others reach it: `https://192.168.1.10:2380`.
    #[serde(rename = "peerURLs")]
    pub peer_urls: Vec<String>,
    /// Where its clients reach it: `https://192.168.1.10:2379`.
    #[serde(rename = "clientURLs")]
    pub client_urls: Vec<String>,
    /// Whether it has no vote yet.
    pub is_learner: bool,
}

/// What a member says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MemberStatus {
    header: Header,
    /// etcd's release.
    pub version: String,
    /// Bytes of the database on the disk.
    #[serde(deserialize_with = "number")]
    pub db_size: u64,
    /// Bytes of it that are in use.
    #[serde(deserialize_with = "number")]
    pub db_size_in_use: u64,
    /// Who leads; 0: nobody.
    #[serde(deserialize_with = "number")]
    pub leader: u64,
    /// What is wrong with it.
    pub errors: Vec<String>,
    /// When the certificate that it shows ends.
    #[serde(skip)]
    pub certificate_end: Option<i64>,
}

impl MemberStatus {
    /// Its own number.
    pub fn id(&self) -> u64 {
        self.header.member_id
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Header {
    #[serde(deserialize_with = "number")]
    member_id: u64,
}

/// Something that is wrong with a member until somebody says that it is over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Alarm {
    /// Whose.
    #[serde(rename = "memberID", deserialize_with = "number")]
    pub member: u64,
    /// `NOSPACE`, `CORRUPT`.
    pub alarm: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    members: Vec<Member>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Alarms {
    alarms: Vec<Alarm>,
}

impl Etcd {
    /// The members on the masters of `cluster`.
    pub fn new(secrets: &Secrets, places: &Places) -> Result<Self, Error> {
        let connection = Connection::new(&secrets.etcd_ca.certificate, &secrets.etcd_client()?, places)?;
        Ok(Self { connection })
    }

    /// The member on the master `hostname`.
    pub fn on(hostname: &str) -> Server {
        Server::new(hostname, PORT)
    }

    fn post<T: DeserializeOwned>(
        &self,
        server: &Server,
        path: &str,
        body: String,
    ) -> Result<(T, Answer), Error> {
        let request = Request {
            method: Method::POST,
            path,
            body: Some(("application/json", body)),
            most: MOST,
            seconds: Some(ANSWER),
        };
        let answer = self.connection.ask(server, &request)?;
        match serde_json::from_slice(&answer.bytes) {
            Ok(value) => Ok((value, answer)),
            Err(error) => Err(Error::Answer {
                server: server.to_string(),
                request: request.to_string(),
                problem: error.to_string(),
            }),
        }
    }

    /// How the member `server` is.
    pub fn status(&self, server: &Server) -> Result<MemberStatus, Error> {
        let (status, answer) = self.post(server, "/v3/maintenance/status", "{}".into())?;
        Ok(MemberStatus { certificate_end: answer.certificate_end, ..status })
    }

    /// All members, as `server` knows them.
    pub fn members(&self, server: &Server) -> Result<Vec<Member>, Error> {
        self.post(server, "/v3/cluster/member/list", "{}".into()).map(|(list, _): (Members, _)| list.members)
    }

    /// What is wrong with members, as `server` knows it.
    pub fn alarms(&self, server: &Server) -> Result<Vec<Alarm>, Error> {
        let body = r#"{"action":"GET"}"#.to_owned();
        self.post(server, "/v3/maintenance/alarm", body).map(|(list, _): (Alarms, _)| list.alarms)
    }

    /// Has one of `servers` take a member out of etcd; returns who is left. Without a majority of the members it is not done.
    pub fn remove(&self, servers: &[&Server], id: u64) -> Result<Vec<Member>, Error> {
        let body = format!(r#"{{"ID":"{id}"}}"#);
        let mut last = Error::NobodyAnswers { problems: Vec::new() };
        for server in servers.iter().cycle().take(ATTEMPTS.max(servers.len())) {
            match self.post::<Members>(server, "/v3/cluster/member/remove", body.clone()) {
                Ok((list, _)) => return Ok(list.members),
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

    /// Begins to read all that `server` has.
    pub fn snapshot(&self, server: &Server) -> Result<Response, Error> {
        let path = "/v3/maintenance/snapshot";
        let body = Some(("application/json", "{}".to_owned()));
        self.connection.open(server, &Request { method: Method::POST, path, body, most: 0, seconds: None })
    }
}

/// A number of 64 bits: a text in the JSON of protocol buffers, and taken as a number, too.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Text(String),
        Plain(u64),
    }
    match Number::deserialize(deserializer)? {
        Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Number::Plain(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_texts_and_nothing_is_left_out_for_zero() {
        // As etcd 3.4.23 answers.
        let text = r#"{"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","raft_term":"2"},"members":[
            {"ID":"10276657743932975437","name":"k8s-master-1","peerURLs":["https://127.0.0.1:2380"],"clientURLs":["https://127.0.0.1:2379"]},
            {"ID":"1","peerURLs":["https://127.0.0.2:2380"],"isLearner":true}]}"#;
        let members = serde_json::from_str::<Members>(text).unwrap().members;
        assert_eq!((members[0].id, members[0].name.as_str()), (10_276_657_743_932_975_437, "k8s-master-1"));
        assert!(members[1].is_learner && members[1].name.is_empty());
        let status: MemberStatus = serde_json::from_str(
            r#"{"header":{"member_id":"7"},"version":"3.4.23","dbSize":"20480","leader":"7"}"#,
        )
        .unwrap();
        assert_eq!((status.id(), status.leader, status.db_size, status.db_size_in_use), (7, 7, 20_480, 0));
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        for bad in [r#"{"ID":"x"}"#, r#"{"ID":-1}"#, r#"{"ID":"18446744073709551616"}"#, r#"{"ID":[]}"#] {
            assert!(serde_json::from_str::<Member>(bad).is_err(), "{bad}");
        }
    }
}
