"""A citizen in an epidemic: from what one sees of it, isolate or continue.

The same bytes are asked in training, in play and when a table is compiled: what a citizen sees is its prompt, or, where
a world speaks to it, the world's last message.
"""

from __future__ import annotations

from orchestra.team.role import Role, text

citizen = Role(
    "citizen",
    "{{ inbox[-1].content if inbox else prompt }}\nDo you isolate or continue?",
    system="You live through an epidemic and isolate when your risk is high.",
    answer=text,
    choices=("isolate", "continue"),
    max_tokens=4,
    temperature=1.0,  # play draws from the same probabilities as a table
)
