"""DyLAN's agent importance score of one recorded run: of each agent the sum over its messages. The formula, and what
ratings are, stand with the rule of credit, `orchestra.credit.importance`.
"""

from __future__ import annotations

from orchestra.credit.importance import by_message
from orchestra.credit.speech import spoken
from orchestra.evaluation.contribution.worth import Contribution
from orchestra.trajectory.trajectory import Trajectory


def importance(trajectory: Trajectory) -> Contribution:
    """Each member's score; `worth` is their sum, of a layered team the layers credited. No model is called."""
    messages, agents = spoken(trajectory), dict[str, float]()
    shares = by_message(trajectory)
    for message in messages:
        agents[message.sender] = agents.get(message.sender, 0.0) + shares[message.id]
    return Contribution(trajectory.id, sum(agents.values()), agents)
