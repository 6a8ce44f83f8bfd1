"""Who made a team right or wrong, by re-execution against the journal: only new states cost."""

from orchestra.evaluation.contribution.guilty import Blame, answered, guilty
from orchestra.evaluation.contribution.importance import importance
from orchestra.evaluation.contribution.leave_one_out import leave_one_out
from orchestra.evaluation.contribution.muted import Muted, muted
from orchestra.evaluation.contribution.regret import Regret, longer, regret
from orchestra.evaluation.contribution.replacement import Replaced, majority, nothing, replacements
from orchestra.evaluation.contribution.replay import Replay, Variant
from orchestra.evaluation.contribution.shapley import shapley
from orchestra.evaluation.contribution.study import Study, replayed, study
from orchestra.evaluation.contribution.tables import by_agent, by_decision, of_importance
from orchestra.evaluation.contribution.worth import Contribution, over_tasks, scored

__all__ = [
    "Blame",
    "Contribution",
    "Muted",
    "Regret",
    "Replaced",
    "Replay",
    "Study",
    "Variant",
    "answered",
    "by_agent",
    "by_decision",
    "guilty",
    "importance",
    "leave_one_out",
    "longer",
    "majority",
    "muted",
    "nothing",
    "of_importance",
    "over_tasks",
    "regret",
    "replacements",
    "replayed",
    "scored",
    "shapley",
    "study",
]
