"""`scripts/twilio-api-table`: what it keeps of a description, and how it refuses another file."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "twilio-api-table"


@pytest.fixture(scope="module")
def script() -> Any:
    loader = SourceFileLoader("twilio_api_table", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def described(**operations: Any) -> dict[str, Any]:
    status = {"type": "string", "enum": ["init", "over"], "description": "Its status."}
    thing = {
        "properties": {
            "sid": {"type": "string", "pattern": "^TH[0-9a-f]{32}$", "minLength": 34},
            "status": {"$ref": "#/components/schemas/thing_enum_status"},
        }
    }
    schemas = {"thing_enum_status": status, "api.v2010.account.thing": thing}
    return {"components": {"schemas": schemas}, "paths": operations}


def test_it_keeps_names_types_and_required_parameters(script: Any) -> None:
    form = {
        "required": ["Url"],
        "properties": {
            "Url": {"type": "string", "format": "uri", "description": "Where."},
            "Method": {"type": "string", "format": "http-method", "enum": ["GET", "POST"]},
            "Event": {"type": "array", "items": {"type": "string"}},
            "Parameter1.Name": {"type": "string"},
        },
    }
    body = {"schema": {"$ref": "#/components/schemas/api.v2010.account.thing"}}
    post = {
        "requestBody": {"content": {script.FORM: {"schema": form}}},
        "responses": {"201": {"content": {"application/json": body}}},
    }
    description = script.Description(described())
    found = script.operation(description, post)
    assert found.pop("schema") == body["schema"]
    assert found == {
        "status": 201,
        "required": ["Url"],
        "parameters": {
            "Event": {"type": "array", "items": {"type": "string"}},
            "Method": {"format": "http-method"},
            "Url": {"type": "string", "format": "uri"},
        },
    }
    assert description.properties(body["schema"]) == {
        "sid": {"type": "string", "pattern": "^TH[0-9a-f]{32}$"},
        "status": {"type": "string", "enum": ["init", "over"]},
    }


def test_the_table_is_as_the_script_writes_it(script: Any) -> None:
    text = script.TABLE.read_text()
    assert script.written(json.loads(text)) == text
    operations = {name.partition(" ")[2] for name in json.loads(text)["operations"]}
    assert operations == {f"{path}.json" for path in script.PATHS}


@pytest.mark.parametrize("content", ["", "[]", '{"paths": {}}'])
def test_another_file_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    refused = subprocess.run(
        [sys.executable, str(SCRIPT), "--check", str(file)], capture_output=True, text=True
    )
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "expected Twilio's twilio_api_v2010.json" in line and str(file) in line
