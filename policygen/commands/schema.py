# SPDX-License-Identifier: Apache-2.0
"""`policygen schema`: JSON Schema of the language, for editors."""
from __future__ import annotations

import argparse
import json

from policygen.commands import cli
from policygen.language.json_schema import json_schema

HELP = "JSON Schema of the language, for editors"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    text = json.dumps(json_schema(), indent=1) + "\n"
    if parsed.output:
        with open(parsed.output, "w", encoding="utf-8") as stream:
            stream.write(text)
    else:
        print(text, end="")
    return cli.OK
