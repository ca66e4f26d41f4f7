"""The README tells the truth: its state diagram is the transition table, its settings are the settings."""

import re
import runpy
from pathlib import Path

from engine.voice.codes import ADVICE, CODES
from worker.enrollment.states import MOVES, SampleState

_ROOT = Path(__file__).resolve().parents[1]
README = (_ROOT / "README.md").read_text()


def test_the_state_diagram_is_the_transition_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (\w+)$", README, re.MULTILINE))
    moves = {(str(before), str(after), fact) for (before, fact), ends in MOVES.items() for after in ends}
    assert drawn == moves
    assert {state for before, after, _ in drawn for state in (before, after)} == {str(state) for state in SampleState}


def test_every_code_of_a_recording_is_explained() -> None:
    rows = re.findall(r"^\| (`.+?`) \|", README, re.MULTILINE)
    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} >= set(CODES)
    assert all(f"`{advice}`" in README for advice in ADVICE)


def test_the_settings_table_is_up_to_date() -> None:
    renewed = runpy.run_path(str(_ROOT / "deploy" / "settings_table.py"))["renewed"]
    assert renewed(README) == README, "run: python deploy/settings_table.py"
