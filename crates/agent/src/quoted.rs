//! What a person says, and what they only show: a mail that they pasted, a log between fences, the lines of somebody that they quote.
//! The second is content like that of any page. It vouches for nothing, and stands on the conversation as foreign.

/// Signs before and behind what is shown as it is.
const FENCES: [&str; 2] = ["```", "~~~"];

/// A message, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// What the person says.
    pub(crate) own: String,
    /// What they show.
    pub(crate) shown: String,
}

impl Words {
    /// Those of a message into which these pieces were pasted.
    pub(crate) fn of(text: &str, pasted: &[String]) -> Self {
        let (mut rest, mut words) = (text.to_owned(), Self::default());
        let mut pieces: Vec<&str> = pasted.iter().map(|piece| piece.trim()).filter(|piece| !piece.is_empty()).collect();
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        for piece in pieces {
            if rest.contains(piece) {
                rest = rest.replace(piece, "\n");
                words.show(piece);
            }
        }
        let mut within = None;
        for line in rest.lines() {
            let start = line.trim_start();
            let fence = FENCES.into_iter().find(|fence| start.starts_with(fence));
            let quoted = within.is_some() || fence.is_some() || start.starts_with('>');
            if fence.is_some() && (within.is_none() || within == fence) {
                within = if within.is_none() { fence } else { None };
            }
            if quoted { words.show(line) } else { words.say(line) }
        }
        words
    }

    fn say(&mut self, line: &str) {
        self.own.push_str(line);
        self.own.push('\n');
    }

    fn show(&mut self, piece: &str) {
        self.shown.push_str(piece);
        self.shown.push('\n');
    }
}
