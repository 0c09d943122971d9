"""The strict JSON reader: what it refuses, and where it says so."""

from __future__ import annotations

import json

import pytest

from edgeplan.errors import InvalidInputError
from edgeplan.models import document as reader
from edgeplan.models.document import MAX_DEPTH, parse, sha256


def refusal(data: bytes | str) -> str:
    """The one line with which the reader refuses the text as a whole."""
    with pytest.raises(InvalidInputError) as caught:
        parse(data, source="file.json")
    (line,) = caught.value.lines()
    assert "\n" not in line
    assert line.endswith("[file.json]")
    return line


def found(text: str) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.rule) for fault in parse(text)[1]]


def test_plain_values_come_back_as_they_were_written() -> None:
    written = {"a": [1, 2.5, "é", True, None, {}], "b": {"c": []}}
    assert parse(json.dumps(written)) == (written, [])


@pytest.mark.parametrize("text", [b"", b"   ", b"\n\t"])
def test_empty_text_is_refused(text: bytes) -> None:
    assert "empty: must be a JSON object" in refusal(text)


def test_text_that_is_not_json_is_refused_with_line_and_column() -> None:
    assert "not JSON at line 2 column 3" in refusal('{"a": 1,\n  nope}')


@pytest.mark.parametrize("text", ['{"a": 1} x', "{'a': 1}", '{"a": 1,}', '{"a": 01}', '{"a": "\t"}', '{"a"}'])
def test_text_that_is_nearly_json_is_refused(text: str) -> None:
    assert "not JSON at line 1" in refusal(text)


def test_a_byte_that_is_not_utf_8_is_refused_with_its_place() -> None:
    assert "byte 7 is not UTF-8" in refusal(b'{"a": "\xff"}')


def test_utf_16_is_refused() -> None:
    assert "not UTF-8" in refusal('{"a": 1}'.encode("utf-16"))


def test_a_byte_order_mark_is_refused() -> None:
    assert "byte-order mark" in refusal(b"\xef\xbb\xbf{}")


def test_depth_is_allowed_up_to_the_cap_and_not_beyond() -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)[1] == []
    assert "nested too deep" in refusal("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("open_close", [("[", "]"), ('{"a":', "}")])
def test_a_hundred_thousand_levels_are_refused_without_a_crash(open_close: tuple[str, str]) -> None:
    left, right = open_close
    assert "nested too deep" in refusal(left * 100_000 + "1" + right * 100_000)


def test_a_document_beyond_the_size_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_DOCUMENT_BYTES", 10)
    assert parse(b'{"a":  12}') == ({"a": 12}, [])
    assert "11 bytes: must be at most 10 bytes" in refusal(b'{"a":  123}')


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_found_with_their_place(constant: str) -> None:
    assert [place for place, _ in found(f'{{"a": [0, {constant}]}}')] == ["/a/1"]


def test_repeated_keys_are_found_at_every_depth() -> None:
    faults = found('{"a": {"b": 1, "b": 2}, "c": [{"d/e": 1, "d/e": 1}], "a": {"b": 1, "b": 2}}')
    assert {place for place, _ in faults} == {"/a", "/a/b", "/c/0/d~1e"}
    assert all("key appears more than once" in rule for _, rule in faults)


def test_a_key_that_utf_8_cannot_hold_is_found() -> None:
    assert any("lone surrogate" in rule for _, rule in found('{"\\ud800": 1}'))


def test_an_integer_of_five_thousand_digits_is_read_without_harm() -> None:
    document, faults = parse("[" + "9" * 5000 + "]")
    assert (document, faults) == ([float("inf")], [])


def test_notes_are_dropped_at_every_depth() -> None:
    text = '{"a": {"x-why": 1, "b": [{"x-": 2}]}, "x-note": {"deep": ["n"]}}'
    assert parse(text) == ({"a": {"b": [{}]}}, [])


def test_a_note_must_be_json_too() -> None:
    assert found('{"x-note": NaN}') == [
        ("/x-note", "must be a finite number; JSON has no NaN or Infinity"),
    ]
    assert found('{"x-note": 1, "x-note": 1}') == [
        ("/x-note", "key appears more than once; keep one of them"),
    ]


def test_the_hash_forgets_order_and_notes_and_keeps_values() -> None:
    one, two = parse('{"a": 1, "b": {"é": 2}}')[0], parse('{"b": {"x-n": 0, "é": 2}, "a": 1}')[0]
    assert sha256(one) == sha256(two)
    assert sha256(one) != sha256({"a": 2, "b": {"é": 2}})


def test_the_hash_is_that_of_sorted_json_without_spaces() -> None:
    # sha256sum of {"a":"é"}, and of {"a":1,"b":[2.5]}, by coreutils
    assert sha256({"a": "é"}) == "b3a092a6af48807fa9482b2ee140105575daa26d5b24b3c0e60a7e2dee6683b1"
    assert sha256({"b": [2.5], "a": 1}) == "1d97f1c6350e2d952e3db713f3d5e3b3992bc269e1e2351d30c1b917ee185bde"
