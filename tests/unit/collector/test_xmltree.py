"""XML documents become the same tree as JSON, and none of them can do harm."""

from __future__ import annotations

import pytest

from collector.payload import LARGEST, at_pointer
from collector.refusal import NoValue
from collector.xmltree import tree_of

BOMB = '<?xml version="1.0" encoding="{}"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'


def test_elements_attributes_and_text_are_found_by_a_path() -> None:
    tree = tree_of('<eta xmlns="urn:x"><value unit="°C" scaleFactor="10"> 673 </value></eta>'.encode())
    assert tree == {"eta": {"value": {"@unit": "°C", "@scaleFactor": "10", "#text": "673"}}}
    assert at_pointer(tree, "/eta/value/@scaleFactor") == "10"


def test_a_name_that_comes_twice_is_a_list_in_the_order_of_the_document() -> None:
    assert tree_of(b"<a><b>1</b><c/><b><d>2</d></b><b>3</b></a>") == {"a": {"b": ["1", {"d": "2"}, "3"], "c": ""}}


def test_prefixes_and_encodings_make_no_difference() -> None:
    plain = tree_of("<a><b>ü</b></a>".encode())
    assert tree_of('<x:a xmlns:x="urn:y"><x:b>ü</x:b></x:a>'.encode()) == plain
    assert tree_of('<?xml version="1.0" encoding="ISO-8859-1"?><a><b>ü</b></a>'.encode("latin-1")) == plain
    assert tree_of('<?xml version="1.0" encoding="UTF-16"?><a><b>ü</b></a>'.encode("utf-16")) == plain
    assert tree_of(b"<a><!-- note --><b><![CDATA[1 < 2]]></b></a>") == {"a": {"b": "1 < 2"}}


@pytest.mark.parametrize(
    "content",
    [
        BOMB.format("UTF-8").encode(),
        BOMB.format("UTF-16").encode("utf-16"),
        BOMB.format("UTF-16").encode("utf-16-be"),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<!DOCTYPE a><a/>",
    ],
)
def test_no_document_type_is_accepted_in_any_encoding(content: bytes) -> None:
    with pytest.raises(NoValue, match=r"declares a document type|is not XML"):
        tree_of(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"<a>&x;</a>",
        b"{}",
        b"\xff\xfe",
        b"<a/><b/>",
        b'<?xml version="1.0" encoding="x"?><a/>',
    ],
)
def test_what_is_no_xml_is_refused(content: bytes) -> None:
    with pytest.raises(NoValue, match="is not XML"):
        tree_of(content)


def test_depth_and_size_have_bounds() -> None:
    assert tree_of(b"<a>" * 50 + b"</a>" * 50)
    with pytest.raises(NoValue, match="more than 50 elements inside one another"):
        tree_of(b"<a>" * 100_000)
    with pytest.raises(NoValue, match="larger than"):
        tree_of(b"<a>" + b" " * LARGEST + b"</a>")


def test_a_document_of_equal_elements_is_read_in_one_go() -> None:
    """As many as fit; a copy of the list for each of them would take minutes."""
    count = LARGEST // 4 - 10
    assert len(tree_of(b"<a>" + b"<b/>" * count + b"</a>")["a"]["b"]) == count
