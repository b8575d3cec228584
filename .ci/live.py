"""live.py COMMAND…: runs the integration test COMMAND against the stacks deployed in this account and region.

Makes a user, and removes it and the rows of the devices that the test names, however the test ends. Before that
target/ci/firefly-deploy, which .ci/build makes, refuses an account that does not hold the environment FIREFLY_ENVIRONMENT.
"""

import os
import pathlib
import secrets
import signal
import subprocess
import sys
import tempfile

import boto3

# One name, so that a user left behind when the machine died is removed by the next run.
USER = "firefly-integration-test@example.com"
TABLE = "firefly-devices"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def outputs(stack):
    """The outputs of a stack."""
    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def make_user(cognito, pool, password):
    attributes = [{"Name": "email", "Value": USER}, {"Name": "email_verified", "Value": "true"}]
    cognito.admin_create_user(UserPoolId=pool, Username=USER, UserAttributes=attributes, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=USER, Password=password, Permanent=True)


def remove_user(cognito, pool):
    try:
        cognito.admin_delete_user(UserPoolId=pool, Username=USER)
    except cognito.exceptions.UserNotFoundException:
        pass


def tokens(cognito, pool, client, password):
    signed_in = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": USER, "PASSWORD": password},
    )
    return signed_in["AuthenticationResult"]


def remove_devices(named):
    dynamodb = boto3.client("dynamodb")
    for uuid in named.read_text().split() if named.exists() else []:
        # The device's row, and the record of its requests beside it.
        for key in (uuid, f"{uuid}#replay"):
            dynamodb.delete_item(TableName=TABLE, Key={"uuid": {"S": key}})


def main():
    # A cancelled job is told so by a signal; what is made is removed all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("live.py: terminated"))
    checked = subprocess.run([ROOT / "target/ci/firefly-deploy", "check-environment"], check=False).returncode
    if checked != 0:
        return checked
    url = outputs("firefly-api-gateway")["ApiUrl"]
    pool, client = (outputs("firefly-cognito")[name] for name in ("UserPoolId", "UserPoolClientId"))
    cognito = boto3.client("cognito-idp")
    # Every kind of character that the pool's password policy asks for.
    password = secrets.token_urlsafe(24) + "aA1!"
    with tempfile.TemporaryDirectory() as folder:
        named = pathlib.Path(folder) / "devices"
        remove_user(cognito, pool)
        try:
            make_user(cognito, pool, password)
            user = tokens(cognito, pool, client, password)
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=USER, GroupName="super_users")
            super_user = tokens(cognito, pool, client, password)
            environment = {
                "FIREFLY_LIVE_URL": url,
                "FIREFLY_LIVE_ID_TOKEN": user["IdToken"],
                "FIREFLY_LIVE_ACCESS_TOKEN": user["AccessToken"],
                "FIREFLY_LIVE_SUPER_USER_TOKEN": super_user["IdToken"],
                "FIREFLY_LIVE_DEVICES": str(named),
            }
            return subprocess.run(sys.argv[1:], env=os.environ | environment, check=False).returncode
        finally:
            remove_user(cognito, pool)
            remove_devices(named)


sys.exit(main())
