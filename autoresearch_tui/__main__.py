"""`python -m autoresearch_tui` is `autoresearch-tui`."""

import sys

from autoresearch_tui.cli import main

sys.exit(main())
