"""What the real Inspect reads in logs: prints one JSON object by file. Runs in the environment of `inspect-ai.txt`."""

from __future__ import annotations

import json
import sys

from inspect_ai.log import read_eval_log  # type: ignore[import-not-found, unused-ignore]


def main() -> None:
    found = {}
    for path in sys.argv[1:]:
        log = read_eval_log(path)
        found[path] = {
            "version": log.version,
            "status": log.status,
            "task": log.eval.task,
            "accuracy": {score.name: score.metrics["accuracy"].value for score in log.results.scores},
            "scores": [{name: score.value for name, score in sample.scores.items()} for sample in log.samples],
            "messages": [len(sample.messages) for sample in log.samples],
            "calls": [sum(event.event == "model" for event in sample.events) for sample in log.samples],
            "tokens_by_model": {name: usage.total_tokens for name, usage in log.stats.model_usage.items()},
            "tokens_by_role": {name: usage.total_tokens for name, usage in log.stats.role_usage.items()},
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
