//! Functions that are added and removed.

use std::fs;

use crate::tree::{Tree, text};

const NAME: &str = "func-api-device-count-get";

#[test]
fn a_tenth_function_is_added_to_everything_and_removed_again() {
    let tree = Tree::of_nine();
    let before = tree.snapshot();
    tree.succeeds(&["add", NAME]);
    tree.succeeds(&["--check"]);
    let after = tree.snapshot();
    let own = |file: &str| file.starts_with(&format!("lambdas/{NAME}/"));
    let made: Vec<_> = after.keys().filter(|file| own(file)).map(|file| file.rsplit('/').next().unwrap()).collect();
    let expected = ["Cargo.toml", "function.toml", "lib.rs", "main.rs", "template.yaml", "binary.rs", "event.json"];
    assert_eq!(made, expected);
    let changed = after.iter().filter(|(file, text)| !own(file) && before.get(*file) != Some(text));
    let changed: Vec<_> = changed.map(|(file, _)| file.as_str()).collect();
    assert_eq!(
        changed,
        [
            ".github/workflows/delete-all.yml",
            ".github/workflows/delete-func-api-device-count-get.yml",
            ".github/workflows/deploy-all.yml",
            ".github/workflows/deploy-func-api-device-count-get.yml",
            "Cargo.toml",
            "crates/firefly-deploy/src/graph/functions.rs",
            "crates/firefly-functions/Cargo.toml",
            "crates/firefly-functions/src/list.rs",
            "samconfig.toml",
            "stacks/bootstrap.yaml",
            "stacks/observability.yaml",
            "template.yaml",
        ]
    );
    let description = "description = \"GET /device-count: says that it is there\"";
    assert!(after[&format!("lambdas/{NAME}/Cargo.toml")].contains(description));

    tree.succeeds(&["remove", NAME]);
    assert!(tree.snapshot() == before);
    assert!(!tree.path(&format!("lambdas/{NAME}")).exists());
}

#[test]
fn the_route_comes_from_the_name_or_is_given() {
    for (arguments, route) in [
        (&["func-api-device-count-get"][..], "GET /device-count"),
        (&["func-api-reports-post", "--caller", "anyone"], "POST /reports"),
        (&["func-api-devices-state-put", "--caller", "device"], "PUT /devices/{uuid}/state"),
        (&["func-api-state-patch", "--caller", "device"], "PATCH /devices/{uuid}/state"),
        (&["func-api-x", "--route", "DELETE /x/{y}"], "DELETE /x/{y}"),
    ] {
        let tree = Tree::copy();
        tree.succeeds(&[&["add"], arguments].concat());
        let folder = format!("lambdas/{}", arguments[0]);
        assert!(tree.read(&format!("{folder}/function.toml")).starts_with(&format!("route = \"{route}\"\n")));
        assert!(tree.read(&format!("{folder}/template.yaml")).contains(&format!("      RouteKey: {route}\n")));
        let event: serde_json::Value = serde_json::from_str(&tree.read(&format!("{folder}/tests/event.json"))).unwrap();
        assert_eq!(event["routeKey"], route);
        assert!(!event["rawPath"].as_str().unwrap().contains('{'), "{event}");
    }
}

#[test]
fn a_method_of_its_own_is_allowed_to_pages_of_other_origins() {
    let tree = Tree::copy();
    tree.succeeds(&["add", "func-api-x-put"]);
    assert!(
        tree.read("stacks/api-gateway.yaml").contains("- GET\n          - POST\n          - PUT\n          - DELETE\n")
    );
}

#[test]
fn a_name_that_is_taken_or_malformed_is_not_added() {
    let tree = Tree::copy();
    let form = "func-api- and words of small letters and digits, each beginning with a letter, joined by -, 51 characters \
                at most";
    tree.fails(
        &["add", "func-api-health-get"],
        &["lambdas/func-api-health-get: is there already; allowed is a name of its own"],
    );
    let of_length = |length: usize| format!("func-api-{}-get", "a".repeat(length - "func-api--get".len()));
    let long = of_length(52);
    for name in
        ["", "health", "func-x-get", "func-api-X-get", "func-api-x--get", "func-api-x_y", "../func-api-x-get", &long]
    {
        tree.fails(&["add", name], &[&format!("lambdas/{name}: is no function's name; allowed is {form}")]);
    }
    tree.fails(
        &["add", "func-api-things"],
        &["lambdas/func-api-things: names no route; allowed are words of the path before one of get, post, put, patch, delete, or --route \
           'METHOD /path'"],
    );
    let route =
        "METHOD /path, METHOD one of GET, POST, PUT, PATCH, DELETE, the path of segments such as devices or {uuid}";
    tree.fails(
        &["add", "func-api-things", "--route", "things"],
        &[&format!("lambdas/func-api-things, route: is \"things\"; allowed is {route}")],
    );
    tree.fails(
        &["add", "func-api-things", "--route", "GET /health"],
        &["lambdas/func-api-things/function.toml, route: GET /health is lambdas/func-api-health-get/function.toml's, too; \
           allowed is a route of its own"],
    );
    tree.succeeds(&["add", &of_length(51)]);
}

#[test]
fn an_unknown_function_is_not_removed() {
    let tree = Tree::copy();
    for name in ["func-api-old-get", "..", "", "func-api-health-get/src"] {
        let output = tree.run(&["remove", name]);
        let stderr = text(&output.stderr);
        let expected =
            format!("firefly-render: lambdas/{name}: is not there; there are func-api-devices-backup-delete, ");
        assert!(output.status.code() == Some(1) && stderr.starts_with(&expected), "{stderr}");
        assert_eq!(stderr.lines().count(), 1);
    }
    tree.succeeds(&["--check"]);
}

#[test]
fn a_broken_function_is_removed_and_one_among_broken_ones_stays() {
    let tree = Tree::copy();
    tree.write("lambdas/func-api-health-get/function.toml", "route");
    tree.fails(
        &["remove", "func-api-devices-get"],
        &["lambdas/func-api-health-get/function.toml, line 1: is not TOML: key with no value, expected `=`"],
    );
    tree.succeeds(&["remove", "func-api-health-get"]);
    tree.succeeds(&["--check"]);
    fs::create_dir(tree.path("lambdas/func-api-empty-get")).unwrap();
    tree.succeeds(&["remove", "func-api-empty-get"]);
}
