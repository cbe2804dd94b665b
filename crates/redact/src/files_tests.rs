//! What becomes known by seeing a file, and what stays readable.

use crate::Redactor;

fn shown(name: &str, content: &str) -> String {
    let redactor = Redactor::new();
    redactor.learn(name, content);
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
        shown("credentials.json", "{\n  \"client_secret\": \"abc-def-ghi\",\n  \"port\": 80\n}"),
        "{\n  \"client_secret\": \"[secret]\",\n  \"port\": 80\n}"
    );
}

#[test]
fn ordinary_files_and_examples_teach_nothing() {
    for name in ["main.rs", ".env.example", "notes.md"] {
        assert_eq!(shown(name, "API_KEY=tok_0123456789"), "API_KEY=tok_0123456789");
    }
}
