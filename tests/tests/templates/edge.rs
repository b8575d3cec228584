//! The optional stack in front of the API.

use firefly_templates::{members, tagged, texts};
use serde_yaml_ng::Value;

use super::document::Document;

/// The statuses of errors that CloudFront keeps for ten seconds unless it is told otherwise. Source: Amazon CloudFront
/// Developer Guide, "How CloudFront caches HTTP 4xx and 5xx status codes from your origin".
const KEPT_ERRORS: [u64; 11] = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];
/// The id of AWS's cache policy CachingDisabled.
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

fn edge() -> Document {
    Document::of_file("stacks/edge.yaml")
}

fn distribution(edge: &Document) -> Value {
    edge.resource("Distribution")["Properties"]["DistributionConfig"].clone()
}

#[test]
fn the_edge_keeps_and_compresses_nothing_and_forwards_everything() {
    let edge = edge();
    let config = distribution(&edge);
    let behavior = &config["DefaultCacheBehavior"];
    assert_eq!(behavior["CachePolicyId"].as_str(), Some(CACHING_DISABLED));
    assert_eq!(behavior["Compress"].as_bool(), Some(false));
    assert_eq!(behavior["ViewerProtocolPolicy"].as_str(), Some("https-only"));
    assert_eq!(texts(&behavior["AllowedMethods"]).len(), 7);
    assert!(config.get("CacheBehaviors").is_none());
    let policy = tagged(&behavior["OriginRequestPolicyId"], "!Ref").and_then(Value::as_str).unwrap();
    let policy = &edge.resource(policy)["Properties"]["OriginRequestPolicyConfig"];
    assert_eq!(policy["HeadersConfig"]["HeaderBehavior"].as_str(), Some("allViewerAndWhitelistCloudFront"));
    assert_eq!(texts(&policy["HeadersConfig"]["Headers"]), ["CloudFront-Viewer-Address"]);
    assert_eq!(policy["QueryStringsConfig"]["QueryStringBehavior"].as_str(), Some("all"));
    assert_eq!(policy["CookiesConfig"]["CookieBehavior"].as_str(), Some("all"));

    let errors = config["CustomErrorResponses"].as_sequence().unwrap();
    let kept_for = |error: &Value| {
        // With a page of its own it would replace the API's answer.
        assert_eq!(members(error).count(), 2, "{error:?}");
        (error["ErrorCode"].as_u64().unwrap(), error["ErrorCachingMinTTL"].as_u64())
    };
    assert_eq!(errors.iter().map(kept_for).collect::<Vec<_>>(), KEPT_ERRORS.map(|status| (status, Some(0))));
}

#[test]
fn the_edge_sends_its_secret_to_the_api_once_and_over_tls() {
    let edge = edge();
    let config = distribution(&edge);
    let [origin] = &config["Origins"].as_sequence().unwrap()[..] else { panic!("there is one API") };
    assert_eq!(config["DefaultCacheBehavior"]["TargetOriginId"], origin["Id"]);
    assert_eq!(origin["ConnectionAttempts"].as_u64(), Some(1));
    assert_eq!(origin["CustomOriginConfig"]["OriginProtocolPolicy"].as_str(), Some("https-only"));
    assert_eq!(texts(&origin["CustomOriginConfig"]["OriginSSLProtocols"]), ["TLSv1.2"]);
    assert!(origin["CustomOriginConfig"]["OriginReadTimeout"].as_u64() > Some(29));
    let [header] = &origin["OriginCustomHeaders"].as_sequence().unwrap()[..] else { panic!("it has one header") };
    assert_eq!(header["HeaderName"].as_str(), Some("X-FireFly-Edge"));
    let secret = tagged(&header["HeaderValue"], "!Sub").and_then(Value::as_str).unwrap();
    assert_eq!(secret, "{{resolve:secretsmanager:${OriginSecret}:SecretString:::${OriginSecretVersion}}}");
    // Nobody chooses it, and no output or parameter shows it.
    let made = &edge.resource("OriginSecret")["Properties"];
    assert!(made["GenerateSecretString"]["PasswordLength"].as_u64() >= Some(43), "256 bits of 62 characters");
    assert!(made.get("SecretString").is_none());
    for (name, output) in edge.section("Outputs") {
        assert!(!format!("{output:?}").contains("resolve"), "{name}");
    }
    let certificate = &config["ViewerCertificate"];
    assert_eq!(certificate["MinimumProtocolVersion"].as_str(), Some("TLSv1.2_2021"));
    assert_eq!(certificate["SslSupportMethod"].as_str(), Some("sni-only"));
}

