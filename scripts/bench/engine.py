"""The engine beside LangGraph, pydantic-graph and AutoGen: agents that do nothing, so that what is left is the engine.

Every measurement is a fresh process, and the systems take turns, so that the machine's other load meets all alike;
medians of the turns are compared, and ratios count. Peers live in environments of their own under `.bench/`, made once.
A peer that runs in several ways is shown by its best one. Goals are beside LangGraph.

    python scripts/bench/engine.py [--quick] [--json] [--peers langgraph,pydantic-graph,autogen] [--only CASE,...]

`--peers none` measures ours alone. Times and CPU times are microseconds a run; for runs in flight at once they are
seconds for all of them: three agents each, all wait in the second, then all are let go. Their memory is what the
process has grown by while all wait.

What durable runs promise: in `durable-*` a run that has returned is on disk, and its calls are written while it goes on
(LangGraph: "async" or "sync", whichever is faster). In `durable-each-*` a call is on disk before the next one starts
(LangGraph: "sync"). Both sides keep a write-ahead log in SQLite at the same `synchronous`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).parent / "peers"
OURS = "orchestra"
PACKAGES = {
    OURS: ("orchestra-teams", "pydantic"),
    "langgraph": ("langgraph", "langgraph-checkpoint-sqlite", "langchain-core", "pydantic"),
    "pydantic-graph": ("pydantic-graph", "pydantic"),
    "autogen": ("autogen-agentchat", "autogen-core", "pydantic"),
}
"""Systems, and whose releases are shown for each."""
LIMIT = 300
"""Seconds after which a measurement is given up."""
Figures = dict[str, float]


class Figure(NamedTuple):
    """One number of a case."""

    name: str
    ratio: float | None = None
    """Goal: so many times better than LangGraph."""
    at_most: float | None = None
    """Goal: no more than that, whoever the peer."""

    @property
    def more_is_better(self) -> bool:
        return self.name.endswith("per_s")


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: the same teams on each system."""

    name: str
    kind: str
    size: int
    figures: tuple[Figure, ...]
    modes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Ways to run, of each system that takes part."""
    heavy: bool = False
    """Measured once in a quick run."""


PLAIN = {OURS: ("run",), "langgraph": ("ainvoke", "invoke"), "pydantic-graph": ("run",), "autogen": ("run",)}
WAITING = {**PLAIN, "langgraph": ("ainvoke",)}
WAITING_MANY = {system: modes for system, modes in WAITING.items() if system != "autogen"}  # takes minutes
SAVED = {OURS: ("run",), "langgraph": ("ainvoke|sync", "ainvoke|async", "invoke|sync")}
SAVED_EACH = {OURS: ("each",), "langgraph": ("ainvoke|sync", "invoke|sync")}

IN_FLIGHT = (Figure("wall_s"), Figure("cpu_s"), Figure("bytes_a_run", ratio=10))
CASES = (
    Case("sequential-3", "chain", 3, (Figure("wall_us", ratio=20), Figure("cpu_us")), PLAIN),
    Case("sequential-24", "chain", 24, (Figure("wall_us", ratio=20), Figure("cpu_us")), PLAIN),
    Case("fan-out-5", "fan", 5, (Figure("wall_us", ratio=10), Figure("cpu_us")), PLAIN),
    Case("in-flight-2000", "flight", 2_000, IN_FLIGHT, WAITING),
    Case("in-flight-10000", "flight", 10_000, IN_FLIGHT, WAITING_MANY, heavy=True),
    Case("durable-1", "durable", 1, (Figure("calls_per_s", ratio=2), Figure("cpu_us")), SAVED),
    Case("durable-64", "durable", 64, (Figure("calls_per_s", ratio=10), Figure("cpu_us")), SAVED),
    Case("durable-each-1", "durable", 1, (Figure("calls_per_s", ratio=2), Figure("cpu_us")), SAVED_EACH),
    Case("durable-each-64", "durable", 64, (Figure("calls_per_s", ratio=10), Figure("cpu_us")), SAVED_EACH),
    Case("resume-100000", "resume", 100_000, (Figure("first_call_s", at_most=2),), {OURS: ("run",)}, heavy=True),
)


class Runner(NamedTuple):
    """A system in one of its modes."""

    system: str
    mode: str
    python: str


class Missing(NamedTuple):
    """What could not be installed or measured."""

    peer: str
    case: str
    reason: str


@dataclass(frozen=True, slots=True)
class Spread:
    """The turns of one figure."""

    median: float
    low: float
    high: float
    turns: int


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours, beside one peer if there is any."""

    case: str
    figure: str
    ours: Spread
    peer: str | None = None
    mode: str | None = None
    """How the peer ran."""
    theirs: Spread | None = None
    ratio: float | None = None
    """How many times better ours is."""
    goal: str | None = None
    met: bool | None = None


