//! A function's template.

use std::fmt::Write as _;

use firefly_templates::Caller;

use crate::error::Error;
use crate::function::FunctionToml;
use crate::grant::{Grant, Target};
use crate::store::{Kind, Store};
use crate::{extra, yaml};

/// The text of `lambdas/NAME/template.yaml`.
pub(crate) fn text(function: &FunctionToml, stores: &[Store]) -> Result<String, Error> {
    let used: Vec<_> = function.stores(stores).collect();
    let template = [
        head(function),
        parameters(function, &used),
        conditions(&used),
        "\nResources:\n".to_owned(),
        log_group(function),
        role(function, stores),
        lambda(function, &used),
        route(function),
    ];
    extra::merge(function, template.concat())
}

fn head(function: &FunctionToml) -> String {
    let extra = if function.extra.is_some() { " and extra.yaml" } else { "" };
    format!(
        "# Rendered by firefly-render from function.toml{extra}; do not edit.\n\
         AWSTemplateFormatVersion: '2010-09-09'\n\
         Transform: AWS::Serverless-2016-10-31\n\
         Description: {}\n",
        yaml::scalar(&function.description())
    )
}

/// The parameters that every function has, after those of its API.
const COMMON_PARAMETERS: &str = "  SharedLayerArn:
    Type: String
    Description: Layer holding firefly/defaults.json (output SharedLayerArn of firefly-shared-layer); empty attaches none
    Default: ''
  AppConfigExtensionLayerArn:
    Type: String
    Description: AWS AppConfig Lambda extension for arm64 in this region; empty attaches none and AppConfig is asked directly
    Default: ''
  AppConfigEnv:
    Type: String
    Description: AppConfig environment to read the log level from; empty reads no AppConfig
    Default: ''
  EdgeSecretSha256:
    Type: String
    Description: SHA-256 of the secret that firefly-edge sends, or two with a comma between; empty serves requests from anywhere
    Default: ''
    AllowedPattern: '([0-9A-Fa-f]{64}(,[0-9A-Fa-f]{64})?)?'
    ConstraintDescription: One or two SHA-256 digests of 64 hex digits each, separated by a comma, or nothing
  LogRetentionDays:
    Type: Number
    Description: Days that log events are kept
    Default: 30
    AllowedValues: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
  PermissionsBoundaryArn:
    Type: String
    Description: The most that the role can allow (output PermissionsBoundaryArn of firefly-bootstrap); empty sets no limit
    Default: ''
";

fn parameters(function: &FunctionToml, used: &[&Store]) -> String {
    let mut out = "
Parameters:
  ApiId:
    Type: String
    Description: HTTP API that the route is added to (output ApiId of firefly-api-gateway)
    MinLength: 1
"
    .to_owned();
    if function.caller.has_token() {
        out.push_str(
            "  AuthorizerId:
    Type: String
    Description: JWT authorizer of that API (output AuthorizerId of firefly-api-gateway)
    MinLength: 1
",
        );
    }
    out.push_str(COMMON_PARAMETERS);
    for store in used {
        if let Kind::Bucket { parameter, default, .. } = &store.kind {
            let default = default.replace("${AWS::AccountId}", "ACCOUNT").replace("${AWS::Region}", "REGION");
            let description = yaml::scalar(&format!("Bucket of the {}; empty means {default}", store.name));
            let _ = write!(
                out,
                "  {parameter}:
    Type: String
    Description: {description}
    Default: ''
    AllowedPattern: (firefly-[a-z0-9.-]{{1,55}})?
    ConstraintDescription: the name of a bucket that begins with firefly-
"
            );
        }
    }
    out
}

fn conditions(used: &[&Store]) -> String {
    let mut out = "
Conditions:
  HasSharedLayer: !Not [!Equals [!Ref SharedLayerArn, '']]
  HasAppConfigExtension: !Not [!Equals [!Ref AppConfigExtensionLayerArn, '']]
  HasPermissionsBoundary: !Not [!Equals [!Ref PermissionsBoundaryArn, '']]
"
    .to_owned();
    for store in used {
        if let Kind::Bucket { parameter, condition, .. } = &store.kind {
            let _ = writeln!(out, "  {condition}: !Equals [!Ref {parameter}, '']");
        }
    }
    out
}

fn log_group(function: &FunctionToml) -> String {
    format!(
        "  FunctionLogGroup:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Metadata:
      checkov:
        skip:
          - id: CKV_AWS_158
            comment: No secret, key, signature or backup content is ever logged; the service's own encryption at rest is enough.
    Properties:
      LogGroupName: /aws/lambda/firefly-{}
      RetentionInDays: !Ref LogRetentionDays
",
        function.name
    )
}

