"""Team files: hostile ones are refused in one line, and what is written is read back equal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.errors import BadData, BadTeam, Unavailable
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.team.saving import files
from orchestra.team.saving.files import read, to_yaml, write

MODEL = Scripted([])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.json", '{"schema": 1, "schema": 1}', "key 'schema' stands twice"),
        ("t.yaml", "schema: 1\nteam: {name: a, name: b}", "key 'name' stands twice"),
        ("t.yaml", "a: &x [1]\nb: *x", "line 2: aliases are not accepted"),
        ("t.yaml", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "aliases are not accepted"),
        ("t.yaml", "!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("t.yaml", "team: !!python/object:orchestra.team.Team {}", "could not determine a constructor"),
        ("t.yaml", "? [a, b]\n: c", "unhashable"),
        ("t.yaml", "<<: {a: 1}", "constructor"),
        ("t.yaml", "a: [", "expected"),
        ("t.yaml", "--- 1\n--- 2", "document"),
        ("t.yaml", "schema: 1\nteam: 2020-01-01", "unexpected datetime"),
        ("t.yaml", "schema: 1\nteam: !!set {a, b}", "unexpected"),
        ("t.json", "{", "property name"),
        ("t.json", "[" * 100_000, "recursion"),
        (
            "t.json",
            '{"schema": 1, "team": ' + "[" * 900 + "]" * 900 + "}",
            "nested too deeply|Team|unexpected|expected",
        ),
        ("t.json", '{"schema": 1, "team": ' + "9" * 5000 + "}", "digit"),
        ("t.json", "null", "not a saved team"),
        ("t.toml", "", "expected .json, .yaml or .yml"),
    ],
)
def test_hostile_files_are_refused_in_one_line(name, text, said, tmp_path):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises((BadData, BadTeam), match=said) as caught:
        Team.load(path, MODEL)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_absent_no_text_or_too_long_is_refused(tmp_path, monkeypatch):
    with pytest.raises(BadData, match="cannot be read"):
        Team.load(tmp_path / "absent.json", MODEL)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadData, match="cannot be read"):
        Team.load(tmp_path / "bytes.json", MODEL)
    monkeypatch.setitem(files.LONGEST, ".json", 10)
    (tmp_path / "long.json").write_text('{"schema": 1}')
    with pytest.raises(BadData, match="13 bytes; at most 10 are accepted"):
        Team.load(tmp_path / "long.json", MODEL)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text(
    " \n\t\r\x85\u2028:#-'\"|>a", max_size=12
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(data=DATA)
@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_any_data_comes_back_equal(tmp_path_factory, ending, data):
    path = tmp_path_factory.getbasetemp() / f"data.{ending}"
    write(path, data)
    assert read(path) == data and repr(read(path)) == repr(data)


def test_texts_of_several_lines_are_blocks_and_keys_keep_their_order():
    text = to_yaml({"schema": 1, "b": "one\n  two\n\nthree\n", "a": ["yes", "1.5", "no\u2028line\n", "w " * 100]})
    assert text.splitlines()[:6] == ["schema: 1", "b: |", "  one", "    two", "", "  three"]
    assert text.splitlines()[6:] == ["a:", "- 'yes'", "- '1.5'", '- "no\\Lline\\n"', f"- '{'w ' * 100}'"]


def test_what_stands_twice_is_written_twice():
    shared = ["x"]
    assert to_yaml({"a": shared, "b": shared}) == "a:\n- x\nb:\n- x\n"


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "t.yaml"
    write(path, {"a": 1})
    with pytest.raises(BadData, match="a text in it is no UTF-8"):
        write(path.with_suffix(".json"), {"a": "\ud800"})
    with pytest.raises(BadData, match=r"expected \.json, \.yaml or \.yml"):
        write(tmp_path / "t.toml", {})
    with pytest.raises(Unavailable, match="cannot write"):
        write(tmp_path / "absent" / "t.json", {})
    assert read(path) == {"a": 1} and list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_that_would_not_be_read(tmp_path, monkeypatch):
    monkeypatch.setitem(files.LONGEST, ".yaml", 10)
    with pytest.raises(BadData, match=r"bytes are more than is read back; fix: a \.json file"):
        write(tmp_path / "t.yaml", {"a": "a long text"})
