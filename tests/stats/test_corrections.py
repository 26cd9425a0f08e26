"""Adjusted p-values against figures of R's p.adjust."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stats.corrections import adjust_p_values


def test_figures_of_r() -> None:
    p = pd.Series([0.01, 0.02, 0.03, 0.04, 0.05])
    # R 4.3: p.adjust(c(.01, .02, .03, .04, .05), "BH") and "holm"
    assert adjust_p_values(p).tolist() == pytest.approx([0.05] * 5)
    assert adjust_p_values(p, method="holm").tolist() == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


def test_figures_of_r_for_the_example_of_benjamini_and_hochberg() -> None:
    # p-values of Benjamini & Hochberg (1995), section 3.2; R 4.2.2: p.adjust(p, "holm") and p.adjust(p, "BH")
    p = pd.Series(
        [
            0.0001,
            0.0004,
            0.0019,
            0.0095,
            0.0201,
            0.0278,
            0.0298,
            0.0344,
            0.0459,
            0.3240,
            0.4262,
            0.5719,
            0.6528,
            0.7590,
            1.0,
        ]
    )
    holm = [0.0015, 0.0056, 0.0247, 0.1140, 0.2211, 0.2780, 0.2780, 0.2780, 0.3213, 1, 1, 1, 1, 1, 1]
    bh = [
        0.0015, 0.0030, 0.0095, 0.0356250, 0.0603, 0.0638571428571429, 0.0638571428571429, 0.0645, 0.0765, 0.4860,
        0.5811818181818181, 0.7148749999999999, 0.7532307692307693, 0.8132142857142857, 1.0,
    ]  # fmt: skip
    assert adjust_p_values(p, method="holm").tolist() == pytest.approx(holm, abs=1e-9)
    assert adjust_p_values(p).tolist() == pytest.approx(bh, abs=1e-9)


def test_tests_that_were_not_made_do_not_count() -> None:
    p = pd.Series([0.04, np.nan, 0.01], index=["c", "b", "a"], name="p")
    adjusted = adjust_p_values(p)
    assert adjusted.index.tolist() == ["c", "b", "a"]
    assert adjusted.name == "p"
    assert adjusted.dropna().tolist() == pytest.approx([0.04, 0.02])
    assert np.isnan(adjusted["b"])


def test_no_tests_at_all() -> None:
    assert adjust_p_values(pd.Series([np.nan, np.nan])).isna().all()
    assert adjust_p_values(pd.Series([], dtype=float)).empty


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjust_p_values(pd.Series([1.2]))
    with pytest.raises(ValueError, match="bonferroni"):
        adjust_p_values(pd.Series([0.2]), method="bonferroni")  # type: ignore[arg-type]
