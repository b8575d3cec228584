//! A broken `function.toml`: one line with file, member and what is allowed, exit 1, nothing written.

use crate::tree::Tree;

const NAME: &str = "func-api-devices-get";
const FILE: &str = "lambdas/func-api-devices-get/function.toml";

/// Asserts how rendering fails after an edit of a `function.toml`.
#[track_caller]
fn assert_refused(old: &str, new: &str, place: &str, problem: &str) {
    let tree = Tree::copy();
    tree.edit(FILE, old, new);
    // Something that would be written.
    tree.write("samconfig.toml", &tree.read("samconfig.toml").replace("on_failure", "off_failure"));
    let line = format!("{FILE}, {place}: {problem}");
    tree.fails(&[], &[&line]);
    tree.fails(&["--check"], &[&line]);
}

#[test]
fn a_text_that_is_not_toml_is_refused_with_its_line() {
    assert_refused("memory = 256", "memory : 256", "line 4", "is not TOML: key with no value, expected `=`");
    assert_refused("memory = 256", "route = \"GET /x\"", "line 4", "is not TOML: duplicate key");
}

#[test]
fn an_unknown_member_is_refused() {
    let known = "route, caller, summary, memory, timeout, statuses, grant";
    assert_refused("memory =", "size = 1\nmemory =", "size", &format!("is no member; there are {known}"));
    let known = "on, resource, actions, when, reason, access";
    let problem = format!("is no member; there are {known}");
    assert_refused("on = \"devices\"\n", "on = \"devices\"\nto = 1\n", "grant[0].to", &problem);
}

#[test]
fn a_missing_member_is_refused() {
    let route =
        "METHOD /path, METHOD one of GET, POST, PUT, PATCH, DELETE, the path of segments such as devices or {uuid}";
    for (line, member, allowed) in [
        ("route = \"GET /devices\"\n", "route", route),
        ("caller = \"super_user\"\n", "caller", "anyone, device, key, user, super_user"),
        ("summary = \"lists the registered devices to members of super_users\"\n", "summary", "texts of one line"),
        ("memory = 256\n", "memory", "256 to 512 (MiB)"),
        ("timeout = 25\n", "timeout", "5 to 29 (seconds)"),
        ("statuses = [200, 400, 403]\n", "statuses", "HTTP statuses from 200 to 599"),
        (
            "actions = [\"dynamodb:BatchGetItem\", \"dynamodb:Scan\"]\n",
            "grant[0].actions",
            "IAM actions such as dynamodb:GetItem",
        ),
    ] {
        assert_refused(line, "", member, &format!("is missing; allowed are {allowed}"));
    }
}

#[test]
fn an_unknown_caller_is_refused() {
    let problem = "is \"admin\"; allowed are anyone, device, key, user, super_user";
    assert_refused("\"super_user\"", "\"admin\"", "caller", problem);
    let problem = "allowed is a text of one line, without spaces around it";
    assert_refused("\"super_user\"", "7", "caller", problem);
}

#[test]
fn a_device_on_a_path_without_uuid_is_refused() {
    let problem = "is \"device\" on GET /devices; allowed is a path with {uuid}, the device that signs";
    assert_refused("\"super_user\"", "\"device\"", "caller", problem);
}

#[test]
fn a_memory_size_out_of_range_is_refused() {
    for bad in ["0", "128", "255", "513", "10241", "-1", "256.0", "\"256\"", "99999999999999999"] {
        let problem = format!("is {bad}; allowed are 256 to 512 (MiB)");
        assert_refused("memory = 256", &format!("memory = {bad}"), "memory", &problem);
    }
}

#[test]
fn a_timeout_out_of_range_is_refused() {
    for bad in ["0", "4", "30", "900"] {
        let problem = format!("is {bad}; allowed are 5 to 29 (seconds)");
        assert_refused("timeout = 25", &format!("timeout = {bad}"), "timeout", &problem);
    }
}

#[test]
fn a_malformed_route_is_refused() {
    for bad in [
        "/devices",
        "GET",
        "GET devices",
        "get /devices",
        "GET  /devices",
        "GET /",
        "GET /devices/",
        "GET //x",
        "ANY /x",
        "OPTIONS /x",
        "GET /x y",
        "GET /{a",
        "GET /{a}/{a}",
        "GET /{}",
        "GET /{a-b}",
        "GET /x?y=1",
        "GET /x#",
        "GET /%41",
        "GET /..",
        "GET /{proxy+}",
        "$default",
    ] {
        let problem = format!(
            "is {bad:?}; allowed is METHOD /path, METHOD one of GET, POST, PUT, PATCH, DELETE, the path of segments such \
             as devices or {{uuid}}"
        );
        let problem = problem.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_refused("\"GET /devices\"", &format!("{bad:?}"), "route", &problem);
    }
}

