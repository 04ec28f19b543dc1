"""docs/lesson.md says what its commands print today."""

import re
import subprocess
import sys

import pytest

from cfs_explore.locations import PROJECT

pytestmark = pytest.mark.slow

LESSON = (PROJECT / "docs" / "lesson.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)\n```", LESSON, flags=re.S)


def printed(*arguments: str) -> str:
    command = [sys.executable, "-m", "cfs_explore", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def output() -> str:
    named = [line for block in blocks("bash") for line in block.splitlines() if re.search("claims|protocol", line)]
    assert len(named) == 2
    return "\n".join(printed(*line.removeprefix(".venv/bin/cfs-explore ").split()) for line in named)


def test_every_line_that_the_lesson_quotes_is_printed(output):
    quoted = [line for block in blocks("text") for line in block.splitlines()]
    lines = {line.rstrip() for line in output.splitlines()}
    assert len(quoted) >= 8
    assert [line for line in quoted if line.rstrip() not in lines] == []


def test_the_pair_is_worse_in_as_many_sets_as_the_lesson_says(output):
    worse = len(re.findall(r"^ +pair .* no ", output, flags=re.M))
    assert f"in {worse} of the 8 OOD sets the pair is worse" in LESSON.replace("\n  ", " ")


def test_the_second_exercise_has_the_aurocs_that_its_code_prints(monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    exec(compile(blocks("python")[0], "lesson.md", "exec"), {})
    found = [f"{float(line.split()[-1]):.3f}" for line in capsys.readouterr().out.splitlines()]
    text = " ".join(LESSON.split("## Exercise 2")[1].split("```python")[0].split())
    for cells, value in zip(("has", "has", "3.0"), found[::2], strict=True):
        assert f"{cells} {value}" in text
    assert f"For letters these are {found[1]}, {found[3]} and {found[5]}." in text


def test_the_first_exercise_is_solved_rightly():
    for r, sentence in ((0.4, "0.81 for r = 0.4"), (0.0, "0.50 for r = 0")):
        assert f"{1.2 * ((2 + 2 * r) ** 0.5 - 1):.2f}" == sentence[:4] and sentence in LESSON
