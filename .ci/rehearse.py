"""rehearse.py FOLDER: what is deployed, as far as moto (an imitation of AWS) goes.

FOLDER holds the templates as CloudFormation gets them, from translate.py. The function and data stacks are made, changed
and deleted, and lost data brought back; the bootstrap stack is made, and other environments than its own are refused; stacks are deployed as the
workflows deploy them; the root template is built and packaged; and the
integration test runs against the local cloud on moto's Cognito, DynamoDB and S3. Needs target/debug/firefly-local and
what `.ci/build firefly-deploy live` makes. moto does not know the routes of an HTTP API, alarms, TTL, point-in-time
recovery or imports.
"""

import datetime
import http.server
import io
import json
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest.mock
import warnings
import zipfile

import boto3
from moto.server import ThreadedMotoServer
from samtranslator.yaml_helper import yaml_parse

REGION = "eu-central-1"
ACCOUNT = "123456789012"
ENVIRONMENT = "production"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/firefly-cloudformation"
ROOT = pathlib.Path(__file__).resolve().parent.parent


class Stack:
    """A stack of a template and its parameters."""

    def __init__(self, name, template):
        self.name = name
        self.template = template
        self.cloudformation = boto3.client("cloudformation")

    def arguments(self, values):
        declared = self.template.get("Parameters", {})
        parameters = [{"ParameterKey": key, "ParameterValue": values[key]} for key in values if key in declared]
        return {"StackName": self.name, "TemplateBody": json.dumps(self.template), "Parameters": parameters}

    def create(self, **values):
        self.cloudformation.create_stack(**self.arguments(values))
        return self.outputs("CREATE_COMPLETE")

    def update(self, **values):
        self.cloudformation.update_stack(**self.arguments(values))
        return self.outputs("UPDATE_COMPLETE")

    def outputs(self, status):
        stack = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        expect(f"state of {self.name}", stack["StackStatus"], status)
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def delete(self):
        self.cloudformation.delete_stack(StackName=self.name)
        left = [stack["StackName"] for stack in self.cloudformation.describe_stacks()["Stacks"]]
        expect(f"{self.name} after its deletion", self.name in left, False)


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r} where {expected!r} belongs")


def zipped(name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "")
    return packed.getvalue()


