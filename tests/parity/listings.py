"""What Ansible makes of many inventories, from one process.

Standard input is a JSON list of jobs: {"sources": [...], "folder": the current folder}. Standard output is a JSON list of
answers in the same order: {"text": what `ansible-inventory --list` prints, "listing": the same as a value} or
{"refused": why}, or {"broken": why} where Ansible fell over instead of refusing. The command's own class does the work; only what a process usually has once is set anew for each job:
arguments, vault, and which files were found. Infinities, which JSON does not know, become words.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import traceback

from ansible import context
from ansible.cli.inventory import InventoryCLI
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultSecretsContext
from ansible.plugins.vars import host_group_vars
from ansible.utils.context_objects import CLIArgs


def set_arguments(options):
    context.CLIARGS = CLIArgs.from_options(options)


class Listing(InventoryCLI):
    @staticmethod
    def dump(stuff):
        try:
            return InventoryCLI.dump(stuff)
        except (TypeError, ValueError) as error:
            raise AnsibleError("it was read, and cannot be listed") from error


def listing(job, output):
    VaultSecretsContext._current = None
    for known in (host_group_vars.CANONICAL_PATHS, host_group_vars.FOUND, host_group_vars.NAK):
        known.clear()
    os.chdir(job["folder"])
    sources = [word for source in job["sources"] for word in ("-i", source)]
    noise = io.StringIO()
    try:
        with contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
            Listing(["ansible-inventory", *sources, "--list", "--output", output]).run()
    except SystemExit as end:
        if end.code == 0:
            with open(output, encoding="utf-8") as written:
                text = written.read()
            return {"text": text, "listing": json.loads(text, parse_constant=str)}
        return {"broken": f"exit {end.code}"}
    except AnsibleError as error:
        return {"refused": f"{type(error).__name__}: {error}", "noise": noise.getvalue()[-4000:]}
    except Exception:
        # Of this script, or of what was installed; an inventory cannot be blamed for it.
        return {"broken": traceback.format_exc(), "noise": noise.getvalue()[-4000:]}
    return {"broken": "it ended without an answer"}


def main():
    context._init_global_context = set_arguments
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "listing")
        answers = [listing(job, output) for job in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


main()