#[test]
fn two_functions_with_one_route_are_refused() {
    let taken = |route: &str| {
        format!("{route} is lambdas/func-api-devices-backup-get/function.toml's, too; allowed is a route of its own")
    };
    for route in ["GET /devices/{uuid}/backup", "GET /devices/{id}/backup"] {
        assert_refused("\"GET /devices\"", &format!("{route:?}"), "route", &taken(route));
    }
}

#[test]
fn a_trigger_beside_routes_is_refused_for_now() {
    for trigger in ["queue = \"reports\"", "schedule = \"rate(1 hour)\"", "event = { source = \"aws.iot\" }"] {
        let member = trigger.split(' ').next().unwrap();
        let problem = "is a trigger that cannot be rendered yet; allowed is route";
        assert_refused("route = \"GET /devices\"\ncaller = \"super_user\"", trigger, member, problem);
    }
}

#[test]
fn malformed_or_unordered_statuses_are_refused() {
    let allowed = "allowed is HTTP statuses from 200 to 599";
    for bad in ["[]", "200", "\"200\""] {
        assert_refused("[200, 400, 403]", bad, "statuses", &format!("is {bad}; {allowed}"));
    }
    for (bad, item) in [("[200, 700]", "700"), ("[199]", "199"), ("[\"200\"]", "\"200\"")] {
        assert_refused("[200, 400, 403]", bad, "statuses", &format!("has {item}; {allowed}"));
    }
    for bad in ["[400, 200]", "[200, 200]"] {
        let problem = format!("is {bad}; allowed are statuses in ascending order");
        assert_refused("[200, 400, 403]", bad, "statuses", &problem);
    }
}

#[test]
fn a_summary_of_several_lines_is_refused() {
    let problem = "allowed is a text of one line, without spaces around it";
    for bad in ["\"\"", "\" x\"", "\"x \"", "\"a\\nb\"", "\"\"\"\na\nb\"\"\"", "[]"] {
        let text = "\"lists the registered devices to members of super_users\"";
        assert_refused(text, bad, "summary", problem);
    }
}

#[test]
fn a_grant_on_an_unknown_store_is_refused() {
    let targets = "backups, backups/*, devices, devices/index/product_hex-keys-index, registration-keys";
    for bad in ["device", "devices/*", "devices/index/uuid-index", "devices/index", "backups/x", "backups/index/x"] {
        let problem = format!("is {bad:?}; allowed are {targets}");
        assert_refused("on = \"devices\"\n", &format!("on = {bad:?}\n"), "grant[0].on", &problem);
    }
    let problem = format!("is missing; allowed are {targets}, or resource = an ARN");
    assert_refused("on = \"devices\"\n", "", "grant[0].on", &problem);
    let problem = "stands beside on; allowed is one of them";
    assert_refused("on = \"devices\"\n", "on = \"devices\"\nresource = \"arn:x\"\n", "grant[0].resource", problem);
    let problem = "is \"*\"; allowed is an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, of which region and account \
                   may be empty";
    assert_refused("on = \"devices\"\n", "resource = \"*\"\n", "grant[0].resource", problem);
    let problem = "is what another grant is on; allowed is one grant for each";
    assert_refused("\"devices/index/product_hex-keys-index\"", "\"devices\"", "grant[1].on", problem);
}

#[test]
fn a_grant_of_no_action_or_of_a_pattern_is_refused() {
    let allowed = "allowed is IAM actions such as dynamodb:GetItem";
    let actions = "[\"dynamodb:BatchGetItem\", \"dynamodb:Scan\"]";
    assert_refused(actions, "[]", "grant[0].actions", &format!("is []; {allowed}"));
    for bad in ["dynamodb:*", "dynamodb:Get*", "*", "Scan", "s3:GetObject", "dynamodb:", "dynamodb:Scan "] {
        let problem = format!("has {bad:?}; {allowed}");
        assert_refused(actions, &format!("[{bad:?}]"), "grant[0].actions", &problem);
    }
    let problem = "has dynamodb:Scan twice; allowed is once";
    assert_refused(actions, "[\"dynamodb:Scan\", \"dynamodb:Scan\"]", "grant[0].actions", problem);
}

