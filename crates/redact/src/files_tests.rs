//! What becomes known by seeing a file, and what stays readable.

use crate::{Redactor, secrets_in};

fn shown(name: &str, content: &str) -> String {
    let redactor = Redactor::new();
    redactor.learn(&secrets_in(name, content));
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
