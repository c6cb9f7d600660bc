//! From a request to a decision of the controller, and from its commit to the reply.

use std::sync::{Arc, Weak};
use std::time::Duration;

use machines::controller::{Controller, CreateTopic, Decision, Defaults, Rejection};
use protocol::ErrorCode;
use protocol::wire::Message;

use super::{Call, Handled, encode_reply};
use crate::config::Config;
use crate::metadata::rules::Rules;
use crate::metadata::waiting::{Answers, ParkedDecision, set_timeout};
use crate::metadata::{Proposed, Waiting};

/// What a decision is made with besides the request.
pub(crate) struct Inputs<'a> {
    pub(crate) rules: Rules<'a>,
    pub(crate) random: &'a mut dyn FnMut() -> u64,
}

impl Call<'_> {
    /// Lets the controller decide; the reply leaves when the decision is committed and this broker's image has it.
    /// `respond` makes the response of the decision's, or of the code that answers everything when it is lost, or
    /// not committed after `timeout`.
    pub(crate) fn decide<R, M: Message>(
        self,
        timeout: Duration,
        decide: impl FnOnce(&Controller, Inputs<'_>) -> Decision<R>,
        respond: impl Fn(Result<R, ErrorCode>) -> M,
    ) -> Result<Handled, &'static str> {
        let config = self.node.config();
        let mut random = || self.node.random_number();
        let decision = |controller: &Controller, _: &machines::quorum::Quorum| {
            decide(controller, Inputs { rules: Rules(&config), random: &mut random })
        };
        let header = self.header;
        let mut weak = Weak::new();
        let waiting = |response: R| {
            let answers = Answers::Replies {
                committed: encode_reply(header, &respond(Ok(response))),
                lost: encode_reply(header, &respond(Err(ErrorCode::NotController))),
                late: encode_reply(header, &respond(Err(ErrorCode::RequestTimedOut))),
            };
            let parked = ParkedDecision::new(self.session, self.slot, answers);
            weak = Arc::downgrade(&parked);
            Waiting::Request(parked)
        };
        match self.node.metadata().decide(self.now, self.effects, decision, waiting) {
            Ok(Proposed::Waits) => {
                set_timeout(self.now, timeout, weak, self.effects);
                Ok(Handled::Parked)
            }
            Ok(Proposed::Done(Waiting::Request(parked))) => match parked.take() {
                Some(Answers::Replies { committed, .. }) => Ok(Handled::Reply(committed)),
                _ => Ok(Handled::Parked),
            },
            Ok(Proposed::Done(_)) => Ok(Handled::Parked),
            Err(error) => Ok(Handled::Reply(encode_reply(header, &respond(Err(error))))),
        }
    }

    /// Creates topics that a Metadata request names, then serves the request again. `false` when that cannot be
    /// begun, so that the request is served without them.
    pub(crate) fn create_topics_then_again(&mut self, topics: &[CreateTopic], frame: &[u8]) -> bool {
        let config = self.node.config();
        let mut random = || self.node.random_number();
        let decide = |controller: &Controller, _: &machines::quorum::Quorum| {
            controller.decide_create_topics(topics, false, defaults(&config), &Rules(&config), &mut random)
        };
        let answers = Answers::Again { header: self.header, frame: frame.to_vec() };
        let parked = ParkedDecision::new(self.session, self.slot, answers);
        let weak = Arc::downgrade(&parked);
        let waiting = |_| Waiting::Request(parked);
        let proposed = self.node.metadata().decide(self.now, self.effects, decide, waiting);
        let waits = matches!(proposed, Ok(Proposed::Waits));
        if waits {
            set_timeout(self.now, self.node.request_timeout(), weak, self.effects);
        }
        waits
    }
}

/// What a topic gets that says nothing of partitions and replicas.
pub(crate) fn defaults(config: &Config) -> Defaults {
    Defaults { num_partitions: config.num_partitions, replication_factor: config.default_replication_factor }
}

/// Code and message of a part of a request that was rejected, or of all of it.
pub(crate) fn outcome<R>(result: &Result<R, Rejection>) -> (ErrorCode, Option<String>) {
    match result {
        Ok(_) => (ErrorCode::None, None),
        Err(rejection) => (rejection.error_code, Some(rejection.message.clone())),
    }
}