def interpreter(peer: str) -> str:
    """Python of a peer's environment, made anew whenever its requirements or our Python changed."""
    folder, wanted = ROOT / ".bench" / peer, PEERS / f"{peer}.txt"
    python, made = folder / ("Scripts" if os.name == "nt" else "bin") / "python", folder / "made.txt"
    content = f"# {sys.version}\n{wanted.read_text(encoding='utf-8')}"
    if not made.exists() or made.read_text(encoding="utf-8") != content:
        print(f"installing {peer} in {folder}", file=sys.stderr)
        _said([sys.executable, "-m", "venv", "--clear", str(folder)])
        _said([str(python), "-m", "pip", "install", "-q", "-r", str(wanted)])
        made.write_text(content, encoding="utf-8")
    return str(python)


def sample(case: Case, runner: Runner, options: argparse.Namespace) -> Figures:
    """One measurement in a process of its own."""
    if case.kind == "resume":
        script = str(Path(__file__).with_name("resume.py"))
        folder = ["--folder", options.folder] if options.folder else []
        said = _said([runner.python, script, "--json", "--effects", str(case.size), *folder])
        return {"first_call_s": json.loads(said)["resumed"]["first_call"]}
    order = {
        "system": f"on_{runner.system.replace('-', '_')}", "mode": runner.mode, "kind": case.kind, "size": case.size,
        "seconds": 0.1 if options.quick else 1.0, "synchronous": options.synchronous, "folder": options.folder,
    }  # fmt: skip
    made: Figures = json.loads(_said([runner.python, str(PEERS / "measure.py"), json.dumps(order)]))
    return made


def _said(command: Sequence[str]) -> str:
    """Stdout of a program that must succeed; RuntimeError with its last words if it does not."""
    environment = os.environ | {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}
    if command[0] != sys.executable:
        environment.pop("PYTHONPATH", None)  # what is on it belongs to another environment
    try:
        done = subprocess.run(  # noqa: S603  # this very program and what it installed
            command, check=False, capture_output=True, text=True, env=environment, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"given up after {LIMIT} s") from None
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    return done.stdout


def install(peers: Sequence[str]) -> tuple[dict[str, str], list[Missing]]:
    """The interpreter of each system; a peer that does not install takes no part."""
    pythons, missing = {OURS: sys.executable}, []
    for peer in peers:
        try:
            pythons[peer] = interpreter(peer)
        except RuntimeError as failed:
            missing.append(Missing(peer, "every case", str(failed)))
    return pythons, missing


def take_turns(
    case: Case, runners: Sequence[Runner], options: argparse.Namespace
) -> tuple[dict[Runner, list[Figures]], list[Missing]]:
    """Figures of each system, measured one after the other, again and again; a peer that fails leaves the case."""
    turns = 7 if not options.quick else 1 if case.heavy else 3
    taken: dict[Runner, list[Figures]] = {runner: [] for runner in runners}
    missing = []
    for turn in range(turns):
        for runner in list(taken):
            print(f"{case.name}, turn {turn + 1} of {turns}: {runner.system} {runner.mode}", file=sys.stderr)
            try:
                taken[runner].append(sample(case, runner, options))
            except RuntimeError as failed:
                if runner.system == OURS:
                    raise SystemExit(f"{case.name}: {failed}") from None
                del taken[runner]
                missing.append(Missing(f"{runner.system} {runner.mode}", case.name, str(failed)))
    return taken, missing


def compared(case: Case, samples: Mapping[Runner, Sequence[Figures]]) -> list[Row]:
    """A row for each figure and peer, the peer in its best mode; a row without a peer where there is none."""
    rows = []
    for figure in case.figures:
        spreads = {
            runner: spread([turn[figure.name] for turn in turns])
            for runner, turns in samples.items()
            if figure.name in turns[0]
        }
        (ours,) = (of for runner, of in spreads.items() if runner.system == OURS)
        peers = dict.fromkeys(runner.system for runner in spreads if runner.system != OURS)
        for peer in peers:
            ways = {runner: of for runner, of in spreads.items() if runner.system == peer}
            best = (max if figure.more_is_better else min)(ways, key=lambda runner: ways[runner].median)
            rows.append(beside(case, figure, ours, best, ways[best]))
        if not peers:
            met = None if figure.at_most is None else ours.median <= figure.at_most
            goal = None if figure.at_most is None else f"<= {figure.at_most:g}"
            rows.append(Row(case.name, figure.name, ours, goal=goal, met=met))
    return rows


