"""Intervals, paired tests and their corrections: one idea a file.

Invariant: every estimate comes with an interval, and two systems are compared pair by pair on the same tasks, never as
two independent samples. What is here without a random generator is exact or in closed form, from `math` alone; the
files `bootstrap` and `sign_flip` resample with numpy and take their generator as an argument.
"""

from orchestra.evaluation.statistics.bootstrap import bootstrap_interval, resample
from orchestra.evaluation.statistics.clusters import cluster_interval, clustered_t
from orchestra.evaluation.statistics.difference import Difference, minimum_detectable, non_inferior, paired_t
from orchestra.evaluation.statistics.draws import all_at_k, majority_at_k, pass_at_k
from orchestra.evaluation.statistics.holm import holm
from orchestra.evaluation.statistics.interval import Interval, mean_interval, wilson
from orchestra.evaluation.statistics.mcnemar import Paired, mcnemar
from orchestra.evaluation.statistics.quantiles import normal_quantile, t_quantile, t_tails
from orchestra.evaluation.statistics.sign_flip import sign_flip

__all__ = [
    "Difference",
    "Interval",
    "Paired",
    "all_at_k",
    "bootstrap_interval",
    "cluster_interval",
    "clustered_t",
    "holm",
    "majority_at_k",
    "mcnemar",
    "mean_interval",
    "minimum_detectable",
    "non_inferior",
    "normal_quantile",
    "paired_t",
    "pass_at_k",
    "resample",
    "sign_flip",
    "t_quantile",
    "t_tails",
    "wilson",
]
