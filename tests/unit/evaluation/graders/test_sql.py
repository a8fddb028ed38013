"""SQL by what it finds: the answer's statement and the right one on the same small database."""

from __future__ import annotations

import pytest

from anytune.errors import ConfigError
from anytune.evaluation.graders import parsed

SETUP = """
CREATE TABLE river (name TEXT, km REAL, sea TEXT);
INSERT INTO river VALUES ('Elbe', 1094.26, 'North'), ('Oder', 840, 'Baltic'), ('Rhine', 1232.7, 'North'), ('Spree', 400.0, NULL);
"""
SQL = {"type": "sql_result", "setup": SETUP}
RIGHT = "SELECT name FROM river WHERE sea = 'North'"


@pytest.mark.parametrize(
    ("text", "right", "score"),
    [
        (RIGHT, RIGHT, 1),
        ("select r.name as n from river r where r.sea like 'north' ;", RIGHT, 1),
        ("```sql\nSELECT name FROM river WHERE sea = 'North' ORDER BY km DESC\n```", RIGHT, 1),
        ("WITH n AS (SELECT * FROM river WHERE sea = 'North') SELECT name FROM n", RIGHT, 1),
        ("SELECT 'Elbe' UNION ALL SELECT 'Rhine'", RIGHT, 1),
        ("SELECT name FROM river", RIGHT, 0),
        ("SELECT name, km FROM river WHERE sea = 'North'", RIGHT, 0),
        ("SELECT DISTINCT sea FROM river WHERE sea = 'North'", "SELECT sea FROM river WHERE sea = 'North'", 0),
        ("SELECT name FROM river ORDER BY km", "SELECT name FROM river ORDER BY km", 1),
        ("SELECT name FROM river ORDER BY name DESC", "SELECT name FROM river ORDER BY km", 0),
        ("SELECT 400", "SELECT km FROM river WHERE name = 'Spree'", 1),
        ("SELECT 0.1 + 0.2", "SELECT 0.3", 1),
        ("SELECT NULL", "SELECT sea FROM river WHERE name = 'Spree'", 1),
        ("SELECT ''", "SELECT NULL", 0),
        ("SELECT x'00ff'", "SELECT x'00ff'", 1),
        ("SELECT 'Müßiggang 日本'", "SELECT 'Müßiggang 日本'", 1),
        ("SELECT 1 WHERE 0", "SELECT 2 WHERE 0", 1),
        ("I do not know.", RIGHT, 0),
        ("", RIGHT, 0),
        ("SELECT nme FROM river", RIGHT, 0),
    ],
)
def test_a_statement_is_right_by_what_it_finds(text, right, score, grade):
    found = grade(SQL, text, right)
    assert (found.score, found.error) == (score, "")


def test_the_order_of_rows_can_be_asked_for_or_left_out(grade):
    up, down = "SELECT name FROM river ORDER BY km", "SELECT name FROM river ORDER BY km DESC"
    assert grade(SQL | {"order": "any"}, down, up).score == 1
    assert grade(SQL | {"order": "same"}, "SELECT name FROM river ORDER BY km DESC", "SELECT name FROM river").score == 0


def test_the_tables_can_come_from_the_row_or_from_a_file(grade, tmp_path):
    assert grade(SQL | {"setup": "{{item.schema}}"}, RIGHT, RIGHT, item={"schema": SETUP}).score == 1
    (tmp_path / "rivers.sql").write_text(SETUP)
    assert grade({"type": "sql_result", "file": "rivers.sql"}, RIGHT, RIGHT).score == 1


def test_other_dialects_are_translated(grade):
    keys = SQL | {"dialect": "postgres"}
    assert grade(keys, "SELECT name FROM river WHERE sea ILIKE 'north'", "SELECT name FROM river WHERE sea = 'North'").score == 1


def test_each_grade_starts_with_the_tables_as_they_were_made(make, case):
    from anytune.evaluation.values import Sample

    grader = make(SQL)
    scores = [grader.grade(case(RIGHT), Sample(text=text)).score for text in ("DELETE FROM river", RIGHT, "DROP TABLE river", RIGHT)]
    assert scores == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("keys", "right", "words"),
    [
        ({"setup": "CREATE TABEL x"}, RIGHT, "the setup failed"),
        ({}, "SELECT nme FROM river", "the right statement failed"),
        ({}, "DROP TABLE river", "the right statement: no statement that only reads"),
        ({"setup": "{{item.schema}}"}, RIGHT, "there is no item.schema"),
    ],
)
def test_what_the_row_has_wrong_is_an_error(keys, right, words, grade):
    found = grade(SQL | keys, RIGHT, right)
    assert found.score is None
    assert words in found.error


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "`setup` or `file`"),
        ({"file": "nowhere.sql"}, "cannot read"),
        ({"setup": "", "dialect": "sqlight"}, "dialect"),
        ({"setup": "", "order": "x"}, "order"),
    ],
)
def test_a_definition_that_cannot_work_is_refused(keys, words, desk):
    with pytest.raises(ConfigError, match=words):
        parsed({"type": "sql_result", **keys}, desk)


def test_no_statement_is_logged(grade, caplog):
    grade(SQL, "VACUUM INTO 'secret'", RIGHT)
    grade(SQL, "EXPLAIN SELECT 'secret'", RIGHT)
    grade(SQL, "SELECT 'secret' FROM", RIGHT)
    assert "secret" not in caplog.text
