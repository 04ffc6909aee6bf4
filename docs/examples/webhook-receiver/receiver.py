"""A receiver of the dispatcher's events: verified, then read, each taken once."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

told_once = "whsec_..."  # the secret in the answer that made the webhook
taken: dict[str, dict[str, Any]] = {}  # by id; keep it where it survives a restart


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            Webhook(told_once).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_error(401)
            return
        event = json.loads(body)
        taken.setdefault(event["id"], event)  # what comes again is known
        self.send_response(204)
        self.end_headers()
