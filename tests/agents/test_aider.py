"""The real aider, babysat, against a scripted model on 127.0.0.1: where it is installed in build/agents/aider.

Its model has no tools; it answers with edits, which aider applies and has measured.
"""

import itertools
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents import scenes
from tests.agents.chat_api import MODEL, chat_api
from tests.agents.installed import BIN
from tests.agents.scenes import Driven
from tests.agents.scripted import Asked, Refuse, Say, Script
from tests.agents.session import agent_session

AIDER = BIN.parents[1] / "aider" / "bin"
pytestmark = [
    pytest.mark.agents,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (AIDER / "aider").exists(), reason="aider is not in build/agents/aider"),
]

EDIT = """I will try this.

train.py
```python
<<<<<<< SEARCH
{before}
=======
MATRIX_LR = 0.0{number}
>>>>>>> REPLACE
```
"""
_NUMBERS = itertools.count(11)


def one_edit(asked: Asked) -> Say:
    """Another MATRIX_LR in the file as aider shows it."""
    shown = re.findall(r"^MATRIX_LR = .*$", "\n".join(asked.prompts), re.MULTILINE)
    return Say(EDIT.format(before=shown[-1], number=next(_NUMBERS)))


@pytest.fixture
def aider() -> Iterator[Driven]:
    """A home with an aider that knows our model alone."""
    model = Script(habit=one_edit)
    with chat_api(model, has_tools=False) as port:
        environment = {
            "PATH": os.pathsep.join([str(AIDER), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "OPENAI_API_BASE": f"http://127.0.0.1:{port}/v1",
            "OPENAI_API_KEY": "dummy",
            "AIDER_MODEL": f"openai/{MODEL}",
            "AIDER_EDIT_FORMAT": "diff",
            "AIDER_SHOW_MODEL_WARNINGS": "false",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        with agent_session("aider", environment) as session:
            yield Driven("aider", session, model)


def test_every_edit_is_measured_and_aider_is_kept_going(aider: Driven) -> None:
    """Real experiments without a person, one for each edit, though its model cannot run a command."""
    session = scenes.five_experiments(aider)
    assert {one["rule"] for one in session.journal("nudge")} == {"prompt"}
    assert {one.verdict for one in session.experiments()} <= {"keep", "discard"}


def test_a_bad_key_is_waited_out(aider: Driven) -> None:
    """The person is called, and once the server answers the work goes on."""
    scenes.trouble_that_passes(aider, Refuse(401))
