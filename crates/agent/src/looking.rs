//! A model that sees, for a tool that has a picture and a question about it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_context::message_tokens;
use krabba_route::{Ask, Prepared, Prompt, TooLarge};
use krabba_tool::{Eyes, Seen};
use krabba_types::{Calling, Image, Message, ModelRef, ModelRequest, Params, Part, Role, RouteFacts, Thinking};

use crate::agent::Shared;
use crate::aside::aside;
use crate::prompt::sees;

/// The longest answer about a picture, in tokens.
const LONGEST: u32 = 1_000;

/// Asks whom the conversation may be told to.
pub(crate) struct Looking {
    pub(crate) shared: Arc<Shared>,
    pub(crate) ask: Ask,
}

impl std::fmt::Debug for Looking {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Looking").field("ask", &self.ask).finish_non_exhaustive()
    }
}

impl Looking {
    async fn see(&self, image: Image, question: String) -> Result<Seen, String> {
        let Shared { router, settings, .. } = &*self.shared;
        let mut plan = router.plan(&self.ask);
        plan.candidates.retain(|candidate| sees(&router.facts(&settings.id, &candidate.reference)));
        if plan.candidates.is_empty() {
            return Err(
                "no model that may be asked is known to see pictures; the owner can name one as agents.defaults.imageModel".to_owned()
            );
        }
        let told = aside(router, plan, Arc::new(Question { image, question })).await?;
        match told.by {
            Some((by, residency)) if !told.text.trim().is_empty() => Ok(Seen { by, residency, text: told.text }),
            Some((by, _)) => Err(format!("{by} said nothing about the picture")),
            None => Err("nobody looked at the picture".to_owned()),
        }
    }
}

impl Eyes for Looking {
    fn look<'a>(&'a self, image: Image, question: String) -> BoxFuture<'a, Result<Seen, String>> {
        self.see(image, question).boxed()
    }
}

struct Question {
    image: Image,
    question: String,
}

impl Prompt for Question {
    fn request(&self, reference: &ModelRef, facts: &RouteFacts) -> Result<Prepared, TooLarge> {
        let question = krabba_markup::neutralise(&self.question, facts.family).into_owned();
        let message = Message { role: Role::User, parts: vec![Part::Text(question), Part::Image(self.image.clone())] };
        let estimate = message_tokens(&message);
        let (needed, window) = (estimate.saturating_add(LONGEST), facts.window.value);
        if needed > window {
            return Err(TooLarge { needed, window });
        }
        let request = ModelRequest {
            model: reference.model.clone(),
            messages: vec![message],
            tools: Vec::new(),
            calling: Calling::default(),
            max_output_tokens: Some(LONGEST),
            thinking: Thinking::Off,
            params: Params::default(),
        };
        Ok(Prepared { request, estimate, cut: None })
    }
}
