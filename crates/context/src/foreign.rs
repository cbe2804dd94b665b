//! What a stored message looks like to one particular model: without the thoughts of other models, without pictures that it
//! cannot see, and without special tokens that somebody wrote into it.

use krabba_markup::neutralise;
use krabba_types::{JsonObject, Message, ModelRef, Part, TemplateFamily};
use serde_json::Value;

use crate::build::Pictures;

/// What stands for a picture that the model cannot see.
const PICTURE_STUB: &str = include_str!("../prompts/picture_stub.md");

/// Who reads the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'session> {
    pub(crate) route: &'session ModelRef,
    pub(crate) family: TemplateFamily,
    pub(crate) pictures: Pictures,
}

impl Reader<'_> {
    /// `message` as this model gets to see it. A function of the message alone, so that it looks the same in every request.
    pub(crate) fn sees(&self, message: &Message) -> Message {
        let parts = message.parts.iter().filter_map(|part| self.part(part)).collect();
        Message { role: message.role, parts }
    }

    fn part(&self, part: &Part) -> Option<Part> {
        match part {
            Part::Text(text) => Some(Part::Text(self.clean(text))),
            Part::Image(image) => match self.pictures {
                Pictures::Shown => Some(Part::Image(image.clone())),
                Pictures::Stubbed => Some(Part::Text(PICTURE_STUB.trim().to_owned())),
            },
            Part::Reasoning(reasoning) if reasoning.origin.route == *self.route => Some(Part::Reasoning(reasoning.clone())),
            Part::Reasoning(_) => None,
            Part::ToolCall(call) => {
                let mut call = call.clone();
                self.clean_object(&mut call.arguments);
                Some(Part::ToolCall(call))
            }
            Part::ToolResult(result) => {
                let mut result = result.clone();
                result.text = self.clean(&result.text);
                if self.pictures == Pictures::Stubbed {
                    result.images.drain(..).for_each(|_| {
                        result.text.push('\n');
                        result.text.push_str(PICTURE_STUB.trim());
                    });
                }
                Some(Part::ToolResult(result))
            }
        }
    }

    fn clean(&self, text: &str) -> String {
        neutralise(text, self.family).into_owned()
    }

    /// Calls are written by a model, but out of what it has read.
    fn clean_object(&self, object: &mut JsonObject) {
        for value in object.values_mut() {
            self.clean_value(value);
        }
    }

    fn clean_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.clean(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.clean_value(value)),
            Value::Object(object) => self.clean_object(object),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
