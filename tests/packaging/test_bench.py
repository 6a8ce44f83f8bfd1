"""The benchmarks of engine and models: what they print, how they compare, and that a lost decision is noticed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.bench import engine, models
from scripts.bench.peers import measure
from scripts.bench.peers.answer import picked
from scripts.bench.peers.weights import Shape

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "bench" / "engine.py"
OURS = engine.Runner(engine.OURS, "run", "python")


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, cwd=ROOT)


def test_one_json_object_with_the_promised_keys() -> None:
    done = bench("--peers", "none", "--quick", "--only", "sequential-3", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert set(said) == {"quick", "synchronous", "machine", "versions", "rows", "missing"}
    assert set(said["machine"]) == {"commit", "system", "processor", "cores", "load", "python", "sqlite"}
    assert [(row["case"], row["figure"], row["peer"]) for row in said["rows"]] == [
        ("sequential-3", "wall_us", None),
        ("sequential-3", "cpu_us", None),
    ]
    assert all(0 < row["ours"]["low"] <= row["ours"]["median"] <= row["ours"]["high"] for row in said["rows"])
    assert said["missing"] == []


@pytest.mark.parametrize(("option", "names"), [("--peers", "lang"), ("--only", "sequential-3,sequential-4")])
def test_an_unknown_name_is_refused_with_those_that_there_are(option: str, names: str) -> None:
    done = bench(option, names)
    assert done.returncode == 2
    assert f"argument {option}: no '{names.rpartition(',')[2]}'; there are " in done.stderr.splitlines()[-1]


def runner(mode: str, peer: str = "langgraph") -> engine.Runner:
    return engine.Runner(peer, mode, "python")


@pytest.mark.parametrize(
    ("figure", "ours", "theirs", "ratio", "mode", "met"),
    [
        ("wall_us", [30.0, 10.0, 20.0], {"ainvoke": [400.0], "invoke": [500.0]}, 20.0, "ainvoke", True),
        ("wall_us", [21.0], {"ainvoke": [400.0], "invoke": [500.0]}, 400 / 21, "ainvoke", False),
        ("calls_per_s", [2000.0], {"ainvoke": [90.0], "invoke": [100.0]}, 20.0, "invoke", True),
        ("calls_per_s", [1999.0], {"ainvoke": [90.0], "invoke": [100.0]}, 19.99, "invoke", False),
    ],
)
def test_medians_are_compared_with_the_peers_best_way_to_run(
    figure: str, ours: list[float], theirs: dict[str, list[float]], ratio: float, mode: str, met: bool
) -> None:
    case = engine.Case("case", "chain", 3, (engine.Figure(figure, ratio=20),))
    samples = {OURS: ours} | {runner(name): turns for name, turns in theirs.items()}
    (row,) = engine.compared(case, {who: [{figure: turn} for turn in turns] for who, turns in samples.items()})
    assert (row.ratio, row.mode, row.met, row.goal) == (pytest.approx(ratio), mode, met, ">= 20x")
    assert (row.ours.low, row.ours.high, row.ours.turns) == (min(ours), max(ours), len(ours))


def test_only_langgraph_has_goals_and_a_limit_needs_no_peer() -> None:
    case = engine.Case("case", "chain", 3, (engine.Figure("wall_us", ratio=20),))
    (row,) = engine.compared(case, {OURS: [{"wall_us": 1.0}], runner("run", "autogen"): [{"wall_us": 9.0}]})
    assert (row.ratio, row.goal, row.met) == (9.0, None, None)

    alone = engine.Case("case", "resume", 1, (engine.Figure("first_call_s", at_most=2),))
    rows = [engine.compared(alone, {OURS: [{"first_call_s": took}]})[0] for took in (1.9, 2.1)]
    assert [(row.goal, row.met) for row in rows] == [("<= 2", True), ("<= 2", False)]


def test_a_peer_that_fails_leaves_its_case_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def sample(case: engine.Case, who: engine.Runner, options: object) -> engine.Figures:
        if who.mode == "invoke":
            raise RuntimeError("out of memory")
        return {"wall_us": 1.0}

    monkeypatch.setattr(engine, "sample", sample)
    case, runners = engine.CASES[0], [OURS, runner("ainvoke"), runner("invoke")]
    taken, missing = engine.take_turns(case, runners, SimpleNamespace(quick=True))
    assert {who.mode: len(turns) for who, turns in taken.items()} == {"run": 3, "ainvoke": 3}
    assert missing == [engine.Missing("langgraph invoke", "sequential-3", "out of memory")]


def test_a_peer_that_does_not_install_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def interpreter(peer: str) -> str:
        if peer == "autogen":
            raise RuntimeError("ERROR: No matching distribution")
        return f"python of {peer}"

    monkeypatch.setattr(engine, "interpreter", interpreter)
    pythons, missing = engine.install(["langgraph", "autogen"])
    assert pythons == {engine.OURS: sys.executable, "langgraph": "python of langgraph"}
    assert missing == [engine.Missing("autogen", "every case", "ERROR: No matching distribution")]


def test_a_failure_of_ours_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    def sample(*_: object) -> engine.Figures:
        raise RuntimeError("TypeError: no such argument")

    monkeypatch.setattr(engine, "sample", sample)
    with pytest.raises(SystemExit, match="sequential-3: TypeError: no such argument"):
        engine.take_turns(engine.CASES[0], [OURS], SimpleNamespace(quick=True))


def system(speaks: int) -> SimpleNamespace:
    """A system whose runs of three agents have so many that speak."""

    def chain(agents: int, mode: str) -> Callable[[], Awaitable[int]]:
        async def run() -> int:
            return speaks

        return run

    return SimpleNamespace(chain=chain)


async def measured(speaks: int) -> measure.Figures:
    return await measure.chain(system(speaks), measure.Order("fake", "run", "chain", 3, seconds=0.001))


def test_a_team_that_lost_an_agent_is_not_measured() -> None:
    assert set(asyncio.run(measured(3))) == {"wall_us", "cpu_us"}
    with pytest.raises(AssertionError, match="agents spoke in"):
        asyncio.run(measured(2))


@pytest.mark.parametrize("peer", [name for name in engine.PACKAGES if name != engine.OURS])
def test_requirements_of_peers_are_pinned(peer: str) -> None:
    lines = (engine.PEERS / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
    assert all(line.count("==") == 1 for line in lines)
    assert {line.partition("==")[0] for line in lines} >= set(engine.PACKAGES[peer])


def done(tokens: int, seconds: float, **more: object) -> dict[str, object]:
    """What a system that answered everything says of itself."""
    said = {"asked": 100, "computed": 100, "passes": 10, "decisions": 4, "share": 1.0, "peak": 1, "said": []}
    return said | {"tokens": tokens, "seconds": seconds} | more


ROOFS = {"bandwidth": 1e3, "bf16": 1e6, "int8": 2e6}
FEW = Shape(body=100, head=10)


def test_models_are_compared_by_medians_of_their_rates() -> None:
    case = models.Case("case", "decisions", 4, goal=models.Goal("static", 2.5, 4))
    taken = {
        "sequential": [done(10, 1.0, share=0.25)] * 3,
        "static": [done(100, 1.0), done(100, 100.0), done(120, 1.0)],
        "default": [done(250, 1.0, computed=25), done(500, 1.0, computed=25), done(1, 1.0, computed=25)],
        "fast": [done(399, 1.0)],
    }
    sequential, static, default, fast = models.rows(case, taken, ROOFS, FEW)
    assert (sequential.rate, sequential.seconds) == (10.0, 4.0), "seconds are those of the whole case"
    assert (static.rate, static.to_sequential, static.to_static, static.goal) == (100.0, 10.0, 1.0, None)
    assert (default.rate, default.to_static, default.reused) == (250.0, 2.5, 0.75)
    assert (default.goal, default.met) == (">= 2.5x static", True)
    assert (fast.goal, fast.met) == (">= 4x static", False)
    assert models.rows(case, {"fast": taken["fast"]}, ROOFS, FEW)[0].goal is None, "no goal without its peer"


@pytest.mark.parametrize(
    ("passes", "computed", "tokens", "weight", "products", "wanted"),
    [
        (10, 1, 1, 2.0, "bf16", ("memory", 10 * 110 * 2 / 1e3)),
        (10, 1, 1, 1.0, "bf16", ("memory", 10 * 110 / 1e3)),
        (1, 10_000, 100, 2.0, "bf16", ("products", 2 * (100 * 10_100 + 10 * 100) / 1e6)),
        (1, 10_000, 100, 2.0, "int8", ("products", (100 * 10_100 + 10 * 100) / 1e6)),
    ],
)
def test_the_roofline_is_the_longer_of_weights_read_and_products(
    passes: int, computed: int, tokens: int, weight: float, products: str, wanted: tuple[str, float]
) -> None:
    said = done(tokens, 1.0, passes=passes, computed=computed)
    name, seconds = models.limit(models.System("", "", weight, products), said, ROOFS, FEW)
    assert (name, seconds) == (wanted[0], pytest.approx(wanted[1]))


def test_other_decisions_are_picked_in_each_turn() -> None:
    turns = [picked(range(64), 4 / 64, turn) for turn in range(16)]
    assert all(len({*turn}) == 4 for turn in turns)
    assert {one for turn in turns for one in turn} == {*range(64)}
    assert picked([7], 0.01, 3) == [7] and picked("abc", 1.0, 0) == ["a", "b", "c"]


class Canned:
    """A child that says the same of itself in every turn, or fails in one of them."""

    def __init__(self, fails_in: int | None = None) -> None:
        self.orders: list[dict[str, object]] = []
        self.fails_in = fails_in

    def __call__(self, order: dict[str, object]) -> dict[str, object]:
        self.orders.append(order)
        if order["turn"] == self.fails_in:
            raise RuntimeError("out of memory")
        return done(5, 1.0, said=[[[1, 2], 0]] * 8)


def test_peers_are_given_what_ours_asked_and_may_fail() -> None:
    running = {name: Canned() for name in ("sequential", "static", "default")} | {"compiled": Canned(fails_in=2)}
    taken, missing = models.take_turns(models.CASES[0], running, 2)
    assert {name: len(turns) for name, turns in taken.items()} == {"sequential": 2, "static": 2, "default": 2}
    assert missing == [models.Missing("compiled", "decisions-1", "out of memory")]
    assert [order["asked"] for order in running["static"].orders] == [[[[1, 2], 0]] * 8] * 3
    assert [order["share"] for order in running["sequential"].orders] == [0.5] * 3
    assert all("asked" not in order for order in running["default"].orders)
    with pytest.raises(SystemExit, match="default: out of memory"):
        models.take_turns(models.CASES[0], {"default": Canned(fails_in=1)}, 2)


@pytest.mark.slow
def test_the_models_answer_in_processes_of_their_own() -> None:
    command = [sys.executable, "-m", "scripts.bench.models", "--quick", "--json"]
    cases = ["--systems", "static,default", "--only", "decisions-8,adapters-3"]
    said = json.loads(subprocess.run([*command, *cases], capture_output=True, text=True, cwd=ROOT, check=True).stdout)
    assert [(row["case"], row["system"]) for row in said["rows"]] == [
        (case, system) for case in ("decisions-8", "adapters-3") for system in ("static", "default")
    ]
    assert all(row["rate"] > 0 and row["peak"] > 1 << 27 and 0 < row["roofline"] < 1 for row in said["rows"])
    assert [row["reused"] > 0 for row in said["rows"]] == [False, True] * 2
    assert said["missing"] == []
