"""Checks a journal of rempart from its description in docs/history.md, without any of rempart's code.

    python3 journal.py controller FOLDER      the journal and journal.head of a controller's state folder
    python3 journal.py target FILE            the journal of a host

Prints `whole: N lines, head HASH` and exits 0, or `line N: what is wrong` for the first line that is, and exits 1.
"""

import hashlib
import json
import pathlib
import sys

ZEROS = "0" * 64
WORDS = {
    "open", "intent", "done", "fail", "skip", "hold", "armed", "fired", "confirmed", "healed", "committed", "end",
    "close", "torn",
}


class Broken(Exception):
    pass


def follow(journal: bytes, understand) -> list[str]:
    """The hashes of all lines, after each was checked."""
    if journal and not journal.endswith(b"\n"):
        raise Broken(f"line {journal.count(bytes([10])) + 1}: incomplete")
    hashes = []
    before = ZEROS
    for number, line in enumerate(journal.split(b"\n")[:-1], start=1):
        stated, _, rest = line.partition(b"\t")
        wanted = hashlib.sha256(before.encode() + b"\t" + rest).hexdigest()
        if stated != wanted.encode():
            raise Broken(f"line {number}: its hash does not follow from the line before")
        fields = rest.decode().split("\t")
        if fields[0] != str(number):
            raise Broken(f"line {number}: it says that it is number {fields[0]}")
        try:
            understand(fields)
        except (ValueError, KeyError, IndexError) as why:
            raise Broken(f"line {number}: {why}") from why
        before = wanted
        hashes.append(wanted)
    return hashes


def controller_line(fields: list[str]) -> None:
    sequence, epoch, event = fields
    int(sequence), int(epoch)
    event = json.loads(event)
    known = {
        "run": {"run", "verb", "who", "why", "playbooks", "inventories", "selection", "set_names", "approved"},
        "intent": {"run", "host", "batch", "steps"},
        "result": {"run", "host", "batch", "steps", "armed"},
        "end": {"run", "exit", "totals"},
        "torn": {"bytes", "sha256"},
    }
    missing = known[event["event"]] - event.keys()
    if missing:
        raise ValueError(f"{event['event']} lacks {sorted(missing)}")


def target_line(fields: list[str]) -> None:
    sequence, epoch, _run, batch, word, step, text = fields
    int(sequence), int(epoch), batch == "-" or int(batch), step == "-" or int(step)
    if word not in WORDS:
        raise ValueError(f"unknown word {word}")
    if any(ord(character) < 32 for character in text):
        raise ValueError("a control character")


def check_head(folder: pathlib.Path, hashes: list[str]) -> None:
    path = folder / "journal.head"
    if not path.exists():
        if len(hashes) > 1:
            raise Broken(f"line {len(hashes) + 1}: journal.head is missing")
        return
    sequence, known = path.read_text().split()
    sequence = int(sequence)
    if sequence > len(hashes):
        raise Broken(f"line {len(hashes) + 1}: journal.head knows line {sequence}")
    if sequence + 1 < len(hashes):
        raise Broken(f"line {len(hashes) + 1}: journal.head is more than one line behind")
    if sequence > 0 and hashes[sequence - 1] != known:
        raise Broken(f"line {sequence}: journal.head knows another line here")


def main() -> int:
    kind, place = sys.argv[1], pathlib.Path(sys.argv[2])
    try:
        if kind == "controller":
            journal = place / "journal"
            hashes = follow(journal.read_bytes() if journal.exists() else b"", controller_line)
            check_head(place, hashes)
        else:
            hashes = follow(place.read_bytes(), target_line)
    except Broken as broken:
        print(broken)
        return 1
    print(f"whole: {len(hashes)} lines, head {hashes[-1] if hashes else ZEROS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
