"""Actors around actors: they ask others again, in time, in turn, for each item or as planned; and people as actors."""
