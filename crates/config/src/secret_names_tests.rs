use crate::secret_names::is_secret_name;

#[test]
fn number_of_tokens_is_no_secret_and_a_bot_token_is() {
    for name in [
        "token",
        "botToken",
        "BOT_TOKEN",
        "X-Api-Key",
        "apiKey",
        "apikey",
        "key",
        "clientSecret",
        "private_key",
        "appPassword",
        "Authorization",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in
        ["maxTokens", "tokenFile", "sessionKey", "publicKey", "mainKey", "keywords", "passive", "secretsDir", "", "reserveTokensFloor"]
    {
        assert!(!is_secret_name(name), "{name}");
    }
}
