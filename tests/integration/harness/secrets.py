# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Remembers every token and password that the tests use or are given, and looks for them in
everything that was written meanwhile: logs, databases, storage, and the answers that say what went
wrong."""

import json
import os
import re
import subprocess

import requests

from .settings import clean_environment, program

SHORTEST = 12  # of what is looked for: a shorter word may stand in a log for another reason
LONGEST = 4096
WORKER = "wrk_"  # a worker's id is no secret, even where a test gives it for one
# What tests give for a secret and may stand elsewhere: a SHA-256 as the database has it, and one
# character over and over.
NO_SECRET = re.compile(r"[0-9a-f]{64}|(.)\1*")
FIELDS = ("password", "current_password", "new_password", "token", "key")

# Where secrets belong, or what a test itself has written: in directories of `make run`, what it
# shows on the terminal, what only its owner can read, and certificates' keys.
MEANT_TO_HAVE_THEM = ("make-run.log", "ready.env", "admin-password", "*.key", "*.secret")
SECRETS_DIRECTORY = "secrets"

kept = set()
_answers = []  # what is to be searched beside files


def keep(secret):
    """Returns it."""
    if isinstance(secret, bytes):
        secret = secret.decode("utf-8", "replace")
    if isinstance(secret, str) and SHORTEST <= len(secret) <= LONGEST and "\n" not in secret \
            and not secret.startswith(WORKER) and not NO_SECRET.fullmatch(secret):
        kept.add(secret)
    return secret


def keep_all_of(document):
    """Those of the fields of a JSON object that hold secrets."""
    if isinstance(document, dict):
        for name in FIELDS:
            keep(document.get(name))


def note_answer(text):
    """Something that says what went wrong, and is kept by whoever asked."""
    _answers.append(text)


def _parsed(body):
    try:
        return json.loads(body)
    except (TypeError, ValueError, RecursionError):  # whatever a test sends
        return None


def watch_requests():
    """From now on, what any request sends and any answer has is looked at. Returns what undoes it."""
    original = requests.Session.send

    def send(session, request, **options):
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            keep(credential)
        keep_all_of(_parsed(request.body))
        response = original(session, request, **options)
        if not options.get("stream"):
            if response.status_code >= 400:
                note_answer(f"{request.method} {request.path_url} {response.headers} "
                            f"{response.text}\n")
            elif response.headers.get("Content-Type") == "application/json":
                keep_all_of(_parsed(response.content))
        return response

    requests.Session.send = send
    return lambda: setattr(requests.Session, "send", original)


def found_in(directory, scratch, secrets=None):
    """Lines "FILE:SECRET" for every secret that a file below has, with most of it covered. Takes
    two files in scratch, which is to be another directory, for itself."""
    patterns, answers = scratch / "patterns", scratch / "answers"
    patterns.write_text("".join(s + "\n" for s in sorted(kept if secrets is None else secrets)))
    answers.write_text("".join(_answers))
    if not patterns.stat().st_size:
        return []
    # Bytes, not characters: most of the files are no text.
    search = subprocess.run(
        [program(None, "grep"), "--recursive", "--text", "--only-matching", "--fixed-strings",
         "--with-filename", f"--file={patterns}", f"--exclude-dir={SECRETS_DIRECTORY}",
         *(f"--exclude={name}" for name in MEANT_TO_HAVE_THEM), "--devices=skip",
         str(directory), str(answers)],
        stdout=subprocess.PIPE, check=False, env={**clean_environment(), "LC_ALL": "C"})
    assert search.returncode in (0, 1), "grep failed"
    lines = search.stdout.decode("utf-8", "replace").splitlines()
    return sorted({_covered(line.replace(str(directory) + os.sep, "")) for line in lines})


def _covered(line):
    file, _, secret = line.partition(":")
    return f"{file}: {secret[:8]}… ({len(secret)} characters)"