fn role(function: &FunctionToml, stores: &[Store]) -> String {
    let mut out = format!(
        "
  FunctionRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: firefly-{}-role
      PermissionsBoundary: !If [HasPermissionsBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal:
              Service: lambda.amazonaws.com
            Action: sts:AssumeRole
      Policies:
        - PolicyName: function
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Action:
                  - logs:CreateLogStream
                  - logs:PutLogEvents
                Resource: !GetAtt FunctionLogGroup.Arn
              - Effect: Allow
                Action:
                  - appconfig:GetLatestConfiguration
                  - appconfig:StartConfigurationSession
                Resource: !Sub arn:${{AWS::Partition}}:appconfig:${{AWS::Region}}:${{AWS::AccountId}}:application/*/environment/*/configuration/*
",
        function.name
    );
    for grant in &function.grants {
        out.push_str(&statement(grant, stores));
    }
    out
}

fn statement(grant: &Grant, stores: &[Store]) -> String {
    let indent = " ".repeat(14);
    let mut out = String::new();
    if let Some(reason) = &grant.reason {
        let _ = writeln!(out, "{indent}# {reason}");
    }
    let _ = writeln!(out, "{indent}- Effect: Allow\n{indent}  Action:");
    for action in &grant.actions {
        let _ = writeln!(out, "{indent}    - {action}");
    }
    let _ = writeln!(out, "{indent}  Resource: {}", resource(&grant.on, stores, indent.len() + 4));
    if let Some(when) = &grant.when {
        let when = yaml::of_toml(&toml::Value::Table(when.clone()));
        let _ = write!(out, "{indent}  Condition:\n{}", yaml::block(&when, indent.len() + 4));
    }
    out
}

/// The ARN of a target; a bucket's takes further lines, which are indented by so many spaces.
fn resource(target: &Target, stores: &[Store], indent: usize) -> String {
    let arn = |resource: &str| {
        format!("!Sub arn:${{AWS::Partition}}:dynamodb:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")
    };
    let kind = target.store().and_then(|name| stores.iter().find(|store| store.name == name)).map(|store| &store.kind);
    match (target, kind) {
        (Target::Index { index, .. }, Some(Kind::Table { name, .. })) => arn(&format!("table/{name}/index/{index}")),
        (_, Some(Kind::Table { name, .. })) => arn(&format!("table/{name}")),
        (_, Some(kind @ Kind::Bucket { .. })) => {
            let (spaces, objects) = (" ".repeat(indent), if matches!(target, Target::Objects(_)) { "/*" } else { "" });
            let name = bucket_name(kind);
            format!("!Sub\n{spaces}- arn:${{AWS::Partition}}:s3:::${{Bucket}}{objects}\n{spaces}- Bucket: {name}")
        }
        (Target::Arn(arn), _) if arn.contains("${") => format!("!Sub {}", yaml::scalar(arn)),
        (Target::Arn(arn), _) => yaml::scalar(arn),
        (_, None) => String::new(),
    }
}

fn bucket_name(kind: &Kind) -> String {
    match kind {
        Kind::Bucket { parameter, condition, default } => {
            format!("!If [{condition}, !Sub '{default}', !Ref {parameter}]")
        }
        Kind::Table { name, .. } => name.clone(),
    }
}

fn lambda(function: &FunctionToml, used: &[&Store]) -> String {
    let FunctionToml { name, memory_mib, timeout_seconds, .. } = function;
    let mut out = format!(
        "
  Function:
    Type: AWS::Serverless::Function
    Metadata:
      # `cargo lambda build` has built it.
      SkipBuild: true
      checkov:
        skip:
          - id: CKV_AWS_115
            comment: A reserved concurrency would take from the account's pool; the API's throttle bounds the load.
          - id: CKV_AWS_116
            comment: API Gateway invokes it synchronously; a dead letter queue is for asynchronous events.
          - id: CKV_AWS_117
            comment: It reaches only AWS's public endpoints; a VPC would add NAT and cold start for nothing.
          - id: CKV_AWS_173
            comment: The environment holds names, no secrets.
    Properties:
      FunctionName: firefly-{name}
      CodeUri: ../../target/lambda/{name}/
      Handler: bootstrap
      Runtime: provided.al2023
      Architectures:
        - arm64
      MemorySize: {memory_mib}
      Timeout: {timeout_seconds}
      Role: !GetAtt FunctionRole.Arn
      LoggingConfig:
        LogGroup: !Ref FunctionLogGroup
      Layers:
        - !If [HasSharedLayer, !Ref SharedLayerArn, !Ref AWS::NoValue]
        - !If [HasAppConfigExtension, !Ref AppConfigExtensionLayerArn, !Ref AWS::NoValue]
      Environment:
        Variables:
          APP_CONFIG_ENV: !Ref AppConfigEnv
          # The port the extension listens on; the function asks it there when this is set.
          AWS_APPCONFIG_EXTENSION_HTTP_PORT: !If [HasAppConfigExtension, '2772', !Ref AWS::NoValue]
          # A digest, with which nobody can pass for the edge.
          EDGE_SECRET_SHA256: !Ref EdgeSecretSha256
"
    );
    let mut variables: Vec<_> = used.iter().map(|store| (&store.variable, bucket_name(&store.kind))).collect();
    variables.sort();
    for (variable, value) in variables {
        let _ = writeln!(out, "          {variable}: {value}");
    }
    out
}

fn route(function: &FunctionToml) -> String {
    let comment = match function.caller {
        Caller::Anyone => "Anyone may call it.",
        Caller::Device => "Devices call it; the function verifies their signature.",
        Caller::Key => "The holder of a registration key calls it; the function checks the key.",
        Caller::User => "Users call it.",
        Caller::SuperUser => "Users call it; the function lets members of super_users in.",
    };
    let authorizer = if function.caller.has_token() {
        "AuthorizationType: JWT\n      AuthorizerId: !Ref AuthorizerId"
    } else {
        "AuthorizationType: NONE"
    };
    let arn = format!(
        "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{ApiId}}/*/{}",
        function.route.pattern()
    );
    format!(
        "
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref ApiId
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Function.Arn
      PayloadFormatVersion: '2.0'

  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref ApiId
      RouteKey: {}
      # {comment}
      {authorizer}
      Target: !Sub integrations/${{Integration}}

  InvokePermission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Function
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub {arn}
",
        function.route
    )
}
