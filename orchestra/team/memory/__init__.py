"""Memory of agents.

Working memory is an agent's own: what its role remembers of its last word comes back as `View.memory`. Episodic memory
(earlier tasks and what was answered) and semantic memory (facts) are `Notes`, a value that `Recalling` searches.
"""
