"""Language models beside their peers, in one table: short decisions, trees, a debate, mixed adapters.

    python -m scripts.bench.models [--quick] [--json] [--only CASE,...] [--systems SYSTEM,...]
                                   [--model smollm2] [--tokens 32] [--turns 3] [--threads N]

`sequential` is one call of transformers' `generate` a decision, `static` its left-padded batches of 64, both bf16;
`default` and `fast` are ours; `compiled` is `static` through torch.compile; `onnxruntime` is ONNX Runtime GenAI in
int8, in an environment of its own. Ours run the teams themselves. A peer is given all that a run of ours asked, at
once, in the order that suits it, and its replies have the full length: its rate is its best. `sequential` answers a few
of the requests, others in each turn, and its seconds are scaled up.

Each system answers each case in a process of its own. The systems take turns, every second time backwards, after a
first call that is not counted; medians are shown. Memory is the most that the process held while it answered, weights
included. Reused is the share of prompt tokens that was not computed again. The roofline is the time in which this
machine could have made the system's own forward passes: reading the weights once a pass ("memory") or the products of
all tokens ("products"), whichever takes longer at the rates measured first in the same run; the share that was reached
is shown. Keys and values, attention and adapters are left out of it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from orchestra.models import names
from scripts.bench.engine import PEERS, ROOT, Missing, interpreter, machine
from scripts.bench.peers.child import Child, Figures
from scripts.bench.peers.weights import Shape, random_adapters, shape


class System(NamedTuple):
    """One that answers."""

    module: str
    mode: str
    weight: float
    """Bytes of memory that a weight takes in a forward pass, scales included."""
    products: str = "bf16"
    """Number format of the products, at most that fast."""
    cases: tuple[str, ...] = ()
    """Those that it takes part in; empty: all."""


SHORT = ("decisions-64", "decisions-256")
SYSTEMS = {
    "sequential": System("with_transformers", "sequential", 2),
    "static": System("with_transformers", "static", 2),
    "default": System("with_orchestra", "default", 2),
    "fast": System("with_orchestra", "fast", 1 + 4 / 64),
    "compiled": System("with_transformers", "compiled", 2, cases=SHORT),
    "onnxruntime": System("with_onnxruntime", "int8", 1 + 4 / 32, "int8", SHORT),
}
OURS = ("default", "fast")
SAMPLE = 4
"""Decisions that `sequential` answers in a turn."""


class Goal(NamedTuple):
    """Times the tokens per second of a peer, by the default back-end and by the fast one."""

    peer: str
    default: float
    fast: float


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked."""

    name: str
    kind: str
    size: int
    """Decisions, trees or debaters."""
    adapters: int = 0
    """Mixed in the batch."""
    goal: Goal | None = None


