"""A tiny model in a cache of its own, and decisions made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Completion, Key, Request, Task, Usage


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For a model this small two threads only wait for each other, ten times as long where the machine is busy."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of `tiny`, in a cache of this session's."""
    from orchestra.models import names

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield names.folder("tiny", lambda *_: None)


@pytest.fixture(scope="session")
def decide() -> Callable[..., Decision]:
    """A decision that read `prompt` and sampled `output`."""

    def made(
        name: str = "d",
        prompt: tuple[int, ...] | None = (5, 6),
        output: tuple[int, ...] | None = (7, 8),
        *,
        draw: int = 0,
        role: str = "solver",
        text: str = "hi",
        options: tuple[str, ...] = (),
        prefix: Key | None = None,
        **said: object,
    ) -> Decision:
        mask = (1,) * len(output) if output is not None else None
        whole = {"mask": mask, "logprobs": None, "finish": "stop", "usage": Usage(calls=1), **said}
        completion = Completion(text, prompt, output, **whole)  # type: ignore[arg-type]
        request = Request((("user", name),), options=options, prefix=prefix)
        return Decision(Key(name, draw), (), role, role, role, 0, 0, f"{role}@0", "w", request, completion)

    return made


@pytest.fixture(scope="session")
def run_of() -> Callable[..., Trajectory]:
    """A trajectory without branches."""

    def made(*decisions: Decision, run: str = "t", prompt: str = "1 + 1?", split: str = "") -> Trajectory:
        leaf = Leaf(tuple(d.key for d in decisions), None, "end", Usage())
        return Trajectory(run, Task(run, prompt, split=split), 0, "team", decisions, (), (leaf,))

    return made
