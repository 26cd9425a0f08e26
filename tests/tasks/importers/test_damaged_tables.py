"""What is wrong with a table is said once: file, line, column, what was expected, what to do."""

from __future__ import annotations

import pytest

from tasks.errors import InvalidInputError


def spoil(path, line, change):
    lines = path.read_text().splitlines()
    lines[line - 1] = change(lines[line - 1])
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_that_was_cut_off(imports, openface):
    path = openface()
    path.write_text(path.read_text()[:-500])
    with pytest.raises(
        InvalidInputError, match=r"of2.csv, line 11: expected \d+ cells as in the header, got \d+\. Export"
    ):
        imports.read(path)


def test_semicolons_between_columns(imports, openface):
    with pytest.raises(InvalidInputError, match="of2.csv, line 1: expected commas or tabs.*got semicolons"):
        imports.read(openface(between=";"))


def test_decimal_commas(imports, openface):
    rows = [imports.openface_row(i) for i in range(1, 5)]
    rows[2]["AU12_r"] = '"1,25"'
    with pytest.raises(
        InvalidInputError, match="line 4, column AU12_r: expected a number, got '1,25'. Write decimal points"
    ):
        imports.read(openface(rows, between=","))


def test_text_where_numbers_belong(imports, openface):
    rows = [imports.openface_row(i, AU04_r="high" if i == 3 else 1) for i in range(1, 6)]
    with pytest.raises(InvalidInputError, match="of2.csv, line 4, column AU04_r: expected a number, got 'high'"):
        imports.read(openface(rows))


def test_an_intensity_above_five(imports, openface):
    rows = [imports.openface_row(i, AU04_r=60 if i == 3 else 1) for i in range(1, 6)]
    with pytest.raises(InvalidInputError, match="line 4, column AU04_r: expected intensity within 0 to 5, got 60"):
        imports.read(openface(rows))


def test_a_frame_that_comes_twice(imports, openface):
    rows = [{k: v for k, v in imports.openface_row(i).items() if k != "face_id"} for i in (1, 2, 2, 3)]
    with pytest.raises(
        InvalidInputError, match=r"line 4: expected each frame once, got frame 1 again \(first in line 3\)"
    ):
        imports.read(openface(rows))


def test_frames_out_of_order(imports, openface):
    rows = [{k: v for k, v in imports.openface_row(i).items() if k != "face_id"} for i in (1, 3, 2, 4)]
    with pytest.raises(InvalidInputError, match="line 4: expected frames in order, got 1 after 2"):
        imports.read(openface(rows))


def test_times_that_go_back(imports, openface):
    rows = [imports.openface_row(i, timestamp=t) for i, t in enumerate((0, 0.03, 0.02, 0.1), start=1)]
    with pytest.raises(InvalidInputError, match="line 4: expected times that increase, got 0.02 s after 0.03 s"):
        imports.read(openface(rows))


def test_a_frame_number_that_is_none(imports, openface):
    rows = [imports.openface_row(i) | {"frame": i + 0.5 if i == 2 else i} for i in range(1, 4)]
    with pytest.raises(InvalidInputError, match="line 3: expected a whole frame number"):
        imports.read(openface(rows))


def test_a_jump_that_no_recording_has(imports, openface):
    rows = [imports.openface_row(i) for i in (1, 2, 3, 900_000_000)]
    with pytest.raises(
        InvalidInputError, match="expected frame numbers that go up by about 1, got a jump of 899999997"
    ):
        imports.read(openface(rows))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a header within 100 lines, got none"),
        (b"#only\n#comments\n", "expected a header within 100 lines, got none"),
        ("frame,größe\n".encode("latin-1"), "line 1: expected UTF-8 text"),
        ("frame,x\n".encode("utf-16"), "line 1: expected UTF-8 text"),
    ],
)
def test_files_that_are_no_tables(imports, tmp_path, content, message):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        imports.read(path)


def test_a_file_that_is_not_there(imports, tmp_path):
    with pytest.raises(InvalidInputError, match="Expected a table at x.csv, but it cannot be read: No such file"):
        imports.read(tmp_path / "x.csv")


def test_a_header_without_rows(imports, openface):
    path = openface()
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(InvalidInputError, match="of2.csv: expected rows under the header, got none"):
        imports.read(path)


def test_no_face_in_any_frame(imports, openface):
    blank = {f"AU{u}_{k}": "" for u in ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26", "45") for k in "rc"}  # fmt: skip
    rows = [imports.openface_row(i, success=0, AU28_c="", **blank) for i in range(1, 4)]
    with pytest.raises(InvalidInputError, match="expected values in the columns AU01_r, .* got none in any"):
        imports.read(openface(rows))
