"""`python -m orchestra.cli`: the same program as the `orchestra` script."""

from __future__ import annotations

import sys

from orchestra.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
