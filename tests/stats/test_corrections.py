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
