"""Exports opened by programs that are not ours: PSPP, R with haven, R alone, DuckDB. `make test-interop` installs them."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess

import numpy as np
import pytest

from features.vector_58 import FEATURE_NAMES

INSTALL = "install it with `make test-interop`"


def run(*command, folder):
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def pspp(exported, tmp_path_factory):
    """Run PSPP syntax in the folder of the exports; gives its output as text."""
    if shutil.which("pspp") is None:
        pytest.skip(f"PSPP is not there; {INSTALL}")
    folder = tmp_path_factory.mktemp("pspp")

    def execute(syntax):
        script = folder / "script.sps"
        script.write_text(syntax)
        output = folder / "output.txt"
        run("pspp", "-O", "format=txt", "-O", "box=ascii", "-o", output, script, folder=exported)
        return output.read_text()

    return execute


@pytest.fixture(scope="module")
def r(exported, tmp_path_factory):
    """Run R code in the folder of the exports; gives what it printed. `package` must be installed."""
    if shutil.which("Rscript") is None:
        pytest.skip(f"R is not there; {INSTALL}")

    def execute(code, package=None):
        if package:
            has = subprocess.run(
                ["Rscript", "-e", f"library({package})"], capture_output=True, check=False, timeout=300
            )
            if has.returncode:
                pytest.skip(f"The R package {package} is not there; {INSTALL}")
        script = tmp_path_factory.mktemp("r") / "script.R"
        script.write_text(code)
        return run("Rscript", "--vanilla", script, folder=exported)

    return execute


def test_pspp_reads_labels_levels_missing_values_and_numbers(pspp, features, tmp_path):
    back = tmp_path / "back.csv"
    text = pspp(
        "GET FILE='features.sav'.\nDISPLAY DICTIONARY.\nFREQUENCIES VARIABLES=group sex.\n"
        f"SAVE TRANSLATE /OUTFILE='{back}' /TYPE=CSV /FIELDNAMES /CELLS=VALUES.\n"
    )
    assert "error:" not in text
    assert "Sex at birth" in text
    assert "not recorded" in text
    assert "ASD" in text
    assert "Nominal" in text
    assert "Scale" in text
    rows = list(csv.DictReader(io.StringIO(back.read_text())))
    assert [row["participant_id"].strip() for row in rows] == ["001", "002", "003", "004"]
    assert [float(row["group"]) for row in rows] == [1, 0, 1, 0]
    for name in ("mean_AU12", "sd_valence", "positive_arousal"):
        # CSV of PSPP follows the print format F10.4
        np.testing.assert_allclose([float(row[name]) for row in rows], features[name], atol=5e-5)


def test_pspp_computes_our_means(pspp, features):
    text = pspp(
        "GET FILE='features.sav'.\nCOMPUTE one = 1.\nAGGREGATE OUTFILE=* /BREAK=one /m=MEAN(mean_AU12).\n"
        "FORMATS m (F14.10).\nLIST m.\n"
    )
    found = [float(word) for word in re.findall(r"\.\d{10}", text)]
    assert found == [pytest.approx(features["mean_AU12"].mean(), abs=1e-9)]


def test_pspp_runs_the_syntax_file(pspp, exported):
    text = pspp((exported / "read_features.sps").read_text())
    assert "error:" not in text
    assert "ASD" in text
    assert "mean_valence" in text or "Mean over valid frames of valence" in text


def test_r_reads_the_sav_with_haven(r, features):
    printed = r(
        """
        library(haven)
        x <- read_sav("features.sav")
        cat(nrow(x), class(x$group)[1], "\\n")
        cat(as.character(as_factor(x$group)), "\\n")
        cat(attr(x$mean_AU12, "label"), "\\n")
        cat(names(attr(x$sex, "labels")), "\\n")
        cat(is.na(x$sex), "\\n")
        cat(format(mean(x$mean_AU12), digits = 15), "\\n")
        """,
        package="haven",
    ).splitlines()
    assert printed[0].split() == ["4", "haven_labelled"]
    assert printed[1].split() == ["ASD", "TD", "ASD", "TD"]
    assert printed[2].strip() == "Mean over valid frames of probability of AU12 (lip corner puller) [probability]"
    assert set(printed[3].replace("not recorded", "").split()) == {"M", "F"}
    assert printed[4].split() == ["FALSE", "FALSE", "TRUE", "FALSE"]
    assert float(printed[5]) == pytest.approx(features["mean_AU12"].mean(), rel=1e-12)


@pytest.mark.parametrize(("call", "file"), [("read.csv", "features.csv"), ("read.csv2", "features_semicolon.csv")])
def test_r_reads_both_kinds_of_csv(r, features, call, file):
    printed = r(
        f"""
        x <- {call}("{file}", na.strings = "", check.names = FALSE)
        cat(dim(x), class(x$included), class(x$mean_AU12), "\\n")
        cat(format(colMeans(x[, c("mean_AU12", "sd_valence")]), digits = 15), "\\n")
        cat(is.na(x$age), "\\n")
        """
    ).splitlines()
    assert printed[0].split() == ["4", str(len(features.columns)), "logical", "numeric"]
    expected = features[["mean_AU12", "sd_valence"]].mean()
    np.testing.assert_allclose([float(v) for v in printed[1].split()], expected, rtol=1e-12)
    assert printed[2].split() == ["FALSE", "FALSE", "TRUE", "FALSE"]


def test_r_runs_our_script(r, features):
    printed = r(
        """
        source("read_features.R")
        cat(levels(features$group), as.character(features$group), "\\n")
        cat(features$participant_id, "\\n")
        cat(class(features$n_frames), class(features$included), attr(features$age, "label"), "\\n")
        cat(format(tapply(features$mean_AU12, features$group, mean), digits = 15), "\\n")
        """
    ).splitlines()
    assert printed[0].split() == ["TD", "ASD", "ASD", "TD", "ASD", "TD"]
    assert printed[1].split() == ["001", "002", "003", "004"]
    assert printed[2].strip() == "integer logical Age at the first session [years]"
    means = features.groupby("group")["mean_AU12"].mean()
    np.testing.assert_allclose([float(v) for v in printed[3].split()], means[["TD", "ASD"]], rtol=1e-12)


def test_duckdb_reads_the_parquet(exported, features):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not there; it is in the extra dev")
    with duckdb.connect() as connection:
        place = str(exported / "features.parquet")
        relation = connection.read_parquet(place)
        means = relation.aggregate(", ".join(f'avg("{name}")' for name in FEATURE_NAMES)).fetchall()[0]
        types = {row[1] for row in connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [place]).fetchall()}
    np.testing.assert_allclose(means, features[list(FEATURE_NAMES)].mean(), rtol=1e-12)
    assert types <= {"INTEGER", "DOUBLE", "FLOAT", "BOOLEAN", "VARCHAR"}
