"""Asks the agent that runs on this box. It listens on loopback alone, so whoever may ask is on the box already."""

import http.client
import json
from typing import Any
from urllib.parse import urlencode

from station_agent.config import HttpConfig

ANSWER_S = 5.0


class NotRunning(Exception):
    """No agent answers where the configuration says that it does."""


class AgentSays(Exception):
    """The agent refused a question, in its own words."""


def ask(http_config: HttpConfig, page: str, **query: str | int) -> dict[str, Any]:
    """One page of the agent.

    Raises:
        NotRunning: nothing answers there.
        AgentSays: it answers, but not this.
    """
    path = f"/{page}?{urlencode(query)}" if query else f"/{page}"
    connection = http.client.HTTPConnection(http_config.host, http_config.port, timeout=ANSWER_S)
    where = f"http://{http_config.host}:{http_config.port}"
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotRunning(f"no agent answers at {where} ({error})") from error
    finally:
        connection.close()
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise NotRunning(f"what answers at {where} is no agent of this version (status {answer.status})")
    if answer.status >= 400:
        raise AgentSays(str(document.get("detail") or document.get("error") or answer.status))
    return document
