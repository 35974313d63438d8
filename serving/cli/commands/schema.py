"""Owns `crewgraph schema`: the JSON schema of crew files, for editors."""

from __future__ import annotations


def command() -> int:
    """Print the JSON schema of crew files in YAML and JSON, for your editor."""
    import json

    from ...crewfiles.schema import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0
