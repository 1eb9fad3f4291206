"""Attack a page of this machine, and measure whether it still answers.

    python tools/dev/attack_page.py [--requests 200] [--at-once 50] [--held 300] [--seconds 5]
                                    [--checkpoint CKPT]

Starts the page, holds connections open, sends hostile requests from many threads, asks an honest
question meanwhile and afterwards, and prints a table. The exit code is 1 if a request was neither
answered nor refused, if an honest question took longer than `--seconds` afterwards, if an answer
names a path of the server, or if the page made a request of its own.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from page_attacks.attacks import ATTACKS, Canary, HeldConnection
from page_attacks.process import PageProcess, photo
from page_attacks.visitor import Outcome, Visitor

DEFAULT_CHECKPOINT = (
    Path(__file__).parents[2] / "pretrain_weights" / "InstanceVG-tiny-shapes.safetensors"
)
SETTLE_SECONDS = 12


def measure(arguments: argparse.Namespace) -> int:
    """Attack the page and print the table; return the exit code."""
    with Canary() as canary, PageProcess(arguments.checkpoint) as page:
        visitor = Visitor(page.port, page.model, canary.port)
        honest = photo(640, 480)
        visitor.ask(honest, "warm up")
        before = page.resident_mb()
        held = [HeldConnection(page.port, number) for number in range(arguments.held)]
        outcomes, during = attack(visitor, honest, arguments)
        after_seconds = visitor.ask(honest, "and now").seconds
        open_at_end = sum(connection.is_open() for connection in held)
        time.sleep(SETTLE_SECONDS)
        open_later = sum(connection.is_open() for connection in held)
        after = page.resident_mb()
        settled_seconds = visitor.ask(honest, "and later").seconds
        peak, files = page.peak_mb(), page.file_mb()
        for connection in held:
            connection.close()
        secrets = page.secrets()
    leaks = [name for name, found in outcomes if any(secret in found.text for secret in secrets)]
    print_outcomes(outcomes)
    print(
        f"\n| honest questions | seconds |\n|---|---|\n| {len(during)} during the attack | "
        f"{describe(during)} |\n| the next one | {after_seconds:.2f} |\n"
        f"| {SETTLE_SECONDS} s later | {settled_seconds:.2f} |"
    )
    print(
        f"\n| held connections | number |\n|---|---|\n| opened | {len(held)} |\n"
        f"| still open after the attack | {open_at_end} |\n"
        f"| still open {SETTLE_SECONDS} s later | {open_later} |"
    )
    print(
        f"\n| memory of the process | MB |\n|---|---|\n| before | {before:.0f} |\n"
        f"| peak | {peak:.0f} |\n| after | {after:.0f} |\n| files on the disk | {files:.0f} |"
    )
    silent = [name for name, found in outcomes if found.kind == "no answer"]
    problems: dict[str, Sequence[object]] = {
        "neither answered nor refused": silent,
        "answers that name a path of the server": leaks,
        "requests that the page made": canary.requests,
        "files left behind": page.leftovers(),
        "the next honest question took too long": [after_seconds]
        if after_seconds > arguments.seconds
        else [],
    }
    for problem, found in problems.items():
        if found:
            print(f"\nFAILED: {problem}: {sorted(set(map(str, found)))}")
    return int(any(problems.values()))


def attack(
    visitor: Visitor, honest: bytes, arguments: argparse.Namespace
) -> tuple[list[tuple[str, Outcome]], list[float]]:
    """Send the hostile requests; return their outcomes and the times of honest questions."""
    names = [list(ATTACKS)[number % len(ATTACKS)] for number in range(arguments.requests)]
    random.Random(0).shuffle(names)
    ended, during = threading.Event(), []

    def ask_meanwhile() -> None:
        while not ended.wait(1):
            during.append(visitor.ask(honest, "meanwhile").seconds)

    asking = threading.Thread(target=ask_meanwhile)
    asking.start()
    with ThreadPoolExecutor(arguments.at_once) as pool:
        outcomes = list(pool.map(lambda name: visitor.attack(ATTACKS[name]), names))
    ended.set()
    asking.join()
    return list(zip(names, outcomes, strict=True)), during


def print_outcomes(outcomes: Sequence[tuple[str, Outcome]]) -> None:
    """Print one row per kind of attack."""
    by_name: dict[str, list[Outcome]] = defaultdict(list)
    for name, outcome in outcomes:
        by_name[name].append(outcome)
    print("| hostile request | sent | outcomes | slowest, s |\n|---|---|---|---|")
    for name, found in by_name.items():
        kinds = Counter(outcome.kind for outcome in found)
        listed = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
        slowest = max(outcome.seconds for outcome in found)
        print(f"| {name} | {len(found)} | {listed} | {slowest:.1f} |")


def describe(seconds: Sequence[float]) -> str:
    """Return the median and the largest of some times."""
    if not seconds:
        return "none"
    return f"median {sorted(seconds)[len(seconds) // 2]:.2f}, largest {max(seconds):.2f}"


def main(words: list[str] | None = None) -> int:
    """Parse the arguments and attack."""
    parser = argparse.ArgumentParser(description="Attack a page of this machine.")
    parser.add_argument("--requests", type=int, default=200, metavar="N")
    parser.add_argument("--at-once", type=int, default=50, metavar="N")
    parser.add_argument("--held", type=int, default=300, metavar="N", help="held connections")
    parser.add_argument("--seconds", type=float, default=5.0, help="limit of the next question")
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, metavar="F")
    return measure(parser.parse_args(words))


if __name__ == "__main__":
    sys.exit(main())