#[test]
fn a_grant_that_is_not_a_table_is_refused() {
    let problem = "allowed are tables, each under [[grant]]";
    let tree = Tree::copy();
    let text = tree.read(FILE);
    tree.write(FILE, &format!("grant = [1]\n{}", text.split("\n[[grant]]").next().unwrap()));
    tree.fails(&[], &[&format!("{FILE}, grant: {problem}")]);
}

#[test]
fn a_name_that_an_alarm_would_confuse_is_refused() {
    let tree = Tree::copy();
    tree.write("lambdas/func-api-requests-get/Cargo.toml", &tree.read(&format!("lambdas/{NAME}/Cargo.toml")));
    let text = tree.read("lambdas/func-api-devices-registration-get/function.toml");
    tree.write("lambdas/func-api-requests-get/function.toml", &text.replace("/registration", "/requests"));
    let line = "lambdas/func-api-requests-get: a device's function cannot be called requests: an alarm finds its metrics by \
                that word";
    tree.fails(&[], &[line]);
}

#[test]
fn words_of_an_access_that_are_not_words_are_refused() {
    let problem = "is \"a\\\"b\"; allowed are words of small letters";
    assert_refused("on = \"devices\"\n", "on = \"devices\"\naccess = 'a\"b'\n", "grant[0].access", problem);
}

#[test]
fn a_member_of_two_lines_is_named_in_one() {
    let known = "route, caller, summary, memory, timeout, statuses, grant";
    assert_refused("memory =", "\"a\\nb\" = 1\nmemory =", "a b", &format!("is no member; there are {known}"));
}

#[test]
fn a_summary_longer_than_cloudformation_takes_is_refused() {
    let summary = "lists the registered devices to members of super_users";
    let name = "firefly-func-api-devices-get - GET /devices - ";
    let longest = "x".repeat(1024 - name.len());
    let tree = Tree::copy();
    tree.edit(FILE, summary, &longest);
    tree.succeeds(&[]);
    let problem = "makes a description of 1025 bytes; allowed are 1024, CloudFormation's limit";
    assert_refused(summary, &format!("{longest}x"), "summary", problem);
}

#[test]
fn a_condition_that_iam_would_not_read_is_refused() {
    let form = "{ OPERATOR = { KEY = VALUE } }, such as { StringLike = { \"s3:prefix\" = [\"firmware/*\"] } }, each at least once";
    for bad in [
        "{}",
        "{ StringLike = {} }",
        "{ StringLike = \"x\" }",
        "{ StringLike = { key = 7 } }",
        "{ StringLike = { key = [] } }",
        "{ StringLike = { key = [7] } }",
        "{ StringLike = { \"\" = \"x\" } }",
        "{ \"String Like\" = { key = \"x\" } }",
        "{ \"ForAllValues:\" = { key = \"x\" } }",
    ] {
        let tree = Tree::copy();
        tree.edit(FILE, "on = \"devices\"\n", &format!("on = \"devices\"\nwhen = {bad}\n"));
        tree.fails(&[], &[&format!("{FILE}, grant[0].when: is {bad}; allowed is {form}")]);
    }
    let tree = Tree::copy();
    let good = "when = { \"ForAnyValue:StringEquals\" = { key = [\"x\", \"y\"] }, Bool = { \"aws:SecureTransport\" = \"true\" } }";
    tree.edit(FILE, "on = \"devices\"\n", &format!("on = \"devices\"\n{good}\n"));
    tree.succeeds(&[]);
}

#[test]
fn a_resource_that_is_not_an_arn_is_refused() {
    let form = "an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, of which region and account may be empty";
    for bad in ["arn:", "arn:aws:sqs", "arn:aws:sqs:::", "arn::sqs:::queue", "arn:aws::::queue", "queue", "*"] {
        let tree = Tree::copy();
        tree.edit(FILE, "on = \"devices\"\n", &format!("resource = {bad:?}\n"));
        tree.fails(&[], &[&format!("{FILE}, grant[0].resource: is {bad:?}; allowed is {form}")]);
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused() {
    let tree = Tree::copy();
    std::fs::remove_file(tree.path(FILE)).unwrap();
    let made = std::process::Command::new("mkfifo").arg(tree.path(FILE)).status().unwrap();
    assert!(made.success());
    let output = tree.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(crate::tree::text(&output.stderr), format!("firefly-render: {FILE}: is not a file\n"));
}
