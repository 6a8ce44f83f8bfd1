"""Baselines that may spend what a team spent, in tokens, calls or FLOPs, on every question or on average.

baselines    what has a size: samples, rounds, repeats, a longest reply     matching   the size that a budget buys
rehearsal    what a size would cost, without asking a model                 flops      2 N a token
pool         the draws of one agent, and self-consistency for every k from them
"""
