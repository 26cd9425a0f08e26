import hashlib

import pytest

from features.vector_58 import FEATURE_NAMES
from tasks.errors import InvalidInputError
from tasks.exporters.spss_names import check_spss_names, spss_names


def digits(name):
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def test_our_own_names_stay():
    assert spss_names(FEATURE_NAMES) == {name: name for name in FEATURE_NAMES}


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("iq.total", "iq_total"),
        ("2nd visit", "v2nd_visit"),
        ("_hidden", "v_hidden"),
        ("größe", "gr__e"),
        ("with", "with_v"),
        ("AND", "AND_v"),
        ("score_", "score"),
        ("...", "v"),
        ("<script>", "v_script"),
        ("=SUM(A1)", "v_SUM_A1"),
        ("x" * 70, "x" * 55 + "_" + digits("x" * 70)),
    ],
)
def test_names_are_changed_by_rule(name, variable):
    assert spss_names([name]) == {name: variable}


def test_names_that_differ_in_case_alone_are_told_apart():
    assert spss_names(["AU1", "au1", "Au1"]) == {
        "AU1": "AU1",
        "au1": f"au1_{digits('au1')}",
        "Au1": f"Au1_{digits('Au1')}",
    }


def test_names_that_become_equal_are_told_apart():
    assert spss_names(["iq.total", "iq_total"])["iq_total"] == f"iq_total_{digits('iq_total')}"


def test_two_long_names_with_the_same_beginning_stay_two():
    found = spss_names(["y" * 80 + "a", "y" * 80 + "b"])
    assert len(set(found.values())) == 2
    assert {len(name) for name in found.values()} == {64}


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["a.b"], "'a.b' has characters other than"),
        (["1a"], "'1a' does not begin with a letter"),
        (["_a"], "'_a' does not begin with a letter"),
        (["ä" * 40], "has over 64 bytes"),
        (["by"], "'by' is a reserved word"),
        (["a_"], "'a_' ends in _"),
        (["AU1", "au1"], "'au1' differs from another in case alone"),
        ([""], "does not begin with a letter"),
    ],
)
def test_names_that_spss_refuses_are_refused_before_writing(names, fault):
    with pytest.raises(InvalidInputError, match=fault):
        check_spss_names(names)
