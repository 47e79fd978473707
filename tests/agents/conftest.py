"""The scenes assert for the tests: a failure there must say what was compared, too."""

import pytest

pytest.register_assert_rewrite("tests.agents.scenes", "tests.agents.session")
