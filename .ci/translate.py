"""translate.py FOLDER TEMPLATE…: what CloudFormation makes of each template, written into FOLDER as JSON.

SAM's own translator is applied as the transform is at a deploy, with stand-ins for what `sam package` uploads. cfn-lint
does not look at IAM actions while a template still has the transform.
"""

import json
import logging
import pathlib
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# Local paths that packaging replaces: resource type, property, what stands for it.
PACKAGED = [
    ("AWS::Serverless::Function", "CodeUri", "s3://artifacts/code"),
    ("AWS::Serverless::LayerVersion", "ContentUri", "s3://artifacts/layer"),
    ("AWS::Serverless::Application", "Location", "https://s3.amazonaws.com/artifacts/template"),
]


class NoManagedPolicies:
    """No template names a managed policy; the translator asks for the list of them all the same."""

    def load(self):
        return {}


def translate(path):
    template = yaml_parse(path.read_text())
    if "Transform" not in template:
        return template
    for resource in template["Resources"].values():
        for kind, member, stand_in in PACKAGED:
            if resource["Type"] == kind:
                resource["Properties"][member] = stand_in
    return transform(template, {}, NoManagedPolicies())


def main():
    # The translator's own metrics, which nobody collects here.
    logging.disable(logging.WARNING)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.json"):
        stale.unlink()
    for argument in sys.argv[2:]:
        path = pathlib.Path(argument)
        name = "-".join([*path.parent.parts, path.stem])
        (folder / f"{name}.json").write_text(json.dumps(translate(path), indent=2))


main()