CASES = (
    Case("decisions-1", "decisions", 1),
    Case("decisions-8", "decisions", 8),
    Case("decisions-64", "decisions", 64, goal=Goal("static", 2.5, 4)),
    Case("decisions-256", "decisions", 256),
    Case("trees-8", "trees", 8, goal=Goal("sequential", 15, 25)),
    Case("debaters-20", "debate", 20),
    Case("adapters-1", "decisions", 64, 1),
    Case("adapters-3", "decisions", 64, 3),
    Case("adapters-16", "decisions", 64, 16),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One system in one case; medians of the turns."""

    case: str
    system: str
    rate: float
    """Generated tokens a second, prompts included."""
    seconds: float
    """For the whole case; where a part was answered, scaled up."""
    to_sequential: float | None
    to_static: float | None
    """How many times the rate of these."""
    peak: int
    """Bytes of memory."""
    reused: float
    bound: str
    """Which limit of the machine is nearer."""
    roofline: float
    """Share of that limit that was reached."""
    goal: str | None = None
    met: bool | None = None


def pythons(systems: Sequence[str], folder: Path) -> tuple[dict[str, tuple[str, Path]], list[Missing]]:
    """The interpreter of each system and the folder of its weights; a peer that cannot be made takes no part."""
    made, missing = {}, []
    for name in systems:
        try:
            made[name] = onnx(folder) if name == "onnxruntime" else (sys.executable, folder)
        except (RuntimeError, subprocess.CalledProcessError) as failed:
            missing.append(Missing(name, "every case", _last_words(failed)))
    return made, missing


def onnx(folder: Path) -> tuple[str, Path]:
    """Its environment, and the folder that its builder made of these weights, kept beside the environment."""
    python = interpreter("onnxruntime-genai")
    target = ROOT / ".bench" / "onnxruntime-genai" / folder.name
    if not (target / "genai_config.json").exists():
        command = [python, "-m", "onnxruntime_genai.models.builder", "-i", str(folder), "-o", str(target)]
        offline = os.environ | {"HF_HUB_OFFLINE": "1"}
        offline.pop("PYTHONPATH", None)
        subprocess.run(  # noqa: S603  (what was installed)
            [*command, "-p", "int8", "-e", "cpu"], check=True, capture_output=True, text=True, env=offline
        )
    return python, target


def _last_words(failed: Exception) -> str:
    said = failed.stderr if isinstance(failed, subprocess.CalledProcessError) else str(failed)
    return (said.strip().splitlines() or [str(failed)])[-1]


@contextmanager
def children(
    case: Case, places: Mapping[str, tuple[str, Path]], adapters: Sequence[str], options: argparse.Namespace
) -> Iterator[tuple[dict[str, Child], list[Missing]]]:
    """A process of each system that takes part, loaded."""
    started: dict[str, Child] = {}
    missing = []
    with ExitStack() as stack:
        for name, (python, folder) in places.items():
            system = SYSTEMS[name]
            if system.cases and case.name not in system.cases:
                continue
            setup = {
                "module": system.module, "mode": system.mode, "model": str(folder), "tokens": options.tokens,
                "threads": options.threads, "adapters": list(adapters[: case.adapters]) or [""],
                "case": case.kind, "size": case.size,
            }  # fmt: skip
            try:
                started[name] = Child(python, setup)
                stack.callback(started[name].close)
            except RuntimeError as failed:
                missing.append(_missing(name, case, failed))
        yield started, missing


def take_turns(case: Case, running: Mapping[str, Child], turns: int) -> tuple[dict[str, list[Figures]], list[Missing]]:
    """Figures of each system, one after another, again and again; a peer that fails leaves the case."""
    running = dict(running)
    recorder = next(name for name in OURS if name in running)
    taken: dict[str, list[Figures]] = {name: [] for name in running}
    missing = []
    asked: list[Any] = []
    for turn in range(turns + 1):
        # Ours go first in the turn that is not counted: what they ask then is what peers are given.
        order = sorted(running, key=lambda name: name != recorder)
        for name in order[::-1] if turn % 2 else order:
            print(f"{case.name}, turn {turn} of {turns}: {name}", file=sys.stderr)
            share = min(1.0, SAMPLE / len(asked)) if name == "sequential" else 1.0
            try:
                done = running[name]({"turn": turn} | ({} if name in OURS else {"asked": asked, "share": share}))
            except RuntimeError as failed:
                if name in OURS:
                    raise SystemExit(f"{case.name}, {name}: {failed}") from None
                del running[name], taken[name]
                missing.append(_missing(name, case, failed))
                continue
            said = done.pop("said")
            if name == recorder and turn == 0:
                asked = said
            if turn:
                taken[name].append(done | {"share": done["decisions"] / len(asked)})
    return taken, missing


def _missing(name: str, case: Case, failed: RuntimeError) -> Missing:
    if name in OURS:
        raise SystemExit(f"{case.name}, {name}: {failed}")
    return Missing(name, case.name, str(failed))


def rows(case: Case, taken: Mapping[str, Sequence[Figures]], roofs: Figures, weights: Shape) -> list[Row]:
    """The systems beside each other."""
    rates = {name: statistics.median(done["tokens"] / done["seconds"] for done in of) for name, of in taken.items()}
    return [row(case, name, of, rates, roofs, weights) for name, of in taken.items()]


def row(
    case: Case, name: str, turns: Sequence[Figures], rates: Mapping[str, float], roofs: Figures, weights: Shape
) -> Row:
    limits = [limit(SYSTEMS[name], done, roofs, weights) for done in turns]
    shares = [seconds / done["seconds"] for (_, seconds), done in zip(limits, turns, strict=True)]
    goal = case.goal if name in OURS and case.goal and case.goal.peer in rates else None
    times = getattr(goal, name) if goal else 0.0
    return Row(
        case=case.name,
        system=name,
        rate=rates[name],
        seconds=statistics.median(done["seconds"] / done["share"] for done in turns),
        to_sequential=rates[name] / rates["sequential"] if "sequential" in rates else None,
        to_static=rates[name] / rates["static"] if "static" in rates else None,
        peak=max(done["peak"] for done in turns),
        reused=1 - sum(done["computed"] for done in turns) / sum(done["asked"] for done in turns),
        bound=limits[0][0],
        roofline=statistics.median(shares),
        goal=f">= {times:g}x {goal.peer}" if goal else None,
        met=rates[name] >= times * rates[goal.peer] if goal else None,
    )


def limit(system: System, done: Figures, roofs: Figures, weights: Shape) -> tuple[str, float]:
    """Which limit is nearer, and the seconds in which the machine could have done this."""
    products = 2 * (weights.body * (done["computed"] + done["tokens"]) + weights.head * done["tokens"])
    seconds = {
        "memory": done["passes"] * system.weight * sum(weights) / roofs["bandwidth"],
        "products": products / roofs[system.products],
    }
    nearer = max(seconds, key=lambda name: seconds[name])
    return nearer, seconds[nearer]


def table(found: Sequence[Row]) -> list[str]:
    heads = f"{'case':<15}{'system':<13}{'tokens/s':>9}{'seconds':>9}{'x sequential':>14}{'x static':>10}{'memory':>9}"
    lines = [f"{heads}{'reused':>8}  {'roofline':<16}{'goal':<17}met"]
    for one in found:
        ratios = [f"{ratio:.2f}" if ratio is not None else "-" for ratio in (one.to_sequential, one.to_static)]
        met = {True: "yes", False: "NO", None: "-"}[one.met]
        roofline = f"{one.roofline:.0%} {one.bound}"
        lines.append(
            f"{one.case:<15}{one.system:<13}{one.rate:>9.1f}{one.seconds:>9.2f}{ratios[0]:>14}{ratios[1]:>10}"
            f"{one.peak >> 20:>6} MB{one.reused:>8.0%}  {roofline:<16}{one.goal or '-':<17}{met}"
        )
    return lines


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one turn, 4 tokens, the model `tiny`: no verdict")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", type=_names([case.name for case in CASES]), metavar="CASE,...")
    parser.add_argument("--systems", type=_names(list(SYSTEMS)), default=list(SYSTEMS), metavar="SYSTEM,...")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--tokens", type=int, default=32, help="of a reply, at most")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if not set(options.systems) & set(OURS):
        parser.error(f"--systems needs one of {', '.join(OURS)}: peers are given what it asks")
    if options.quick:
        options.model, options.tokens, options.turns = "tiny", 4, 1
    return options


def _names(known: Sequence[str]) -> Any:
    """Reads names with commas between them."""

    def read(text: str) -> list[str]:
        given = text.split(",")
        if unknown := [name for name in given if name not in known]:
            raise argparse.ArgumentTypeError(f"no {unknown[0]!r}; there are {', '.join(known)}")
        return given

    return read


def main() -> None:
    options = parsed()
    folder = names.folder(options.model)
    places, missing = pythons(options.systems, folder)
    command = [sys.executable, str(PEERS / "roofline.py"), str(options.threads)]
    roofs = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)  # noqa: S603
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        cases = [case for case in CASES if options.only is None or case.name in options.only]
        if options.quick:
            cases = [replace(case, goal=None) for case in cases]
        adapters = random_adapters(folder, Path(scratch), max(case.adapters for case in cases))
        for case in cases:
            with children(case, places, adapters, options) as (running, absent):
                taken, failed = take_turns(case, running, options.turns)
            found += rows(case, taken, roofs, shape(folder))
            missing += absent + failed
    shown = {"model": options.model, "tokens": options.tokens, "turns": options.turns, "threads": options.threads}
    if options.json:
        whole = {**shown, "machine": machine(), "roofline": roofs}
        print(json.dumps({**whole, "rows": [asdict(r) for r in found], "missing": [m._asdict() for m in missing]}))
        return
    print("\n".join(table(found)))
    for name in missing:
        print(f"not measured: {name.peer}, {name.case}: {name.reason}")
    gigabytes, *products = (roofs[name] / 1e9 for name in ("bandwidth", "bf16", "int8"))
    print(f"roofline: {gigabytes:.1f} GB/s, products {products[0]:.0f} GFLOP/s in bf16, {products[1]:.0f} in int8")
    print(", ".join(f"{name} {value}" for name, value in (shown | machine()).items()))


if __name__ == "__main__":
    main()
