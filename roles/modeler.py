"""Modeler: writes a problem as a formula, which a tool then computes (MM-Agent, arXiv 2505.14148).

The last formula that its tool could not compute stands in its inbox, with what was wrong.
"""

from __future__ import annotations

import re

from orchestra.team import Role, register
from orchestra.team.tools.algebra import FUNCTIONS
from orchestra.team.tools.formula import read

_FENCED = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)
_MARKED = re.compile(r"^\s*formula\s*:\s*", re.IGNORECASE | re.MULTILINE)


@register("formula")
def formula(said: str) -> str:
    """The formula in a reply: that in its last code fence, behind its last "Formula:", or the whole of it; Unparseable
    where that is none.

    >>> formula("We add them.\\nFormula: 34 + 57"), formula("```python\\nx = 3\\nx * 2\\n```")
    ('34 + 57', 'x = 3\\nx * 2')
    """
    fenced = _FENCED.findall(said)
    found = (fenced[-1] if fenced else _MARKED.split(said)[-1]).strip().strip("`").strip()
    read(found, FUNCTIONS)
    return found


modeler = Role(
    "modeler",
    "{{ prompt }}\n{% for message in inbox if message.content %}{{ message.content }}\n{% endfor %}"
    "Write the calculation as a formula, such as\nFormula: solve(3*x + 5 == 20, x)",
    output=formula,
    repairs=1,
)
