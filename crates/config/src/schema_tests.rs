use crate::shape::{Kind, Shape};

#[test]
fn keys_of_the_two_generations_are_known_with_their_meaning() {
    let text = crate::reference();
    for key in [
        "models.providers.<name>.localService.healthUrl",
        "models.providers.<name>.models[].compat.supportsDeveloperRole",
        "models.providers.<name>.timeoutSeconds",
        "models.providers.<name>.clocks.firstToken",
        "models.providers.<name>.box",
        "agents.defaults.modelPolicy.allow",
        "agents.defaults.model.fallbacks",
        "agents.list[].privacy.residency",
        "agents.defaults.limits.seconds",
        "agents.list[].limits.outputTokens",
        "agents.entries.<name>.model.primary",
        "auth.profiles.<name>.apiKey",
        "privacy.residency",
    ] {
        let row =
            text.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap_or_else(|| panic!("{key} is missing from\n{text}"));
        assert!(!row.ends_with("|  |"), "{key} is not explained: {row}");
    }
}

#[test]
fn only_what_a_thing_cannot_be_without_is_required() {
    let required: Vec<String> = crate::reference()
        .lines()
        .filter(|line| line.contains("| required |"))
        .map(|line| line.split('`').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        required,
        [
            "models.providers.<name>.localService.command",
            "models.providers.<name>.models[].id",
            "agents.list[].id",
            "auth.profiles.<name>.provider",
        ]
    );
}

#[test]
fn reference_and_schema_are_the_same_every_time() {
    assert_eq!(crate::reference(), crate::reference());
    assert_eq!(crate::schema(), crate::schema());
}

#[test]
fn every_secret_of_the_schema_is_blanked_in_a_line_too() {
    fn walk(key: &str, shape: &Shape) {
        match &shape.kind {
            _ if shape.secret => assert!(crate::secret_names::is_secret_name(key) || crate::secret_names::holds_only_secrets(key), "{key}"),
            Kind::Object(fields) => fields.fields.iter().for_each(|(key, shape)| walk(key, shape)),
            Kind::Map(value) => walk(key, value),
            Kind::List(item) => walk(key, item),
            Kind::Choice(shapes) => shapes.iter().for_each(|shape| walk(key, shape)),
            Kind::Any | Kind::Bool | Kind::Number(_) | Kind::Text(_) => {}
        }
    }
    walk("", Shape::root());
}