#[test]
fn the_edge_refuses_an_address_that_sends_too_much_as_the_api_would() {
    let edge = edge();
    let firewall = &edge.resource("WebAcl")["Properties"];
    assert_eq!(firewall["Scope"].as_str(), Some("CLOUDFRONT"));
    assert!(firewall["DefaultAction"].get("Allow").is_some());
    assert_eq!(tagged(&distribution(&edge)["WebACLId"], "!GetAtt").and_then(Value::as_str), Some("WebAcl.Arn"));
    let [rule] = &firewall["Rules"].as_sequence().unwrap()[..] else { panic!("there is one rule") };
    let rate = &rule["Statement"]["RateBasedStatement"];
    assert_eq!(rate["AggregateKeyType"].as_str(), Some("IP"));
    assert_eq!(tagged(&rate["Limit"], "!Ref").and_then(Value::as_str), Some("RequestLimit"));
    let refusal = &rule["Action"]["Block"]["CustomResponse"];
    assert_eq!(refusal["ResponseCode"].as_u64(), Some(429));
    let header = &refusal["ResponseHeaders"][0];
    assert_eq!(header["Name"].as_str(), Some("Retry-After"));
    let seconds: u64 = header["Value"].as_str().unwrap().parse().unwrap();
    assert_eq!(Some(seconds), rate["EvaluationWindowSec"].as_u64());
    let body = &firewall["CustomResponseBodies"][refusal["CustomResponseBodyKey"].as_str().unwrap()];
    assert_eq!(body["ContentType"].as_str(), Some("APPLICATION_JSON"));
    let content = body["Content"].as_str().unwrap();
    assert!(content.len() < 255);
    let json: serde_json::Value = serde_json::from_str(content).unwrap();
    assert_eq!(json["code"], "too_many_requests");
    assert!(json["message"].is_string());
    // Samples would show signatures and tokens.
    for visible in [&firewall["VisibilityConfig"], &rule["VisibilityConfig"]] {
        assert_eq!(visible["SampledRequestsEnabled"].as_bool(), Some(false));
    }
}

#[test]
fn the_domain_leads_to_the_edge_where_there_is_one() {
    let document = Document::of_stack("api-gateway");
    let target = &document.resource("DomainRecord")["Properties"]["AliasTarget"];
    let choice = |member: &str| tagged(&target[member], "!If").unwrap().clone();
    let (name, zone) = (choice("DNSName"), choice("HostedZoneId"));
    assert_eq!((name[0].as_str(), zone[0].as_str()), (Some("HasEdge"), Some("HasEdge")));
    assert_eq!(tagged(&name[1], "!Ref").and_then(Value::as_str), Some("EdgeDomainName"));
    // CloudFront's zone. Source: CloudFormation Template Reference, AWS::Route53::RecordSet AliasTarget.
    assert_eq!(zone[1].as_str(), Some("Z2FDTNDATAQYW2"));
    assert_eq!(tagged(&name[2], "!GetAtt").and_then(Value::as_str), Some("Domain.RegionalDomainName"));
    assert_eq!(tagged(&zone[2], "!GetAtt").and_then(Value::as_str), Some("Domain.RegionalHostedZoneId"));
    // What the edge is told is what the API gives.
    let given = document.section("Outputs").any(|(name, _)| name == "OriginDomainName");
    assert!(given && edge().section("Parameters").any(|(name, _)| name == "OriginDomainName"));
}