def rehearse_function(stack, bucket, layers):
    """A function with everything left empty, then with everything given, then gone."""
    name = stack.name
    properties = stack.template["Resources"]["Function"]["Properties"]
    function, iam, logs = boto3.client("lambda"), boto3.client("iam"), boto3.client("logs")
    given = {"ApiId": "a1b2c3", "AuthorizerId": "d4e5f6"}

    stack.create(**given)
    made = function.get_function_configuration(FunctionName=name)
    for member in ("Runtime", "Handler", "Timeout", "MemorySize"):
        expect(f"{name}: {member}", made[member], properties[member])
    expect(f"{name}: Role", made["Role"], f"arn:aws:iam::{ACCOUNT}:role/{name}-role")
    expect(f"{name}: Layers", made["Layers"], [])
    variables = made["Environment"]["Variables"]
    expect(f"{name}: environment", variables.get("S3_BACKUP_BUCKET_NAME", bucket), bucket)
    expect(f"{name}: extension", "AWS_APPCONFIG_EXTENSION_HTTP_PORT" in variables, False)
    group = f"/aws/lambda/{name}"
    groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    expect(f"{name}: log groups", [(made["logGroupName"], made["retentionInDays"]) for made in groups], [(group, 30)])
    allowed = str(iam.get_role_policy(RoleName=f"{name}-role", PolicyName="function")["PolicyDocument"])
    expect(f"{name}: what its role allows is resolved", "Fn::" in allowed or "Ref" in allowed or "${" in allowed, False)
    policy = json.loads(function.get_policy(FunctionName=name)["Policy"])
    callers = [statement["Condition"]["ArnLike"]["AWS:SourceArn"] for statement in policy["Statement"]]
    method, path = stack.template["Resources"]["Route"]["Properties"]["RouteKey"].split(" ")
    any_value = re.sub(r"\{[^}]*\}", "*", path)
    route = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1b2c3/*/{method}{any_value}"
    expect(f"{name}: who may call it", callers, [route])

    extras = {"SharedLayerArn": layers[0], "AppConfigExtensionLayerArn": layers[1], "AppConfigEnv": "production"}
    stack.update(**given, **extras, BackupBucketName="firefly-mine")
    made = function.get_function_configuration(FunctionName=name)
    expect(f"{name}: Layers", [layer["Arn"] for layer in made["Layers"]], layers)
    variables = made["Environment"]["Variables"]
    expect(f"{name}: environment", variables["APP_CONFIG_ENV"], "production")
    expect(f"{name}: environment", variables["AWS_APPCONFIG_EXTENSION_HTTP_PORT"], "2772")
    expect(f"{name}: environment", variables.get("S3_BACKUP_BUCKET_NAME", "firefly-mine"), "firefly-mine")

    stack.delete()
    expect(f"{name}: functions left", function.list_functions()["Functions"], [])
    expect(f"{name}: roles left", iam.list_roles()["Roles"], [])
    expect(f"{name}: log groups left", logs.describe_log_groups()["logGroups"], [])


def rehearse_functions(templates):
    s3, client = boto3.client("s3"), boto3.client("lambda")
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    # What translate.py puts in place of uploaded code.
    s3.put_object(Bucket="artifacts", Key="code", Body=zipped("bootstrap"))
    s3.put_object(Bucket="artifacts", Key="layer", Body=zipped("firefly/defaults.json"))
    code = {"S3Bucket": "artifacts", "S3Key": "layer"}
    # Published by hand: moto makes a stack's layer under another name.
    names = ("firefly-shared", "AWS-AppConfig-Extension-Arm64")
    layers = [client.publish_layer_version(LayerName=name, Content=code)["LayerVersionArn"] for name in names]
    shared = Stack("firefly-shared-layer", templates["stacks-shared-layer"])
    outputs = shared.create(AppConfigExtensionLayerArn=layers[1])
    expect("firefly-shared-layer passes on", outputs["AppConfigExtensionLayerArn"], layers[1])
    outputs = shared.update(AppConfigExtensionLayerArn="")
    expect("firefly-shared-layer leaves out", "AppConfigExtensionLayerArn" in outputs, False)
    shared.delete()
    functions = [name for name in templates if name.startswith("lambdas-")]
    for name in functions:
        stack = Stack(f"firefly-{name.removeprefix('lambdas-').removesuffix('-template')}", templates[name])
        rehearse_function(stack, f"firefly-device-backups-{ACCOUNT}-{REGION}", layers)
    return len(functions)


def rehearse_data(templates):
    """Tables and bucket: made, changed, and still there with what they hold when their stacks are gone."""
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
    for name, key in (("devices", "uuid"), ("registration-keys", "key")):
        table, item = f"firefly-{name}", {key: {"S": "kept"}}
        template = templates[f"stacks-dynamodb-{name}"]
        without_outputs = {member: template[member] for member in template if member != "Outputs"}
        expect(f"{table}: outputs", Stack(f"firefly-dynamodb-{name}", without_outputs).create(), {})
        stack = Stack(f"firefly-dynamodb-{name}", template)
        expect(f"{table}: outputs", stack.update()["TableName"], table)
        made = dynamodb.describe_table(TableName=table)["Table"]
        expect(f"{table}: keys", made["KeySchema"], [{"AttributeName": key, "KeyType": "HASH"}])
        indexes = [index["IndexName"] for index in made.get("GlobalSecondaryIndexes") or []]
        expect(f"{table}: indexes", indexes, ["product_hex-keys-index"] if name == "devices" else [])
        expect(f"{table}: billing", made["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        expect(f"{table}: protection", made["DeletionProtectionEnabled"], True)
        dynamodb.put_item(TableName=table, Item=item)
        stack.delete()
        expect(f"{table}: rows", dynamodb.scan(TableName=table)["Items"], [item])
        dynamodb.delete_item(TableName=table, Key=item)
    stack = Stack("firefly-s3-device-backups", templates["stacks-s3-device-backups"])
    bucket = stack.create()["BackupBucketName"]
    stack.delete()
    s3.head_bucket(Bucket=bucket)


def rehearse_restore():
    """Rows and backups that are lost come back; those that came later stay, and so do rows that nobody names."""
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
    table, copy = "firefly-devices", "firefly-devices-restored"
    for name in ("kept", "lost", "deleted", "changed", "kept#replay"):
        dynamodb.put_item(TableName=table, Item={"uuid": {"S": name}, "product_id": {"S": "before"}})
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=copy, UseLatestRestorableTime=True)
    for name in ("lost", "deleted", "kept#replay"):
        dynamodb.delete_item(TableName=table, Key={"uuid": {"S": name}})
    changed = {"uuid": {"S": "changed"}, "product_id": {"S": "after"}, "more": {"N": "1"}}
    dynamodb.put_item(TableName=table, Item=changed)
    dynamodb.put_item(TableName=table, Item={"uuid": {"S": "later"}})

    def found():
        return {row["uuid"]["S"]: row.get("product_id", {}).get("S") for row in dynamodb.scan(TableName=table)["Items"]}

    def restored(*options):
        command = (sys.executable, ROOT / "scripts/restore", "table", copy, table, "--leave", "deleted")
        return succeeds(run(*command, *options))

    before = found()
    done = restored()
    named = sorted(line.split(":")[0] for line in done.splitlines()[:-1])
    expect("restore without --apply", (found(), named, "1 rows to write" in done), (before, ["changed", "lost"], True))
    done = restored("--apply")
    expect("rows", found(), {"kept": "before", "lost": "before", "changed": "after", "later": None})
    expect("a row that differs", "changed: differs and stays" in done and "1 rows written" in done, True)
    expect("restore again", "0 rows written" in restored("--apply"), True)
    expect("a row that is named", "1 rows written" in restored("--apply", "--overwrite", "changed"), True)
    expect("rows", found(), {"kept": "before", "lost": "before", "changed": "before", "later": None})
    done = run(sys.executable, ROOT / "scripts/restore", "table", copy, table, "--overwrite", "later", "--apply")
    expect("a row that the copy lacks", (done.returncode, done.stdout.count("\n")), (1, 1))
    for name in found():
        dynamodb.delete_item(TableName=table, Key={"uuid": {"S": name}})
    dynamodb.delete_table(TableName=copy)

    bucket = f"firefly-device-backups-{ACCOUNT}-{REGION}"
    # As the template says; moto's CloudFormation leaves it out.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    day = datetime.datetime(2026, 11, 1)

    def at(days, act, **arguments):
        with unittest.mock.patch("moto.s3.models.utcnow", return_value=day + datetime.timedelta(days=days)):
            act(Bucket=bucket, **arguments)

    for key in ("kept", "lost", "replaced"):
        at(0, s3.put_object, Key=key, Body=b"before", Metadata={"etag": "0f" * 32})
    at(2, s3.delete_object, Key="lost")
    at(2, s3.put_object, Key="replaced", Body=b"after")
    at(2, s3.put_object, Key="later", Body=b"after")
    restore = [sys.executable, ROOT / "scripts/restore", "bucket", bucket, "2026-11-02T00:00:00Z"]
    expect("restore of one", "1 objects to write" in succeeds(run(*restore, "lost")), True)
    succeeds(run(*restore, "--apply"))
    for key, body in (("kept", b"before"), ("lost", b"before"), ("replaced", b"before"), ("later", b"after")):
        restored = s3.get_object(Bucket=bucket, Key=key)
        expect(f"backup {key}", restored["Body"].read(), body)
        expect(f"metadata of {key}", restored["Metadata"], {} if key == "later" else {"etag": "0f" * 32})
    for kind in ("Versions", "DeleteMarkers"):
        for version in s3.list_object_versions(Bucket=bucket).get(kind, []):
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    fails_in_one_line = run(sys.executable, ROOT / "scripts/restore", "table", "absent", table)
    expect("a table that is not there", (fails_in_one_line.returncode, fails_in_one_line.stdout.count("\n")), (1, 1))


def run(*command, **variables):
    """A command of a workflow, with the variables that it has there."""
    environment = os.environ | {"FIREFLY_ENVIRONMENT": ENVIRONMENT, "AWS_CLOUDFORMATION_ROLE_ARN": ROLE} | variables
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def deploy(stack, **variables):
    """Deploys as the workflow does: firefly-deploy's parameters, then SAM with samconfig.toml."""
    return run(ROOT / ".ci/deploy", stack, **{"ARTIFACT_BUCKET": "artifacts", "DEPLOY_RETRY_SECONDS": "0"} | variables)


def succeeds(done):
    if done.returncode != 0:
        sys.exit(f"{done.args}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def fails(done, reason):
    expect(f"{done.args} fails", done.returncode != 0, True)
    expect(f"{done.args} says {reason!r}: {done.stdout}", reason in done.stdout, True)
    expect(f"{done.args} goes on: {done.stdout}", "Initiating deployment" in done.stdout, False)


def stand_in(name, **outputs):
    """In place of a stack whose resources moto does not make: one with these outputs."""
    nothing = {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
    outputs = {output: {"Value": value} for output, value in outputs.items()}
    stack = Stack(name, {"Resources": nothing, "Outputs": outputs})
    stack.delete()
    stack.create()


def refused(reason, **variables):
    """Every workflow's step is refused in one line, before anything of the account is touched."""
    for command in (
        [ROOT / ".ci/deploy", "cognito"],
        [ROOT / "target/ci/firefly-deploy", "data", "dynamodb-devices"],
        [ROOT / "target/ci/firefly-deploy", "data", "dynamodb-devices", "--dry-run"],
        [ROOT / "target/ci/firefly-deploy", "delete", "cognito"],
        [sys.executable, ROOT / ".ci/live.py", "echo", "the test was run"],
    ):
        done = run(*command, ARTIFACT_BUCKET="artifacts", **variables)
        expect(f"{command}: exit status", done.returncode, 1)
        expect(f"{command} says {reason!r} in one line: {done.stdout}", done.stdout.count("\n"), 1)
        expect(f"{command} says {reason!r}: {done.stdout}", reason in done.stdout, True)


def rehearse_environment(template):
    """One account holds one environment: the one that the bootstrap stack names, in the region of that stack."""
    cloudformation = boto3.client("cloudformation")
    again = "with Environment=NAME"
    refused(again)
    stand_in("firefly-bootstrap", DeployRoleArn="of an old bootstrap")
    refused(again)
    cloudformation.delete_stack(StackName="firefly-bootstrap")
    bootstrap = Stack("firefly-bootstrap", template)
    made = bootstrap.create(Environment=ENVIRONMENT, OidcSubjects=f"repo:OWNER/FORK:environment:{ENVIRONMENT}")
    expect("firefly-bootstrap: the environment", made["Environment"], ENVIRONMENT)
    refused('holds the environment "production" in eu-central-1, not "staging"', FIREFLY_ENVIRONMENT="staging")
    refused("FIREFLY_ENVIRONMENT is not set", FIREFLY_ENVIRONMENT="")
    refused(again, AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-1")
    expect("stacks", [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]], ["firefly-bootstrap"])
    expect("check-environment", succeeds(run(ROOT / "target/ci/firefly-deploy", "check-environment")), "")


def rehearse_deploys():
    def described(name):
        return boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]

    def given(name):
        return {each["ParameterKey"]: each["ParameterValue"] for each in described(name)["Parameters"]}

    fails(deploy("api-gateway"), "deploy cognito first")
    # Unless it was built, which is not for this to say.
    if not (ROOT / "target/lambda/func-api-health-get/bootstrap").exists():
        fails(deploy("func-api-health-get"), "build it first")
    fails(deploy("cognito", USER_POOL_DELETION_PROTECTION="no"), "ACTIVE or INACTIVE")
    fails(deploy("cognito", ARTIFACT_BUCKET=""), "ARTIFACT_BUCKET")
    # A new pool is made without protection, and then protected.
    made = succeeds(deploy("cognito"))
    expect("protected by a second deployment", made.count("Initiating deployment"), 2)
    expect("parameters", given("firefly-cognito")["UserPoolDeletionProtection"], "ACTIVE")
    # moto sees no difference in a parameter that goes back.
    boto3.client("cloudformation").delete_stack(StackName="firefly-cognito")
    succeeds(deploy("cognito", USER_POOL_DELETION_PROTECTION="INACTIVE"))
    expect("tags", described("firefly-cognito")["Tags"], [{"Key": "Application", "Value": "firefly"}])
    expect("parameters", given("firefly-cognito")["UserPoolDeletionProtection"], "INACTIVE")
    expect("parameters", set(given("firefly-cognito").values()), {"INACTIVE", ""})
    expect("role", described("firefly-cognito")["RoleARN"], ROLE)
    # An empty change set is a success.
    unchanged = succeeds(deploy("cognito", USER_POOL_DELETION_PROTECTION="INACTIVE"))
    expect("No changes", "No changes to deploy" in unchanged, True)
    stand_in("firefly-cognito", UserPoolId="pool", UserPoolClientId="client")
    succeeds(deploy("api-gateway", THROTTLING_RATE_LIMIT="7"))
    parameters = given("firefly-api-gateway")
    found = [parameters[name] for name in ("UserPoolId", "UserPoolClientId", "ThrottlingRateLimit", "ThrottlingBurstLimit")]
    expect("parameters", found, ["pool", "client", "7", "500"])
    stand_in("firefly-api-gateway", ApiId="a1b2c3")
    succeeds(deploy("observability", WRONG_KEYS="7"))
    parameters = given("firefly-observability")
    found = [parameters[name] for name in ("ApiId", "AlarmTopicArn", "WrongKeys", "MinimumRequests")]
    expect("parameters", found, ["a1b2c3", "", "7", "20"])
    # moto leaves out alarms and metric filters.
    body = boto3.client("cloudwatch").get_dashboard(DashboardName="firefly-observability")["DashboardBody"]
    watched = [metric for widget in json.loads(body)["widgets"] for metric in widget["properties"].get("metrics", [])]
    expect("what the dashboard shows", ["AWS/ApiGateway", "5xx", "ApiId", "a1b2c3"] in watched, True)
    expect("what the dashboard leaves open", "${" in body, False)


class Settings(http.server.BaseHTTPRequestHandler):
    """Lambda's GetAccountSettings, which moto does not know."""

    concurrency = 1000

    def do_GET(self):
        body = json.dumps({"AccountLimit": {"ConcurrentExecutions": self.concurrency}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def rehearse_throttle():
    """A throttle beyond the account's concurrency is a warning in one line."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Settings)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = {"AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{server.server_port}"}
    for concurrency, rate, warning in (
        (1000, "4000", ""),
        (1000, "0.5", ""),
        (10, "40", ""),
        (1000, "4001", "4001 requests a second of 0.25 s take 1001 concurrent executions and this account has 1000,"),
        (10, "2000", "take 500 concurrent executions and this account has 10, so that Lambda refuses the rest: ask for more"),
    ):
        Settings.concurrency = concurrency
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as parameters:
            parameters.write(f'UserPoolId: "p"\nThrottlingRateLimit: "{rate}"\n')
            parameters.flush()
            said = succeeds(run(sys.executable, ROOT / ".ci/concurrency.py", parameters.name, **variables))
        expect(f"{rate} at {concurrency}: {said!r}", (said.count("\n"), warning in said), (1 if warning else 0, True))
    server.shutdown()


def rehearse_conflicts():
    """Of a conflict with another stack it tries again, of anything else it does not."""
    with tempfile.TemporaryDirectory() as folder:
        count, sam = pathlib.Path(folder) / "count", pathlib.Path(folder) / "sam"
        for says, until, runs, status in (
            ("ConflictException", 3, 3, 0),
            ("ConflictException", 9, 3, 1),
            ("AccessDenied", 9, 1, 1),
        ):
            count.write_text("")
            works = f"[ $(wc -c <{count}) -ge {until} ]"
            sam.write_text(f"#!/bin/sh\nprintf x >>{count}\n{works} || {{ echo {says}; exit 1; }}\n")
            sam.chmod(0o755)
            done = deploy("cognito", PATH=f"{folder}:{os.environ['PATH']}")
            expect(f"{says}: exit status", done.returncode, status)
            expect(f"{says}: runs of SAM", len(count.read_text()), runs)


def uploaded(location):
    """The name that SAM has put in place of a local path: `s3://BUCKET/KEY` or an address that ends so."""
    bucket, key = location.split("/")[-2:]
    return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def rehearse_whole():
    """A newcomer's `sam build` and the packaging of `sam deploy`, up to what would be handed to CloudFormation."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        shutil.copy(ROOT / "template.yaml", copy)
        shutil.copytree(ROOT / "stacks", copy / "stacks")
        functions = sorted(path.parent.name for path in ROOT.glob("lambdas/*/template.yaml"))
        for name in functions:
            shutil.copytree(ROOT / "lambdas" / name, copy / "lambdas" / name)
            bootstrap = copy / "target/lambda" / name / "bootstrap"
            bootstrap.parent.mkdir(parents=True)
            bootstrap.write_text(name)
            bootstrap.chmod(0o755)
        packaging = ["sam", "package", "--s3-bucket", "artifacts", "--output-template-file", "packaged.yaml"]
        for command in (["sam", "build"], packaging):
            done = subprocess.run(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            succeeds(done)
        packaged = []
        for application in yaml_parse((copy / "packaged.yaml").read_text())["Resources"].values():
            for resource in yaml_parse(uploaded(application["Properties"]["Location"]).decode())["Resources"].values():
                code = resource["Properties"].get("CodeUri")
                if code is None:
                    continue
                archive = zipfile.ZipFile(io.BytesIO(uploaded(code)))
                packaged.append(archive.read("bootstrap").decode())
                executable = archive.getinfo("bootstrap").external_attr >> 16 & 0o111
                expect(f"{packaged[-1]}: bootstrap can be started", executable, 0o111)
        expect("packaged functions", sorted(packaged), functions)


def make_user_pool(template):
    """The pool of the template, which moto's CloudFormation does not make."""
    cognito = boto3.client("cognito-idp")
    resources = template["Resources"]
    properties = resources["UserPool"]["Properties"]
    members = ("AdminCreateUserConfig", "UsernameAttributes", "AutoVerifiedAttributes", "Policies")
    pool = cognito.create_user_pool(PoolName="firefly-users", **{name: properties[name] for name in members})
    pool = pool["UserPool"]["Id"]
    group = resources["SuperUsersGroup"]["Properties"]["GroupName"]
    cognito.create_group(UserPoolId=pool, GroupName=group)
    flows = resources["UserPoolClient"]["Properties"]["ExplicitAuthFlows"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="firefly", ExplicitAuthFlows=flows)
    return pool, client["UserPoolClient"]["ClientId"]


def rehearse_integration_test(url, pool, client):
    """The test finds everything working, and whether it does or not, nothing of it is left."""
    issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{pool}"
    arguments = ["--listen", "127.0.0.1:0", "--dynamodb-endpoint", url, "--s3-endpoint", url, "--jwt-issuer", issuer]
    arguments += ["--jwt-audience", client, "--jwt-jwks-url", f"{url}/{pool}/.well-known/jwks.json"]
    arguments += ["--backup-bucket", f"firefly-device-backups-{ACCOUNT}-{REGION}", "--data-dir", "target/ci/data"]
    program = [ROOT / "target/debug/firefly-local", *arguments]
    log = ROOT / "target/ci/firefly-local.log"
    with (
        log.open("w") as written,
        subprocess.Popen(program, stdout=subprocess.PIPE, stderr=written, text=True, cwd=ROOT) as cloud,
    ):
        try:
            words = (word for line in cloud.stdout for word in line.split())
            address = next(word for word in words if word.startswith("http://127.0.0.1:"))
            stand_in("firefly-cognito", UserPoolId=pool, UserPoolClientId=client)
            stand_in("firefly-api-gateway", ApiUrl=address)
            for test, status in ((["false"], 1), ([ROOT / "target/ci/live", "--nocapture"], 0)):
                done = run(sys.executable, ROOT / ".ci/live.py", *test)
                if done.returncode != status or "SKIPPED" in done.stdout:
                    sys.exit(f"{test}: exit status {done.returncode}; see {log}\n{done.stdout}")
                expect("users left", boto3.client("cognito-idp").list_users(UserPoolId=pool)["Users"], [])
                expect("rows left", boto3.client("dynamodb").scan(TableName="firefly-devices")["Items"], [])
        finally:
            cloud.terminate()


def main():
    # The server's log of requests, and what moto says of every resource it does not know.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    templates = {path.stem: json.loads(path.read_text()) for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json"))}
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        # Not 127.0.0.1: SAM then names buckets in front of the host, which localhost resolves.
        url = "http://localhost:{}".format(server.get_host_and_port()[1])
        os.environ |= {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
        os.environ |= {"AWS_ACCESS_KEY_ID": "rehearsal", "AWS_SECRET_ACCESS_KEY": "rehearsal"}
        print(f"{rehearse_functions(templates)} function stacks made, changed and deleted")
        rehearse_data(templates)
        print("data stacks made, changed and deleted; their data stayed")
        rehearse_restore()
        print("lost rows and backups brought back")
        rehearse_environment(templates["stacks-bootstrap"])
        print("other environments, other regions and old bootstraps refused")
        rehearse_deploys()
        rehearse_throttle()
        rehearse_conflicts()
        print("stacks deployed by .ci/deploy")
        rehearse_whole()
        print("root template built and packaged")
        rehearse_integration_test(url, *make_user_pool(templates["stacks-cognito"]))
        print("integration test passed and cleaned up")
    finally:
        server.stop()


main()
