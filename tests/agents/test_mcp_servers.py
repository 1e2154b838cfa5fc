"""Which MCP servers an agent takes tools from: what is accepted, and what each mistake is told."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash import Agent, ConfigError


def agent() -> Agent:
    return Agent("shop", instructions="We sell bicycles.")


def test_a_server_by_its_url() -> None:
    shop = agent()
    shop.mcp(
        "https://tools.example.com/mcp",
        headers={"Authorization": "Bearer secret-1"},
        allowed_tools=["order_status"],
        approve="human",
        filler="One moment, I am looking.",
    )
    (server,) = shop.mcp_servers
    assert (server.label, server.url) == ("tools_example_com", "https://tools.example.com/mcp")
    assert server.allowed_tools == ("order_status",)
    assert server.needs_approval("order_status")
    assert shop.tool_lines == {server.lines_key: ("One moment, I am looking.",)}
    assert "secret-1" not in repr(server)
    assert shop.tools == {}


def test_a_server_that_is_a_program() -> None:
    shop = agent()
    shop.mcp(command=["npx", "-y", "@shop/orders"], env={"TOKEN": "secret-2"}, approve=["refund"])
    (server,) = shop.mcp_servers
    assert server.command == ("npx", "-y", "@shop/orders")
    assert server.label == "shop_orders"
    assert server.needs_approval("refund") and not server.needs_approval("order_status")
    assert "secret-2" not in repr(server)


def test_a_server_that_the_models_service_calls() -> None:
    shop = agent()
    shop.mcp("https://tools.example.com", run_by="model", label="orders", allowed_tools=["status"])
    (hosted,) = shop.model_setup().hosted
    assert (hosted.label, hosted.url) == ("orders", "https://tools.example.com")
    assert hosted.allowed_tools == ("status",)
    assert shop.mcp_servers == ()


@pytest.mark.parametrize(
    ("server", "options", "told"),
    [
        (None, {}, "give the URL of a server"),
        ("https://a.example", {"command": ["x"]}, "give the URL of a server"),
        (7, {}, "expected the URL of a server, or an MCPServer of the package mcp, got int"),
        ("ftp://a.example", {}, "begins with https://"),
        ("https://[a", {}, "cannot be read"),
        ("https://me:secret@a.example", {}, "must hold no password"),
        (None, {"command": "npx"}, "command must be a list"),
        (None, {"command": []}, "command must be a list"),
        (None, {"command": ["x"], "headers": {"a": "b"}}, "headers are for a URL"),
        ("https://a.example", {"env": {"a": "b"}}, "env and folder are for a command"),
        ("https://a.example", {"label": "my orders"}, "label is a letter"),
        ("https://a.example", {"prefix": "my "}, "prefix is at most"),
        ("https://a.example", {"allowed_tools": "status"}, "allowed_tools must be a list"),
        ("https://a.example", {"approve": "nobody"}, "approve must be 'human'"),
        ("https://a.example", {"timeout_seconds": 0}, "timeout_seconds must be more than 0"),
        ("https://a.example", {"headers": {"a": 1}}, "headers must map names to texts"),
        ("https://a.example", {"run_by": "robot"}, "run_by must be 'hookflash' or 'model'"),
        (None, {"run_by": "model"}, "needs a URL"),
        ("https://a.example", {"run_by": "model", "approve": "human"}, "approve has no effect"),
        ("https://a.example", {"run_by": "model", "prefix": "x_"}, "prefix has no effect"),
    ],
)
def test_a_mistake_is_told(server: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        agent().mcp(server, **options)
    assert "Agent 'shop': mcp" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_two_servers_need_two_labels() -> None:
    shop = agent()
    shop.mcp("https://a.example/one")
    with pytest.raises(ConfigError, match="two servers with the label 'a_example'"):
        shop.mcp("https://a.example/two")
    shop.mcp("https://a.example/two", label="two")
    assert [each.label for each in shop.mcp_servers] == ["a_example", "two"]