def beside(case: Case, figure: Figure, ours: Spread, runner: Runner, theirs: Spread) -> Row:
    """Ours compared with one peer."""
    ratio = ours.median / theirs.median if figure.more_is_better else theirs.median / ours.median
    wanted = figure.ratio if runner.system == "langgraph" else None
    goal, met = (None, None) if wanted is None else (f">= {wanted:g}x", ratio >= wanted)
    return Row(case.name, figure.name, ours, runner.system, runner.mode, theirs, ratio, goal, met)


def spread(turns: Sequence[float]) -> Spread:
    return Spread(statistics.median(turns), min(turns), max(turns), len(turns))


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    try:
        commit = _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]).strip()
    except (RuntimeError, OSError):
        commit = "unknown"
    return {
        "commit": commit, "system": platform.platform(), "processor": _processor(), "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version,
    }  # fmt: skip


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def versions(python: str, system: str) -> dict[str, str]:
    """Releases that a system is made of, as its environment has them."""
    code = "import sys\nfrom importlib.metadata import version\nprint(*map(version, sys.argv[1:]))"
    return dict(zip(PACKAGES[system], _said([python, "-c", code, *PACKAGES[system]]).split(), strict=True))


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as text: medians, with the lowest and the highest turn."""
    lines = [f"{'case':<16}{'figure':<13}{'orchestra':>30}  {'peer':<30}{'':>30}{'ratio':>9}{'goal':>8}  met"]
    for row in rows:
        peer = f"{row.peer} {row.mode}" if row.peer else "-"
        theirs = _shown(row.theirs) if row.theirs else "-"
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else "-"
        met = {True: "yes", False: "NO", None: "-"}[row.met]
        lines.append(
            f"{row.case:<16}{row.figure:<13}{_shown(row.ours):>30}  {peer:<30}{theirs:>30}{ratio:>9}"
            f"{row.goal or '-':>8}  {met}"
        )
    return lines


def _shown(of: Spread) -> str:
    digits = 0 if of.high >= 100 else 2
    return f"{of.median:,.{digits}f} ({of.low:,.{digits}f} to {of.high:,.{digits}f})"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter turns: the shape of the table, no verdict"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    peers = [name for name in PACKAGES if name != OURS]
    parser.add_argument("--peers", type=_names([*peers, "none"]), default=peers, metavar="NAME,...")
    parser.add_argument("--only", type=_names([case.name for case in CASES]), default=None, metavar="CASE,...")
    parser.add_argument("--synchronous", choices=["full", "normal"], default="full", help="of SQLite, on both sides")
    parser.add_argument("--folder", default=None, help="where journals are written (default: the temporary folder)")
    return parser.parse_args()


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Reads names with commas between them."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"no {unknown[0]!r}; there are {', '.join(known)}")
        return names

    return read


def main() -> None:
    options = parsed()
    pythons, missing = install([peer for peer in options.peers if peer != "none"])
    found = {system: versions(python, system) for system, python in pythons.items()}
    where = machine()
    rows: list[Row] = []
    for case in CASES:
        if options.only is None or case.name in options.only:
            runners = [Runner(s, mode, python) for s, python in pythons.items() for mode in case.modes.get(s, ())]
            taken, failed = take_turns(case, runners, options)
            rows += compared(case, taken)
            missing += failed
    if options.json:
        shape = {"quick": options.quick, "synchronous": options.synchronous, "machine": where, "versions": found}
        print(json.dumps({**shape, "rows": [asdict(row) for row in rows], "missing": [m._asdict() for m in missing]}))
        return
    print("\n".join(table(rows)))
    for name in missing:
        print(f"not measured: {name.peer}, {name.case}: {name.reason}")
    print(
        f"durable runs: PRAGMA synchronous = {options.synchronous}; what they promise stands at the top of this script"
    )
    for system, releases in found.items():
        print(f"{system}: {', '.join(f'{name} {release}' for name, release in releases.items())}")
    print(", ".join(f"{name} {value}" for name, value in where.items()))


if __name__ == "__main__":
    main()
