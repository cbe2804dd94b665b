//! Ids of tool calls.

use krabba_types::CallId;

const ALPHABET: [char; 62] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'A',
    'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', '0', '1',
    '2', '3', '4', '5', '6', '7', '8', '9',
];

/// A fresh id: nine letters and digits, the only form that Mistral's templates accept and that no other server refuses. The
/// server's own id is not used; it may be blank, repeated within one answer, or a UUID that the next template rejects.
pub(crate) fn fresh() -> CallId {
    let random = getrandom::u64().unwrap_or_else(|_| fallback());
    let mut rest = random;
    let text: String = (0..9)
        .map(|_| {
            let digit = usize::try_from(rest % 62).unwrap_or_default();
            rest /= 62;
            ALPHABET.get(digit).copied().unwrap_or('a')
        })
        .collect();
    CallId::new(text)
}

/// Without a source of randomness the clock must do: calls of one session are nanoseconds apart at least.
fn fallback() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap_or_default()
}
