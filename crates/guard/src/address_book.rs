//! People whom the owner wrote down, with their addresses.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::owner_words::OwnerWords;
use crate::spelling::{fold, is_hidden};

/// Names, and what each is reached by: mail addresses, numbers, ids of chat accounts.
///
/// Where nobody else has a say in a conversation, an address in it is as good as one that the owner wrote there. Where somebody has, it
/// is so only for those whom the owner named in the conversation: a hostile letter that knows the owner's sister does not get to
/// write to her.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AddressBook(BTreeMap<String, Vec<String>>);

impl AddressBook {
    /// The names, in their order, each with its addresses.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, addresses)| (name.as_str(), addresses.as_slice()))
    }

    /// Whether the owner means this address.
    pub(crate) fn vouches(&self, address: &str, owner: &OwnerWords, alone: Alone) -> bool {
        let wanted = fold(address.trim());
        let is_there = |addresses: &[String]| addresses.iter().any(|known| fold(known.trim()) == wanted);
        let named = |name: &str, addresses: &[String]| owner.hold(name) || addresses.iter().any(|address| owner.hold(address));
        !wanted.is_empty()
            && !is_hidden(address)
            && self.iter().any(|(name, addresses)| is_there(addresses) && (alone == Alone::Yes || named(name, addresses)))
    }
}

impl FromIterator<(String, Vec<String>)> for AddressBook {
    fn from_iter<I: IntoIterator<Item = (String, Vec<String>)>>(entries: I) -> Self {
        let mut book = BTreeMap::<String, Vec<String>>::new();
        entries.into_iter().for_each(|(name, addresses)| book.entry(name).or_default().extend(addresses));
        Self(book)
    }
}

/// Whether the owner is alone in a conversation with their agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    Yes,
    No,
}
