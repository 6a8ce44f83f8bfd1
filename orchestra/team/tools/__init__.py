"""Tools: functions from text to text, formulas that are computed and never executed, and a node that calls a tool."""
