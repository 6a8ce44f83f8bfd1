"""JSON and YAML files of teams and of patches: read with suspicion, written whole.

A reader refuses what is too long, keys that stand twice, and aliases, which can grow without bound. A writer keeps the
order of keys, so that equal data has equal bytes, and writes texts of several lines as such.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from orchestra.atomic import write_atomic
from orchestra.errors import BadData

LONGEST = {".json": 200_000_000, ".yaml": 4_000_000, ".yml": 4_000_000}
"""Bytes of a team file; more is refused unread. The largest graph fits in JSON; YAML takes a minute for what it may."""


def read(path: Path) -> Any:
    """The data of a file, by its ending; BadData, in one line, where it cannot be had."""
    longest = LONGEST[_ending(path)]
    try:
        if (size := path.stat().st_size) > longest:
            raise BadData(f"team file {str(path)!r}: {size:,} bytes; at most {longest:,} are accepted")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"team file {str(path)!r} cannot be read: {error}; fix: a UTF-8 {path.suffix} file") from None
    try:
        if path.suffix == ".json":
            return json.loads(text, object_pairs_hook=_once)
        return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader, below)
    except (ValueError, TypeError, yaml.YAMLError, RecursionError) as error:
        kind, said = "JSON" if path.suffix == ".json" else "YAML", " ".join(str(error).split())
        fix = "fix: that place, or a file that `orchestra save` writes"
        raise BadData(f"team file {str(path)!r}: expected {kind}, got: {said}; {fix}") from None


def write(path: Path, data: Any) -> None:
    """Writes plain data as the file's ending says, whole or not at all."""
    ending = _ending(path)
    try:
        text = json.dumps(data, indent=1, ensure_ascii=False) + "\n" if ending == ".json" else to_yaml(data)
        written = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadData(f"team file {str(path)!r}: a text in it is no UTF-8: {error}; fix: that text") from None
    if len(written) > LONGEST[ending]:
        raise BadData(f"team file {str(path)!r}: {len(written):,} bytes are more than is read back; fix: a .json file")
    write_atomic(path, written)


def to_yaml(data: Any) -> str:
    """Plain data as YAML.

    >>> print(to_yaml({"name": "judge", "prompt": "Who is right?\\nSay why."}), end="")
    name: judge
    prompt: |-
      Who is right?
      Say why.
    """
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30)


def _ending(path: Path) -> str:
    if path.suffix not in LONGEST:
        raise BadData(f"team file {str(path)!r}: expected .json, .yaml or .yml")
    return path.suffix


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"key {key!r} stands twice in one object")
        seen[key] = value
    return seen


class _Loader(yaml.SafeLoader):
    """YAML without aliases (which can grow without bound) and without duplicate keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"line {line}: aliases are not accepted")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        return _once(
            [(self.construct_object(k, deep=True), self.construct_object(v, deep=True)) for k, v in node.value]
        )


def _mapping(loader: _Loader, node: Any) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


class _Dumper(yaml.SafeDumper):
    """YAML that the loader above takes: what stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """A block for a text of several lines. Other line breaks than \\n would be read back as \\n, save in quotes."""
    style = '"' if any(mark in text for mark in "\r\x85\u2028\u2029") else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
