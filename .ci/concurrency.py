"""concurrency.py PARAMETERS: warns if the throttle in a file of parameters lets through more than this account serves.

Lambda refuses what is beyond the account's concurrency. README, "How much it lets through", has the arithmetic.
"""

import json
import math
import pathlib
import sys

import boto3
import botocore.exceptions

# Seconds of a warm request; docs/scale.md, "The throttle", has its parts and sources.
WARM = 0.25


def main():
    # A line for each parameter, its value in JSON, as firefly-deploy writes them.
    lines = (line.partition(": ") for line in pathlib.Path(sys.argv[1]).read_text().splitlines())
    values = {name: json.loads(value) for name, _, value in lines if name == "ThrottlingRateLimit"}
    for rate in map(float, values.values()):
        try:
            held = boto3.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, KeyError) as error:
            print(f"warning: the account's concurrency is not known: {' '.join(str(error).split())}")
            continue
        needed = math.ceil(rate * WARM)
        if needed > held:
            print(
                f"warning: {rate:g} requests a second of {WARM} s take {needed} concurrent executions and this account has"
                f" {held}, so that Lambda refuses the rest: ask for more (Service Quotas, AWS Lambda, Concurrent executions)"
                f" or set THROTTLING_RATE_LIMIT to {held / WARM:g}"
            )


main()
