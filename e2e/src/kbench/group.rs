//! Members of classic consumer groups on raw connections: FindCoordinator 2, JoinGroup 5, SyncGroup 3, Heartbeat 3.
//!
//! A member sends and receives in two calls, so that one thread drives any number of them at the same time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::wire::{Connection, Cursor, Encoder, request};

const PROTOCOL: &str = "range";
const SESSION_MS: i32 = 45_000;
const REBALANCE_MS: i32 = 60_000;
/// How long a coordinator may take until it can be used: it creates `__consumer_offsets`.
const COORDINATOR_WAIT: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(50);

const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const MEMBER_ID_REQUIRED: i16 = 79;

/// One member of one group.
pub struct Member {
    connection: Connection,
    group: String,
    /// Given by the coordinator.
    id: String,
    generation: i32,
    /// All members, when this one leads.
    led: Vec<String>,
    assigned: Vec<u8>,
}

impl Member {
    /// Connects and gets a member id, waiting until the group's coordinator can be used.
    pub fn register(broker: &str, group: &str) -> Result<Member> {
        let mut member = Member {
            connection: Connection::open(broker)?,
            group: group.to_owned(),
            id: String::new(),
            generation: -1,
            led: Vec::new(),
            assigned: Vec::new(),
        };
        let started = Instant::now();
        loop {
            member.find_coordinator()?;
            member.send_join(&[])?;
            match member.read_join()? {
                MEMBER_ID_REQUIRED => return Ok(member),
                COORDINATOR_LOAD_IN_PROGRESS | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => {}
                code => bail!("JoinGroup of {group} without a member id answered error {code}"),
            }
            ensure!(
                started.elapsed() < COORDINATOR_WAIT,
                "{group} has no coordinator after {COORDINATOR_WAIT:?}"
            );
            std::thread::sleep(RETRY);
        }
    }

    fn find_coordinator(&mut self) -> Result<()> {
        let mut frame = request(10, 2, |body| {
            body.string(&self.group);
            body.i8(0);
        });
        let started = Instant::now();
        loop {
            let mut cursor = Cursor::new(self.connection.call(&mut frame)?);
            cursor.i32()?;
            match cursor.i16()? {
                0 => return Ok(()),
                code => {
                    let waited = started.elapsed();
                    ensure!(
                        waited < COORDINATOR_WAIT,
                        "FindCoordinator answers error {code} after {waited:?}"
                    );
                }
            }
            std::thread::sleep(RETRY);
        }
    }

    /// Asks to join with this subscription: another one than before makes the group rebalance.
    pub fn send_join(&mut self, subscription: &[u8]) -> Result<()> {
        let mut frame = request(11, 5, |body| {
            body.string(&self.group);
            body.i32(SESSION_MS);
            body.i32(REBALANCE_MS);
            body.string(&self.id);
            body.i16(-1);
            body.string("consumer");
            body.length(1);
            body.string(PROTOCOL);
            bytes(body, subscription);
        });
        self.connection.send(&mut frame, 1)
    }

    /// Waits for the generation to begin.
    pub fn receive_join(&mut self) -> Result<()> {
        let code = self.read_join()?;
        ensure!(code == 0, "JoinGroup of {} answered error {code}", self.group);
        Ok(())
    }

    fn read_join(&mut self) -> Result<i16> {
        let mut cursor = Cursor::new(self.connection.receive(1)?);
        cursor.i32()?;
        let error = cursor.i16()?;
        self.generation = cursor.i32()?;
        cursor.string()?;
        cursor.string()?;
        self.id = cursor.string()?;
        self.led.clear();
        for _ in 0..cursor.length()? {
            self.led.push(cursor.string()?);
            cursor.string()?;
            let metadata = cursor.length()?;
            cursor.take(metadata)?;
        }
        Ok(error)
    }

    /// The generation that it is in.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// How many members it was told to assign to; 0 unless it leads.
    pub fn leads(&self) -> usize {
        self.led.len()
    }

    /// Asks for its assignment; the leader gives each member its own id as one.
    pub fn send_sync(&mut self) -> Result<()> {
        let mut frame = request(14, 3, |body| {
            body.string(&self.group);
            body.i32(self.generation);
            body.string(&self.id);
            body.i16(-1);
            body.length(self.led.len());
            for id in &self.led {
                body.string(id);
                bytes(body, id.as_bytes());
            }
        });
        self.connection.send(&mut frame, 2)
    }

    /// Waits for the assignment, which must be this member's.
    pub fn receive_sync(&mut self) -> Result<()> {
        let mut cursor = Cursor::new(self.connection.receive(2)?);
        cursor.i32()?;
        let error = cursor.i16()?;
        ensure!(error == 0, "SyncGroup of {} answered error {error}", self.group);
        let length = cursor.length()?;
        self.assigned = cursor.take(length)?.to_vec();
        ensure!(self.assigned == self.id.as_bytes(), "{} was given somebody else's assignment", self.id);
        Ok(())
    }

    /// Says that it lives.
    pub fn heartbeat(&mut self) -> Result<()> {
        let mut frame = request(12, 3, |body| {
            body.string(&self.group);
            body.i32(self.generation);
            body.string(&self.id);
            body.i16(-1);
        });
        let mut cursor = Cursor::new(self.connection.call(&mut frame).context("send a heartbeat")?);
        cursor.i32()?;
        match cursor.i16()? {
            0 => Ok(()),
            code => bail!("Heartbeat of {} answered error {code}", self.group),
        }
    }
}

/// Takes these members of one or many groups through one rebalance.
pub fn rebalance(members: &mut [Member], subscription: &[u8]) -> Result<()> {
    members.iter_mut().try_for_each(|member| member.send_join(subscription))?;
    members.iter_mut().try_for_each(Member::receive_join)?;
    members.iter_mut().try_for_each(Member::send_sync)?;
    members.iter_mut().try_for_each(Member::receive_sync)
}

fn bytes(body: &mut Encoder, value: &[u8]) {
    body.length(value.len());
    body.0.extend(value);
}
