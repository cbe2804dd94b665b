//! What becomes known by seeing a file, and what stays readable.

use crate::{Redactor, secrets_in};

fn shown(name: &str, content: &str) -> String {
    let redactor = Redactor::new();
    redactor.learn(&[secrets_in(name, content)]);
    redactor.hide(content).into_owned()
}

#[test]
fn keys_of_an_environment_file_are_not_read_out() {
    let content = "# comment with tok_0123456789\nPORT=3000\nDEBUG=true\nHOST=example.org\nAPI_KEY=\"tok_0123456789\"\nexport DB_PASSWORD=hunter22\nDATABASE_URL=postgres://app:s3cr3tpass@db.example:5432/x\nUNNAMED=Zm9vYmFyYmF6MTIzNDU2Nzg5MA\n";
    assert_eq!(
        shown(".env", content),
        "# comment with [secret]\nPORT=3000\nDEBUG=true\nHOST=example.org\nAPI_KEY=\"[secret]\"\nexport DB_PASSWORD=[secret]\nDATABASE_URL=postgres://app:[secret]@db.example:5432/x\nUNNAMED=[secret]\n"
    );
    assert_eq!(shown(".env.production", "TOKEN=abcdef123456"), "TOKEN=[secret]");
}

#[test]
fn lines_of_a_private_key_are_not_read_out() {
    let content = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n";
    assert_eq!(shown("server.pem", content), "-----BEGIN PRIVATE KEY-----\n[secret]\n[secret]\n-----END PRIVATE KEY-----\n");
}

#[test]
fn other_homes_of_secrets_are_known() {
    assert_eq!(shown(".netrc", "machine x login me password hunter22"), "machine x login me password [secret]");
    assert_eq!(
        shown("credentials.json", "{\n  \"client_secret\": \"abc-def-gh1\",\n  \"port\": 80\n}"),
        "{\n  \"client_secret\": \"[secret]\",\n  \"port\": 80\n}"
    );
}

#[test]
fn ordinary_files_and_examples_teach_nothing() {
    for name in ["main.rs", ".env.example", "notes.md"] {
        assert_eq!(shown(name, "API_KEY=tok_0123456789"), "API_KEY=tok_0123456789");
    }
}

#[test]
fn word_is_no_secret_whatever_it_is_called() {
    for value in
        ["workspace", "function", "import", "Content-Type", "AGENTS.md", "hunter2", "20240517", "internationalization", "auth.example.com"]
    {
        let content = format!("A_KEY={value}\nURL=postgres://{value}:{value}@db/x");
        assert_eq!(shown(".env", &content), content);
        let content = format!("machine x login y password {value}");
        assert_eq!(shown(".netrc", &content), content);
    }
    for value in ["hunter2hunter2", "hunter22", "correct-horse-battery-staple", "kJhGfDsAqWeRtYuIoP", "s3cr3t!x"] {
        assert_eq!(shown(".env", &format!("A_KEY={value} # mine")), "A_KEY=[secret] # mine", "{value}");
        assert_eq!(shown(".env", &format!("URL=postgres://u:{value}@db/x")), "URL=postgres://u:[secret]@db/x", "{value}");
    }
}

