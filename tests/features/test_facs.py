import numpy as np
import pytest

from features.facs import BASIC_EXPRESSIONS, EMOTIONET_AUS, EXPRESSIONS, au_column, drop_contempt, frame_signals


@pytest.mark.parametrize(
    ("code", "column"),
    [
        ("AU1", "AU01"),
        ("au01", "AU01"),
        (12, "AU12"),
        (" AU12 ", "AU12"),
        ("43E", "AU43"),
        ("2X", "AU2X"),
        ("AU2X", "AU2X"),
    ],
)
def test_codes_of_other_tools_become_one_column_name(code, column):
    assert au_column(code) == column


@pytest.mark.parametrize("code", ["AD19", "AU", "0", "AU00", "123", "", "smile"])
def test_what_is_no_action_unit_is_refused(code):
    with pytest.raises(ValueError, match="Expected the code of an action unit"):
        au_column(code)


def test_frame_vector_has_the_order_of_li_et_al():
    # Li et al. 2019, section 4.2: 12 action units, 8 expressions, then arousal and valence.
    signals = frame_signals()
    assert len(signals) == 22
    assert signals[:12] == EMOTIONET_AUS
    assert signals[12] == "expr_neutral"
    assert signals[19:] == ("expr_contempt", "arousal", "valence")


def test_dropping_contempt_renormalises():
    uniform = np.full((3, 8), 1 / 8)
    np.testing.assert_allclose(drop_contempt(uniform), np.full((3, 7), 1 / 7))
    assert len(BASIC_EXPRESSIONS) == 7
    assert "contempt" not in BASIC_EXPRESSIONS


def test_a_row_of_contempt_alone_has_no_basic_expression():
    only_contempt = np.eye(8)[EXPRESSIONS.index("contempt")]
    assert np.isnan(drop_contempt(only_contempt)).all()


def test_seven_classes_are_refused():
    with pytest.raises(ValueError, match="Expected 8"):
        drop_contempt(np.full(7, 1 / 7))
