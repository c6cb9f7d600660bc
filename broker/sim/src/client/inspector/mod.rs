//! The inspector: asks for offsets by time and for the ends of leader epochs, lists everything page by page, and
//! asks what clients ask when they start.
//!
//! Each question about logs is followed by one for the logs' starts on the same connection, so that what retention
//! removed in between is not missed.

mod question;

use std::collections::{BTreeMap, BTreeSet};

use protocol::ErrorCode;
use protocol::api_key::ApiKey;
use protocol::message::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use protocol::message::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};
use protocol::message::{
    ApiVersionsRequest, DescribeClusterRequest, DescribeTopicPartitionsRequest,
    GetTelemetrySubscriptionsRequest, PushTelemetryRequest,
};
use protocol::wire::Message as _;

use super::pages::Pages;
use super::records::name_of;
use super::{Answered, Client, Context, Requests, body};
use crate::oracle::{Place, Span};
use question::{
    Asked, EARLIEST, Question, SPECIAL, choose, epochs, is_retriable, judge_one, of_places, times,
};

enum What {
    Times,
    Epochs,
    Starts,
    Page,
    Cluster,
    Versions,
    Telemetry,
    Push,
}

/// The inspector.
pub(crate) struct Inspector {
    requests: Requests<What>,
    question: Option<Question>,
    pages: Option<Pages>,
    versions: BTreeSet<(i16, i16, i16)>,
}

impl Inspector {
    pub(crate) fn new() -> Self {
        let requests = Requests::new("inspector");
        Self { requests, question: None, pages: None, versions: BTreeSet::new() }
    }

    fn ask_times(&mut self, context: &mut Context<'_>) {
        let (special, from) = *context.random.pick(&SPECIAL);
        let special = context.random.chance(40).then_some(special);
        let oldest = if special.is_some() { from } else { 1 };
        let version = context.random.version(oldest..=*ListOffsetsRequest::VERSIONS.end());
        let wall = context.wall.0;
        let asked = choose(context, |random, oracle, place| {
            Asked::Time(special.unwrap_or_else(|| {
                let known = oracle.log(place).any_time(random.next());
                known.map_or(wall - 5_000, |time| time) + i64::from(random.between_i32(-2, 400))
            }))
        });
        let request = times(context.oracle, &asked, i8::from(context.random.chance(50)));
        self.requests.send(&request, version, What::Times, context);
        self.ask_starts(asked, context);
    }

    fn ask_epochs(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(OffsetForLeaderEpochRequest::VERSIONS);
        let fenced = context.random.chance(10);
        let asked = choose(context, |random, oracle, place| {
            let known = oracle.log(place).any_epoch(random.next()).unwrap_or(0);
            if fenced { Asked::Fenced } else { Asked::Epoch(known + random.between_i32(-1, 1)) }
        });
        let request = epochs(context.oracle, &asked);
        self.requests.send(&request, version, What::Epochs, context);
        self.ask_starts(asked, context);
    }

    /// Asks where the logs start that a question is about.
    fn ask_starts(&mut self, asked: BTreeMap<Place, (Asked, Span)>, context: &mut Context<'_>) {
        let starts = asked.keys().map(|place| (*place, (Asked::Time(EARLIEST), Span { start: 0, floor: 0 })));
        let request = times(context.oracle, &starts.collect(), 0);
        self.requests.send(&request, *ListOffsetsRequest::VERSIONS.end(), What::Starts, context);
        let losses = context.oracle.power_losses;
        self.question = Some(Question { asked, answers: BTreeMap::new(), losses });
    }

    fn ask_page(&mut self, context: &mut Context<'_>) {
        let pages = self.pages.get_or_insert_with(|| Pages::new(context));
        let request = pages.request();
        self.requests.send(&request, *DescribeTopicPartitionsRequest::VERSIONS.end(), What::Page, context);
    }

    fn ask_as_at_start(&mut self, context: &mut Context<'_>) {
        match context.random.below(4) {
            0 => {
                let version = context.random.version(DescribeClusterRequest::VERSIONS);
                self.requests.send(&DescribeClusterRequest::default(), version, What::Cluster, context);
            }
            1 => {
                let version = context.random.version(ApiVersionsRequest::VERSIONS);
                let request = ApiVersionsRequest {
                    client_software_name: "sim".to_owned(),
                    client_software_version: "1.0".to_owned(),
                };
                self.requests.send(&request, version, What::Versions, context);
            }
            2 => {
                let request = GetTelemetrySubscriptionsRequest::default();
                self.requests.send(&request, 0, What::Telemetry, context);
            }
            _ => self.requests.send(&PushTelemetryRequest::default(), 0, What::Push, context),
        }
    }

