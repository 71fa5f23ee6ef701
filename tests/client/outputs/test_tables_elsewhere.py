"""Tables as others read them: pandas with its defaults, SQL, and R's rules for names."""

import csv
import re
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from panecho_client.outputs import LONG_COLUMNS, append_csv, long_rows, variables, wide_columns, wide_row
from panecho_client.outputs.dictionary import DICTIONARY_COLUMNS, dictionary_rows
from panecho_client.outputs.table_files import csv_text
from panecho_model.tasks import Kind, Task
from support.invented_results import client_task
from support.reported_studies import reported

NAME = re.compile("[a-z][a-z0-9_]{0,62}")  # no quotes are needed in SQL, and R's make.names changes nothing

# Reserved in R, or in SQL by MySQL, PostgreSQL or SQL Server.
RESERVED = re.findall(
    r"\w+",
    """
    all and any as asc between both by case cast check column constraint create cross current default desc
    distinct else end exists false file for foreign from function group groups having if in index inner insert
    into is join key left like limit natural next not null of on or order outer percent plan precision primary
    public range rank read references repeat right row rows select system table then to true union unique update
    use user using values when where while window with
    """,
)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """Tables of two studies, long and wide."""
    long, wide = tmp_path / "predictions.csv", tmp_path / "studies.csv"
    for kind in ("normal", "severe"):
        study, identity = reported(kind)
        append_csv(long, long_rows(study, identity), LONG_COLUMNS)
        columns = wide_columns([prediction.task for prediction in study.predictions.values()])
        append_csv(wide, [wide_row(study, identity)], columns)
    return long, wide


def test_pandas_reads_every_class(tables: tuple[Path, Path]) -> None:
    long, wide = map(pd.read_csv, tables)
    (ef, _), (normal, severe) = long[long["variable"] == "ef"]["value"][:2], wide["avstenosis_class"]
    assert ef == pytest.approx(61.3)
    assert (normal, severe) == ("AVStenosis:None", "AVStenosis:Severe")
    probabilities = long[long["unit"].eq("1") & ~long["task"].eq("E|EAvg")]
    assert probabilities["class"].notna().all()
    assert {"AVStenosis:None", "LVOT20mmHg:1.0", "MVStenosis:Mild|Moderate|Severe"} <= {*probabilities["class"]}
    assert wide.notna().all().drop(["path", "patient", "model_precision"]).all()
    assert wide["ef"].dtype == wide["ef_sd"].dtype == float
    assert long["stand_in"].dtype == bool


def test_sql_takes_every_name_without_quotes(tables: tuple[Path, Path]) -> None:
    with sqlite3.connect(":memory:") as database:
        for name, path in zip(("predictions", "studies"), tables, strict=True):
            with path.open(newline="") as opened:
                header, *rows = csv.reader(opened)
            database.execute(f"CREATE TABLE {name} ({', '.join(header)})")
            places = ", ".join("?" * len(header))
            database.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608 - names of this test
        found = database.execute(
            "SELECT avstenosis_class FROM studies WHERE CAST(avstenosis_severe AS REAL) > 0.5"
        ).fetchall()
    assert found == [("AVStenosis:Severe",)]


def test_names_are_plain_and_not_reserved(tables: tuple[Path, Path]) -> None:
    for path in tables:
        with path.open(newline="") as opened:
            header = next(csv.reader(opened))
        assert len({*header}) == len(header)
        assert all(map(NAME.fullmatch, header))
        assert not {*header} & {*RESERVED}


def test_tasks_of_others_get_names_that_differ() -> None:
    def task(key: str, *classes: str) -> Task:
        kind: Kind = "multiclass" if len(classes) > 2 else "binary" if classes else "regression"
        return Task(key=key, kind=kind, group="", description="", classes=classes)

    tasks = [task("a-b"), task("a b"), task("A_B_SD"), task("3D"), task("µ"), task("videos"), task("study")]
    tasks += [task("c", "A|B", "A B", "class"), task("d", "0.0", "1.0")]
    names = [variable.name for variable in variables(tasks)]
    assert len({*names}) == len(names)
    assert all(map(NAME.fullmatch, names))
    assert "d_yes" in names
    columns = wide_columns(map(client_task, tasks))
    assert {*names} < {*columns}


def test_the_dictionary_explains_every_column(tables: tuple[Path, Path], tmp_path: Path) -> None:
    study, _ = reported("normal")
    path = tmp_path / "dictionary.csv"
    tasks = [prediction.task for prediction in study.predictions.values()]
    path.write_text(csv_text(dictionary_rows(tasks), DICTIONARY_COLUMNS), newline="")
    rows = pd.read_csv(path)
    assert rows["meaning"].notna().all()
    for name, table in zip(("predictions", "studies"), tables, strict=True):
        assert [*rows[rows["table"] == name]["variable"]] == [*pd.read_csv(table, nrows=0).columns]
    said = rows.set_index("variable").loc
    assert said["avstenosis_none", "class"] == "AVStenosis:None"
    assert said["avstenosis_none", "meaning"] == "probability of None: No aortic stenosis"
    assert said["avpkvel_m_s", "task"] == "AVPkVel(m|s)"
    assert said["avpkvel_m_s", "unit"] == "m/s"