#[test]
fn certificate_is_no_secret_and_a_key_within_a_value_is() {
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END CERTIFICATE-----\n";
    assert_eq!(shown("ca.pem", certificate), certificate);
    assert_eq!(shown("master.key", "0123456789abcdef0123456789abcdef\n"), "[secret]\n");
    let account = "{\"type\":\"service_account\",\"private_key\":\"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\\n-----END PRIVATE KEY-----\\n\"}";
    assert_eq!(shown("credentials.json", account), account.replace("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "[secret]"));
}

#[test]
fn secret_is_found_in_the_form_of_its_file() {
    let json = "{\"installed\":{\"auth_uri\":\"https://x.example/\",\"client_secret\":\"GOCSPX-0123456789\"}}";
    assert_eq!(shown("credentials.json", json), json.replace("GOCSPX-0123456789", "[secret]"));
    assert_eq!(shown(".npmrc", "//registry.npmjs.org/:_authToken=npm_0123456789"), "//registry.npmjs.org/:_authToken=[secret]");
    assert_eq!(shown(".pgpass", "db:5432:app:me:hunter22"), "db:5432:app:me:[secret]");
    let docker = "{\n\t\"auths\": {\n\t\t\"x.example\": {\n\t\t\t\"auth\": \"bWU6aHVudGVyMjI=\"\n\t\t}\n\t}\n}";
    assert_eq!(shown("home/.docker/config.json", docker), docker.replace("bWU6aHVudGVyMjI=", "[secret]"));
    let kube = "users:\n- name: me\n  user:\n    token: eyJ0123456789.abc=\n";
    assert_eq!(shown(".kube/config", kube), kube.replace("eyJ0123456789.abc=", "[secret]"));
    assert_eq!((shown("x.docker/config.json", docker), shown("config", kube)), (docker.to_owned(), kube.to_owned()));
}

#[test]
fn file_under_a_kept_or_longer_name_is_known() {
    for name in
        [".env~", "config/production.env.bak", ".env.local.old", ".envrc", ".envrc.local", "serviceAccountKey.json", ".dockerconfigjson"]
    {
        assert_eq!(shown(name, "A_KEY=tok_0123456789"), "A_KEY=[secret]", "{name}");
    }
    assert_eq!(shown("service-account.json", "{\"token\":\"tok_0123456789\"}"), "{\"token\":\"[secret]\"}");
    assert_eq!(shown(".vault-token", "hvs.CAESIJ0123456789abcdef\n"), "[secret]\n");
    assert_eq!(shown(".htpasswd", "me:$apr1$abc$q1w2e3r4\nyou:{SHA}q1w2e3r4=\n"), "me:[secret]\nyou:[secret]\n");
    assert_eq!(shown(".netrc", "machine x login me password \"hunter22\""), "machine x login me password \"[secret]\"");
    assert_eq!(
        shown("credentials.csv", "User,Access key ID,Secret access key\nuser1234,AKIA0123456789ABCDEF,wJalr/K7MDENG\n"),
        "User,Access key ID,Secret access key\nuser1234,[secret],[secret]\n"
    );
    for name in [".env.example~", ".envrc.sample", "service_account.rs", "notes~"] {
        assert_eq!(shown(name, "A_KEY=tok_0123456789"), "A_KEY=tok_0123456789", "{name}");
    }
}

#[test]
fn comment_and_kind_of_sign_do_not_hide_a_key_from_the_reader() {
    for (line, secret) in [
        ("API_KEY=tok_0123456789abcdef # from https://dash.example", "tok_0123456789abcdef"),
        ("API_KEY='tok_012345 #6789' # mine", "tok_012345 #6789"),
        ("SMTP_PASS=Tr0ub4dor99", "Tr0ub4dor99"),
        ("smtpPass: Tr0ub4dor99", "Tr0ub4dor99"),
        ("DB_PW=Tr0ub4dor98", "Tr0ub4dor98"),
        ("export GH_TOKEN=$abc0123456789", "$abc0123456789"),
        ("HASH_KEY=$2y$10$abcdefghijk", "$2y$10$abcdefghijk"),
        ("SIGN_SECRET=/9j4AAQSkZJRgABAQ==", "/9j4AAQSkZJRgABAQ=="),
        ("SIGN_SECRET=/9j4AAQ/kZJRgABAQ==", "/9j4AAQ/kZJRgABAQ=="),
        ("SIGN_SECRET=//9j4AAQkZJRgABAQ==", "//9j4AAQkZJRgABAQ=="),
        ("a-secret: 'it''s 4 tok_012345'", "it''s 4 tok_012345"),
        ("SIGN_SECRET=.x9j4aaq7", ".x9j4aaq7"),
        ("SIGN_SECRET=<x9j4aaq7", "<x9j4aaq7"),
        ("ADMIN_PASSWORD=\"correct horse battery 9x\"", "correct horse battery 9x"),
    ] {
        assert_eq!(shown(".env", line), line.replace(secret, "[secret]"), "{line}");
    }
}

#[test]
fn what_a_telling_name_only_points_at_is_no_secret() {
    for line in [
        "A_KEY=${DB_PASSWORD_1}",
        "A_KEY=$DB_PASSWORD_1",
        "A_KEY=\"$(cat /run/secrets/db1)\"",
        "A_KEY=$HOME/.keys/number1",
        "A_KEY=/run/secrets/key1",
        "A_KEY=./certs/Key1.pem",
        "A_KEY=<your-key-no-1>",
        "AUTH_URL=https://auth2.example/v1",
        "auth-url: https://auth2.example/v1",
        "URL=postgres://u:${DB_PASSWORD_1}@h/db",
        "A_KEY=\"please read the file to the end\"",
        "A_KEY=\"step 1 of all that is to be done\"",
        "A_KEY=\"key in 2\"",
        "A_KEY=of no 2 and number1",
        "COMPASS=north123",
    ] {
        assert_eq!(shown(".env", line), line);
    }
}

#[test]
fn password_in_an_address_is_found_with_a_slash_and_a_token_without_a_user() {
    for (line, secret) in [
        ("DATABASE_URL=postgres://u:pa/ss9word1@h/db", "pa/ss9word1"),
        ("SENTRY_DSN=https://a1b2c3d4e5f60718293a@o1.ingest.example/5", "a1b2c3d4e5f60718293a"),
        ("https://ghp_0123456789abcdefghij0123@github.com", "ghp_0123456789abcdefghij0123"),
        ("https://ghp_0123456789abcdefghij0123:x-oauth-basic@github.com", "ghp_0123456789abcdefghij0123"),
        ("https://me:pa=ss9word1@github.com", "pa=ss9word1"),
        ("FROM=https://a.example,https://u:passw0rd1@h", "passw0rd1"),
    ] {
        assert_eq!(shown(".git-credentials", line), line.replace(secret, "[secret]"), "{line}");
    }
    for line in ["ORIGIN=ssh://deployer1@h/x", "ORIGIN=http://h:8080/package1@v2", "ORIGIN=https://h/package1/of/someone/else@v2"] {
        assert_eq!(shown(".env", line), line);
    }
}

#[test]
fn json_is_read_whatever_its_layout() {
    let json = "{\"type\": \"x\", \"token\": \"jsontok12345678\", \"n\": {\"password\": \"j50n pw, \\\"1234567\", \"id\": \"number-7\"}}";
    let clean = json.replace("jsontok12345678", "[secret]").replace("j50n pw, \\\"1234567", "[secret]");
    assert_eq!(shown("secrets.json", json), clean);
    assert_eq!(shown("secrets.json", &json.replace("}}", "}} // mine")), shown("secrets.json", json) + " // mine");
    let under = "{\"passwords\": {\"db\": [\"hunter22\", \"word\"], \"port\": 54321234}}";
    assert_eq!(shown("secrets.json", under), under.replace("hunter22", "[secret]"));
    assert_eq!(
        shown(".env", &format!("ALL={json}")),
        format!("ALL={json}").replace("jsontok12345678", "[secret]").replace("j50n pw, \\\"1234567", "[secret]")
    );
}

#[test]
fn short_end_of_a_private_key_is_not_read_out_and_makes_no_word_secret() {
    let key = |end: &str| {
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUA\n{end}\n-----END OPENSSH PRIVATE KEY-----\n")
    };
    assert_eq!(
        shown("id_ed25519", &key("QyNTUxOQ1w")),
        "-----BEGIN OPENSSH PRIVATE KEY-----\n[secret]\n[secret]\n-----END OPENSSH PRIVATE KEY-----\n"
    );
    for end in ["workspace", "QyNTUxOQ", "AbCdEf==", "20240517", "A1=="] {
        let redactor = Redactor::new();
        redactor.learn(&[secrets_in("id_ed25519", &key(end))]);
        assert_eq!(redactor.hide(&key(end)), "-----BEGIN OPENSSH PRIVATE KEY-----\n[secret]\n-----END OPENSSH PRIVATE KEY-----\n");
        assert_eq!(redactor.hide(end), end);
    }
    let only_words = "-----BEGIN PRIVATE KEY-----\nworkspace\nfunction\n-----END PRIVATE KEY-----\n";
    assert_eq!(shown("server.pem", only_words), only_words);
}