    fn take_times(
        &mut self,
        response: &ListOffsetsResponse,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let Some(question) = &mut self.question else { return Ok(()) };
        for (place, answer) in of_places(question.asked.keys(), response, context.oracle) {
            if !is_retriable(answer.error_code, "ListOffsets")? {
                question.answers.insert(place, (answer.offset.0, answer.timestamp.0));
            }
        }
        Ok(())
    }

    fn take_epochs(
        &mut self,
        response: &OffsetForLeaderEpochResponse,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let Some(question) = &mut self.question else { return Ok(()) };
        for (place, (asked, _)) in &question.asked {
            let name = name_of(context.oracle, *place);
            let topic = response.topics.iter().find(|topic| topic.topic == name);
            let of_place = |answer: &&EpochEndOffset| answer.partition.0 == place.1;
            let answer = topic.and_then(|topic| topic.partitions.iter().find(of_place));
            let answer = answer.ok_or("OffsetForLeaderEpoch was answered without a partition")?;
            match (asked, answer.error_code) {
                (Asked::Fenced, ErrorCode::UnknownLeaderEpoch) => context.oracle.counters.fenced += 1,
                (Asked::Fenced, ErrorCode::None) => return Err("a strange leader epoch is taken".to_owned()),
                (_, code) => {
                    if !is_retriable(code, "OffsetForLeaderEpoch")? {
                        let found = (i64::from(answer.leader_epoch.0), answer.end_offset.0);
                        question.answers.insert(*place, found);
                    }
                }
            }
        }
        Ok(())
    }

    /// The logs' starts are known: now the answers can be judged.
    fn judge(&mut self, response: &ListOffsetsResponse, context: &mut Context<'_>) -> Result<(), String> {
        let Some(question) = self.question.take() else { return Ok(()) };
        if question.losses != context.oracle.power_losses {
            return Ok(());
        }
        for (place, start) in of_places(question.asked.keys(), response, context.oracle) {
            let known = question.asked.get(&place).zip(question.answers.get(&place));
            let Some(((asked, span), answer)) = known else { continue };
            if is_retriable(start.error_code, "ListOffsets")? {
                continue;
            }
            let span = Span { start: start.offset.0, ..*span };
            judge_one(place, *asked, *answer, span, context)
                .map_err(|why| format!("{}-{}: {why}", name_of(context.oracle, place), place.1))?;
        }
        Ok(())
    }
}

impl Client for Inspector {
    fn act(&mut self, context: &mut Context<'_>) {
        if !self.requests.is_empty() || context.draining {
            return;
        }
        if self.pages.is_some() {
            self.ask_page(context);
            return;
        }
        match context.random.below(10) {
            0..5 => self.ask_times(context),
            5..8 => self.ask_epochs(context),
            8 => self.ask_page(context),
            _ => self.ask_as_at_start(context),
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let Answered { version, what, .. } = self.requests.answered(frame, context)?;
        match what {
            What::Times => self.take_times(&body::<ListOffsetsRequest>(frame, version)?, context),
            What::Epochs => self.take_epochs(&body::<OffsetForLeaderEpochRequest>(frame, version)?, context),
            What::Starts => self.judge(&body::<ListOffsetsRequest>(frame, version)?, context),
            What::Page => {
                let response = body::<DescribeTopicPartitionsRequest>(frame, version)?;
                let Some(pages) = &mut self.pages else { return Ok(()) };
                if pages.take(response, context)?
                    && let Some(pages) = self.pages.take()
                {
                    pages.finish(context)?;
                }
                Ok(())
            }
            What::Cluster => {
                let response = body::<DescribeClusterRequest>(frame, version)?;
                context.oracle.cluster(&response.cluster_id)
            }
            What::Versions => {
                let response = body::<ApiVersionsRequest>(frame, version)?;
                let found: BTreeSet<_> =
                    response.api_keys.iter().map(|a| (a.api_key, a.min_version, a.max_version)).collect();
                if !self.versions.is_empty() && self.versions != found {
                    return Err("the broker serves other versions than before".to_owned());
                }
                let keys = response.api_keys.iter().filter_map(|api| ApiKey::from_wire(api.api_key));
                context.oracle.counters.advertised.extend(keys);
                self.versions = found;
                Ok(())
            }
            What::Telemetry => {
                let response = body::<GetTelemetrySubscriptionsRequest>(frame, version)?;
                match response.error_code {
                    ErrorCode::None if !response.client_instance_id.is_zero() => Ok(()),
                    code => Err(format!("a client's metrics were asked for with {}", code.name())),
                }
            }
            What::Push => match body::<PushTelemetryRequest>(frame, version)?.error_code {
                ErrorCode::InvalidRequest => Ok(()),
                code => Err(format!("metrics of nobody were answered with {}", code.name())),
            },
        }
    }

    fn lost(&mut self, _context: &mut Context<'_>) {
        self.requests.lost();
        self.question = None;
        // What is listed next may come from a broker that has not replayed all: the list begins anew.
        self.pages = None;
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}
