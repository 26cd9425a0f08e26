import numpy as np
import pytest

from features.signal_scales import SCALES, describe_signal, scaled_column, to_probability


def test_only_a_probability_has_the_signals_own_name():
    names = {scaled_column("AU12", scale) for scale in SCALES}
    assert names == {"AU12", "AU12_present", "AU12_intensity", "AU12_percent", "AU12_evidence"}


@pytest.mark.parametrize(
    ("scale", "values", "expected"),
    [
        ("probability", [0, 0.25, 1], [0, 0.25, 1]),
        ("presence", [0, 1], [0, 1]),
        ("intensity", [0, 2.5, 5], [0, 0.5, 1]),
        ("percent", [0, 25, 100], [0, 0.25, 1]),
        # odds of 10 to 1 are 10/11; evidence 0 is even odds
        ("evidence", [-1, 0, 1, 2], [1 / 11, 0.5, 10 / 11, 100 / 101]),
    ],
)
def test_values_become_probabilities_by_their_scale(scale, values, expected):
    np.testing.assert_allclose(to_probability(values, scale), expected)
    assert np.isnan(to_probability([np.nan], scale)).all()


def test_evidence_is_the_inverse_of_log_odds():
    p = np.array([0.01, 0.3, 0.5, 0.99])
    np.testing.assert_allclose(to_probability(np.log10(p / (1 - p)), "evidence"), p)


@pytest.mark.parametrize(
    ("scale", "limits"), [("intensity", (0, 5)), ("percent", (0, 100)), ("evidence", (None, None))]
)
def test_descriptions_carry_range_and_origin(scale, limits):
    column = describe_signal("AU12", scale, origin="OpenFace, column AU12_r")
    assert (column.low, column.high) == limits
    assert "AU12 (lip corner puller); OpenFace, column AU12_r" in column.description


def test_valence_runs_both_ways():
    assert (
        describe_signal("valence", "percent", origin="").low,
        describe_signal("valence", "probability", origin="").low,
    ) == (-100, -1)
