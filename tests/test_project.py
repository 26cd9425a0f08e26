"""The shape of the project: where its packages come from, which way imports point, what stays out of the repository."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("features", "stats", "classifiers", "tasks", "flows")
MAY_IMPORT = {
    "features": {"features"},
    "stats": {"stats"},
    "classifiers": {"classifiers", "features", "stats"},
    "tasks": {"tasks", "classifiers", "features", "stats"},
    "flows": set(PACKAGES),
}


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_those_of_the_project(package):
    # A package of the same name elsewhere in site-packages would win silently.
    module = importlib.import_module(package)
    assert Path(module.__file__).resolve() == ROOT / package / "__init__.py"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_downwards(package):
    for path in (ROOT / package).rglob("*.py"):
        upward = (imported_packages(path) & set(PACKAGES)) - MAY_IMPORT[package]
        assert not upward, f"{path.relative_to(ROOT)} imports {upward}"


def test_prefect_stays_in_flows():
    for package in PACKAGES[:4]:
        users = [p.relative_to(ROOT) for p in (ROOT / package).rglob("*.py") if "prefect" in imported_packages(p)]
        assert users == []


@pytest.mark.parametrize("package", ["flows", "tasks"])
def test_no_file_hides_a_package(package):
    # A script run from its folder would import the file instead of the package.
    assert not {path.stem for path in (ROOT / package).glob("*.py")} & set(PACKAGES)


def test_ruff_finds_nothing():
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-3000:]


def test_planning_needs_no_torch():
    # check and --dry-run answer at once.
    code = "import sys, flows.cli, tasks.checking, tasks.planning; sys.exit('torch' in sys.modules or 'prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_file_is_over_5_mb():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    sizes = {
        name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if name and (ROOT / name).exists()
    }
    assert [name for name, size in sizes.items() if size > 5_000_000] == []
