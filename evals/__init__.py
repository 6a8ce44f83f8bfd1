"""Benchmarks, one a file: official loader, offline generated sample, strict and flexible scores, chance level."""

from orchestra.evals.aime import aime
from orchestra.evals.arc import arc
from orchestra.evals.arith import arith
from orchestra.evals.commonsenseqa import commonsenseqa
from orchestra.evals.gaia import gaia
from orchestra.evals.gpqa import gpqa
from orchestra.evals.gsm8k import gsm8k
from orchestra.evals.gym import gym
from orchestra.evals.hotpot import hotpot
from orchestra.evals.math import math
from orchestra.evals.medqa import medqa
from orchestra.evals.mmlu import mmlu
from orchestra.evals.pubmedqa import pubmedqa
from orchestra.evals.schedule import schedule
from orchestra.evals.strategyqa import strategyqa
from orchestra.evals.tau2 import tau2
from orchestra.evals.triviaqa import triviaqa

__all__ = [
    "aime",
    "arc",
    "arith",
    "commonsenseqa",
    "gaia",
    "gpqa",
    "gsm8k",
    "gym",
    "hotpot",
    "math",
    "medqa",
    "mmlu",
    "pubmedqa",
    "schedule",
    "strategyqa",
    "tau2",
    "triviaqa",
]
