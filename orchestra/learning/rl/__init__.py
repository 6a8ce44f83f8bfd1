"""Multi-agent reinforcement learning: losses, returns, critic and the update of several policies on one base.

Pure functions come first (`surrogate`, `normalise`, `gae`); `update` puts them to use. Nothing here runs a team.
"""
